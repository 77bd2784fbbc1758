//! Reads `[jail.NAME]`: adjusts the built-in jails and makes new ones.

use ringfence_event::{Cause, Service, Span};

use super::findings::Issue;
use super::section::{Section, nearest, words};
use crate::engine::{Count, Escalation, Jail};

/// The engine's bound.
const MOST_JAILS: usize = 32;
/// Names that mean something else in reports.
const RESERVED: [&str; 1] = ["manual"];
/// More than this in `maxretry` never bans anybody.
const MOST_RETRIES: u64 = 10_000;

/// How bans grow when nothing else is said: twice as long each time, at most four weeks.
const DOUBLING: Escalation = Escalation {
    factor: 2,
    maximum: Span::from_secs(4 * 7 * 86_400),
};

/// The built-in jails as adjusted, then the admin's own in the order they stand.
pub(super) fn read(top: &mut Section<'_>) -> Vec<Jail> {
    let mut jails = Jail::built_in();
    let Some(section) = top.table("jail") else {
        return jails;
    };
    for (entry, mut section) in section.tables() {
        let known = jails.iter().position(|jail| jail.name == entry.key);
        let fits = known.is_some() || (is_new(&section, &entry.key, &jails) && has_room(&section, &jails));
        let before = known
            .and_then(|at| jails.get(at))
            .cloned()
            .unwrap_or_else(|| own(&entry.key));
        let jail = adjusted(&mut section, before);
        section.finish();
        if let Some(slot) = known.and_then(|at| jails.get_mut(at)) {
            *slot = jail;
        } else if fits {
            jails.push(jail);
        }
    }
    jails
}

/// Whether an unknown name may be a new jail: it has causes to count, and a name fit for reports.
fn is_new(section: &Section<'_>, name: &str, jails: &[Jail]) -> bool {
    let fine = (1..=32).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
        && !RESERVED.contains(&name);
    if !fine {
        let issue = Issue::error(format!("`{name}` can't be the name of a jail"), section.place());
        section
            .findings
            .push(issue.help("use up to 32 lower-case letters, digits, `-` and `_`; `manual` is taken"));
        return false;
    }
    if section.has("causes") {
        return true;
    }
    let message = format!(
        "there is no jail `{name}`, and for a new one {} lacks `causes`",
        section.title()
    );
    let mut issue = Issue::missing(message, section.place());
    if let Some(near) = nearest(name, jails.iter().map(|jail| jail.name.as_str())) {
        issue = issue.help(format!("did you mean `[jail.{near}]`?"));
    }
    let built_in = words(jails.iter().map(|jail| jail.name.as_str()));
    section.findings.push(issue.help(format!(
        "jails so far: {built_in}; a new one needs `causes = [\"…\"]`"
    )));
    false
}

fn has_room(section: &Section<'_>, jails: &[Jail]) -> bool {
    if jails.len() < MOST_JAILS {
        return true;
    }
    let issue = Issue::error(
        format!("{} is one jail too many", section.title()),
        section.place(),
    );
    section.findings.push(issue.help(format!(
        "at most {MOST_JAILS} jails are possible, the built-in ones included"
    )));
    false
}

/// What a jail of the admin's own is before its keys are read: fail2ban's defaults.
fn own(name: &str) -> Jail {
    Jail {
        name: name.to_owned(),
        enabled: true,
        count: Count::Attempts,
        causes: Vec::new(),
        services: Service::ALL.to_vec(),
        maxretry: 5,
        findtime: Span::from_secs(600),
        bantime: Span::from_secs(3600),
        escalation: Some(DOUBLING),
    }
}

fn adjusted(section: &mut Section<'_>, mut jail: Jail) -> Jail {
    on_or_off(section, &mut jail);
    let counts = [
        ("attempts", Count::Attempts),
        ("accounts", Count::Accounts),
        ("unanswered", Count::Unanswered),
    ];
    if let Some(count) = section.choice("count", &counts) {
        jail.count = count.value;
    }
    causes(section, &mut jail);
    if let Some(services) =
        section.choices("services", &Service::ALL.map(|service| (service.name(), service)))
    {
        jail.services = services.iter().map(|service| service.value).collect();
    }
    tolerance(section, &mut jail);
    jail
}

/// Whether the jail is on.
pub(super) fn on_or_off(section: &mut Section<'_>, jail: &mut Jail) {
    if let Some(enabled) = section.flag("enabled") {
        jail.enabled = enabled.value;
    }
}

/// When it bans, and for how long.
pub(super) fn tolerance(section: &mut Section<'_>, jail: &mut Jail) {
    let second = Span::from_secs(1);
    if let Some(maxretry) = section.number("maxretry", 1..=MOST_RETRIES) {
        jail.maxretry = u32::try_from(maxretry.value).unwrap_or(u32::MAX);
    }
    if let Some(findtime) = section.span("findtime", second, false) {
        jail.findtime = findtime.value;
    }
    if let Some(bantime) = section.span("bantime", second, true) {
        jail.bantime = bantime.value;
    }
    escalation(section, jail);
}

fn causes(section: &mut Section<'_>, jail: &mut Jail) {
    let allowed: Vec<(&str, Cause)> = Cause::ALL
        .into_iter()
        .filter(|cause| *cause != Cause::Succeeded)
        .map(|cause| (cause.name(), cause))
        .collect();
    let causes = section.choices("causes", &allowed);
    if let Some(causes) = &causes {
        jail.causes = causes.iter().map(|cause| cause.value).collect();
    }
    let challenged = jail.causes.contains(&Cause::Challenged);
    let given = ["causes", "count"].into_iter().find_map(|key| section.entry(key));
    let Some(place) = given.map(|entry| entry.node.place) else {
        return;
    };
    if jail.count != Count::Unanswered && challenged {
        let message = "every honest phone is challenged: counting that would ban them all";
        let issue = Issue::error(message, place);
        section
            .findings
            .push(issue.help("remove `challenged` from `causes`, or set `count = \"unanswered\"`"));
    } else if jail.count == Count::Unanswered && !challenged && !jail.causes.is_empty() {
        let issue = Issue::error(
            "a jail that counts unanswered challenges must look at `challenged`",
            place,
        );
        section
            .findings
            .push(issue.help("add `challenged` to `causes`, or change `count`"));
    }
}

/// `increment`, `factor` and `maxtime`: how bans of one address grow.
fn escalation(section: &mut Section<'_>, jail: &mut Jail) {
    let increment = section.flag("increment");
    let factor = section.number("factor", 1..=1000);
    let maxtime = section.span("maxtime", Span::from_secs(1), true);
    let grows = increment.map_or(jail.escalation.is_some(), |increment| increment.value);
    for (key, place) in [
        ("factor", factor.map(|at| at.place)),
        ("maxtime", maxtime.map(|at| at.place)),
    ] {
        if let Some(place) = place.filter(|_| !grows) {
            let issue = Issue::error(format!("`{key}` has no effect without `increment = true`"), place);
            section
                .findings
                .push(issue.help("add `increment = true`, or remove it"));
        }
    }
    if !grows {
        jail.escalation = None;
        return;
    }
    let mut escalation = jail.escalation.unwrap_or(DOUBLING);
    if let Some(factor) = factor {
        escalation.factor = u32::try_from(factor.value).unwrap_or(u32::MAX);
    }
    match maxtime {
        Some(maxtime) if maxtime.value < jail.bantime => {
            let issue = Issue::error(
                format!("`maxtime` is shorter than `bantime` ({})", jail.bantime),
                maxtime.place,
            );
            section
                .findings
                .push(issue.help("no ban is longer than `maxtime`: make it longer, or `bantime` shorter"));
        }
        Some(maxtime) => escalation.maximum = maxtime.value,
        // A bantime beyond the default maximum is what the admin asked for.
        None => escalation.maximum = escalation.maximum.max(jail.bantime),
    }
    jail.escalation = Some(escalation);
}
