//! Reads `[[tenant]]`: customers of the same PBX with values of their own.

use super::findings::Issue;
use super::ignoreip;
use super::jails::{on_or_off, tolerance};
use super::pbx::unique_name;
use super::place::{At, Place};
use super::section::{Section, nearest, words};
use super::tree::{Node, Value, list_of_named};
use crate::engine::{Jail, MOST_TENANTS, Names, Pattern, Tenant};

/// Longer names are kept shortened by everyone who handles events, so that no pattern could fit them.
const LONGEST: usize = 63;
/// An example for the help below an error.
const MATCH: &str = "say whose attempts are its own: `match = { domain = \"*.acme.example\" }`";

/// One that was read, where its match stands.
struct Known {
    tenant: Tenant,
    name_place: Place,
    match_place: Place,
}

/// Reads every `[[tenant]]`, whichever file it stands in, in that order.
pub(super) fn read(top: &mut Section<'_>, jails: &[Jail]) -> Vec<Tenant> {
    let Some(entry) = top.entry("tenant") else {
        return Vec::new();
    };
    let from_variables;
    let nodes = match &entry.node.value {
        Value::List(nodes) => nodes,
        Value::Table(table) if is_environment(top, entry.node.place) => {
            from_variables = list_of_named(table);
            &from_variables
        }
        _ => {
            let issue = Issue::error("`tenant` must be a list of tables", entry.key_place);
            top.findings
                .push(issue.help("write `[[tenant]]` with two brackets, once for each tenant"));
            return Vec::new();
        }
    };
    if let Some(beyond) = nodes.get(MOST_TENANTS) {
        let issue = Issue::error(format!("{} tenants are too many", nodes.len()), beyond.place);
        top.findings
            .push(issue.help(format!("at most {MOST_TENANTS} are possible")));
    }
    let mut known: Vec<Known> = Vec::new();
    for node in nodes.iter().take(MOST_TENANTS) {
        known.extend(one(top, node, jails, &known));
    }
    known.into_iter().map(|known| known.tenant).collect()
}

fn is_environment(top: &Section<'_>, place: Place) -> bool {
    let source = top.findings.sources.at(place.source());
    source.is_some_and(|source| source.mode.is_none())
}

fn one(top: &Section<'_>, node: &Node, jails: &[Jail], known: &[Known]) -> Option<Known> {
    let Value::Table(table) = &node.value else {
        let issue = Issue::error(
            format!("`tenant` holds {}, not a table", node.value.kind()),
            node.place,
        );
        top.findings
            .push(issue.help("write `[[tenant]]` and its keys below"));
        return None;
    };
    let mut section = Section::new(top.findings, table, "[[tenant]]");
    let name = name(&mut section, known);
    let names = names(&mut section);
    let ignore = ignoreip::of_tenant(&mut section);
    let own = own_jails(&mut section, jails);
    section.finish();
    let (name, names) = (name?, names?);
    let taken = known
        .iter()
        .find(|earlier| names.value.are_taken_by(&earlier.tenant.names));
    if let Some(earlier) = taken {
        let message = format!("tenant `{}` never gets an attempt", name.value);
        let first = format!("`{}` comes first and takes all of them", earlier.tenant.name);
        let issue = Issue::warning(message, names.place).also(earlier.match_place, first);
        top.findings
            .push(issue.help("the first tenant that matches has the attempt: put the narrower one first"));
    }
    Some(Known {
        name_place: name.place,
        match_place: names.place,
        tenant: Tenant {
            name: name.value,
            names: names.value,
            ignore,
            jails: own,
        },
    })
}

fn name(section: &mut Section<'_>, known: &[Known]) -> Option<At<String>> {
    unique_name(section, ("acme", "tenants"), |name| {
        let mut same = known
            .iter()
            .filter(|other| other.tenant.name.eq_ignore_ascii_case(name));
        same.next().map(|other| other.name_place)
    })
}

/// `match`: at least one key, and nothing that could fit nobody.
fn names(section: &mut Section<'_>) -> Option<At<Names>> {
    let Some(entry) = section.entry("match") else {
        section.missing("`match`", MATCH);
        return None;
    };
    let place = entry.key_place;
    let Value::Table(table) = &entry.node.value else {
        let message = format!("`match` must be a table, not {}", entry.node.value.kind());
        section
            .findings
            .push(Issue::error(message, entry.node.place).help(MATCH));
        return None;
    };
    let mut section = Section::new(section.findings, table, "`match` of [[tenant]]");
    let empty = table.entries.is_empty();
    let domain = patterns(&mut section, "domain", Pattern::folded);
    let realm = patterns(&mut section, "realm", Pattern::folded);
    let profile = patterns(&mut section, "profile", Pattern::folded);
    let account = patterns(&mut section, "account", Pattern::exactly);
    if empty {
        section.findings.push(
            Issue::error("`match` is empty: everybody would be this tenant", place)
                .help(MATCH)
                .help("allowed here: `domain`, `realm`, `profile`, `account`"),
        );
    }
    section.finish();
    let names = Names {
        domain: domain?,
        realm: realm?,
        profile: profile?,
        account: account?,
    };
    (names != Names::default()).then_some(At { value: names, place })
}

/// One name, or a list of them; `None` when there is something wrong with them.
fn patterns(section: &mut Section<'_>, key: &'static str, of: fn(&str) -> Pattern) -> Option<Vec<Pattern>> {
    let Some(entry) = section.entry(key) else {
        return Some(Vec::new());
    };
    let place = entry.node.place;
    let (texts, wanted) = match &entry.node.value {
        Value::List(list) => {
            let texts = section.texts(key)?.value;
            let wanted = list.len();
            (texts, wanted)
        }
        Value::Variable(_) => {
            let texts = section.texts(key)?.value;
            let wanted = texts.len();
            (texts, wanted)
        }
        Value::Text(text) => {
            let value = text.clone();
            (vec![At { value, place }], 1)
        }
        other => {
            let message = format!(
                "`{key}` must be a string or a list of strings, not {}",
                other.kind()
            );
            section.findings.push(Issue::error(message, place));
            return None;
        }
    };
    if texts.is_empty() && wanted == 0 {
        let issue = Issue::error(format!("`{key}` is an empty list"), place);
        section
            .findings
            .push(issue.help("name at least one, or leave it out"));
    }
    let fine: Vec<Pattern> = texts
        .iter()
        .filter(|text| is_possible(section, key, text))
        .map(|text| of(&text.value))
        .collect();
    (!fine.is_empty() && fine.len() == wanted).then_some(fine)
}

fn is_possible(section: &Section<'_>, key: &str, text: &At<String>) -> bool {
    let literal = text.value.bytes().filter(|byte| *byte != b'*').count();
    let complaint = if text.value.is_empty() {
        format!("an entry of `{key}` is empty")
    } else if literal > LONGEST {
        format!("an entry of `{key}` is longer than {LONGEST} bytes")
    } else {
        return true;
    };
    let issue = Issue::error(complaint, text.place);
    section
        .findings
        .push(issue.help("write a name, or a pattern with `*` and `?`: \"*.acme.example\""));
    false
}

/// `[tenant.jail.NAME]`: the shared jail with some values changed.
fn own_jails(section: &mut Section<'_>, jails: &[Jail]) -> Vec<Jail> {
    let Some(entry) = section.entry("jail") else {
        return Vec::new();
    };
    let Value::Table(table) = &entry.node.value else {
        let message = format!("`jail` must be a table, not {}", entry.node.value.kind());
        let issue = Issue::error(message, entry.node.place);
        section
            .findings
            .push(issue.help("write `[tenant.jail.auth]` and its keys below"));
        return Vec::new();
    };
    let all = Section::new(section.findings, table, "[tenant.jail]");
    let mut own = Vec::new();
    for (entry, mut section) in all.tables() {
        let Some(shared) = jails.iter().find(|jail| jail.name == entry.key) else {
            let message = format!("there is no jail `{}`", entry.key);
            let mut issue = Issue::error(message, entry.key_place);
            if let Some(near) = nearest(&entry.key, jails.iter().map(|jail| jail.name.as_str())) {
                issue = issue.help(format!("did you mean `[tenant.jail.{near}]`?"));
            }
            let names = words(jails.iter().map(|jail| jail.name.as_str()));
            section.findings.push(issue.help(format!(
                "a tenant can have values of its own for {names}; a new jail is `[jail.{}]`",
                entry.key
            )));
            continue;
        };
        let mut jail = shared.clone();
        on_or_off(&mut section, &mut jail);
        tolerance(&mut section, &mut jail);
        for key in ["count", "causes", "services"] {
            shared_only(&mut section, key);
        }
        section.finish();
        own.push(jail);
    }
    own
}

/// Complains about a key that only the shared jail has.
fn shared_only(section: &mut Section<'_>, key: &'static str) {
    if !section.has(key) {
        return;
    }
    let Some(entry) = section.entry(key) else { return };
    let issue = Issue::error(format!("`{key}` is the same for all tenants"), entry.key_place);
    section
        .findings
        .push(issue.help("say it in the shared jail: `[jail.NAME]`"));
}
