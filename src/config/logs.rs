//! Reads which logs are read: `log = { … }` of a PBX, and `[[logfile]]`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use ringfence_event::Span;
use ringfence_fail2ban::{Definition, Filter, Settings};

use super::findings::Issue;
use super::pbx::{self, Names};
use super::place::At;
use super::section::Section;
use super::tree::Value;
use crate::clock::Clock;
use crate::filter;
use crate::source::log::{Grammar, Origin, WatchedLog, When};
use crate::source::logfile::Pattern;

/// The format of a log that knows no better.
#[derive(Clone, Copy)]
enum Format {
    Asterisk,
    Freeswitch,
}

/// Reads every `[[logfile]]`, whichever file it stands in.
pub(super) fn read(top: &mut Section<'_>, names: &mut Names) -> Vec<WatchedLog> {
    let mut stdin = None;
    pbx::read(top, "logfile", |mut section| {
        let place = section.entry("stdin").map(|entry| entry.key_place);
        if let (Some(first), Some(second)) = (stdin, place) {
            let issue = Issue::error("there is only one standard input", second);
            section
                .findings
                .push(issue.also(first, "it is read here already").help("remove one"));
        }
        stdin = stdin.or(place);
        one(section, names)
    })
}

/// The table under `log` of a PBX called `name`, as its log.
pub(super) fn of_pbx(pbx: &mut Section<'_>, name: Option<&str>, grammar: Grammar) -> Option<WatchedLog> {
    let entry = pbx.entry("log")?;
    let Value::Table(table) = &entry.node.value else {
        let message = format!("`log` must be a table, not {}", entry.node.value.kind());
        let issue = Issue::error(message, entry.node.place);
        pbx.findings
            .push(issue.help("write `log = { files = [\"/var/log/…\"], when = \"blind\" }`"));
        return None;
    };
    let mut section = Section::new(pbx.findings, table, format!("log in {}", pbx.title()));
    if matches!(grammar, Grammar::Freeswitch) {
        section.entry("stream");
    }
    let when = section.choice("when", &[("blind", When::Blind), ("always", When::Always)]);
    let zone = zone(&mut section);
    let log = rest(&mut section, &grammar);
    section.finish();
    let (origin, since, count_claimed) = log?;
    let name = name?;
    Some(WatchedLog {
        name: format!("{name}:log"),
        of: Some(name.to_owned()),
        when: when.map_or(When::Blind, |when| when.value),
        origin,
        grammar,
        since,
        zone: zone?,
        count_claimed,
    })
}

fn one(mut section: Section<'_>, names: &mut Names) -> Option<WatchedLog> {
    let name = pbx::name(&mut section, names);
    let zone = zone(&mut section);
    let grammar = grammar(&mut section, zone.as_ref());
    let log = rest(&mut section, grammar.as_ref().unwrap_or(&Grammar::Asterisk));
    section.finish();
    let (origin, since, count_claimed) = log?;
    Some(WatchedLog {
        name: name?,
        of: None,
        when: When::Always,
        origin,
        grammar: grammar?,
        since,
        zone: zone?,
        count_claimed,
    })
}

/// What all logs have in common.
fn rest(section: &mut Section<'_>, grammar: &Grammar) -> Option<(Origin, Option<Span>, bool)> {
    let origin = origin(section, grammar);
    let since = section.span("since", Span::from_secs(1), false);
    if let (Some(since), Some(Origin::Fifo(_) | Origin::Stdin)) = (&since, &origin) {
        let issue = Issue::error("`since` has no effect on a pipe", since.place);
        section
            .findings
            .push(issue.help("remove it: what was written into a pipe before is gone"));
    }
    let claimed = section.entry("count_claimed").map(|entry| entry.key_place);
    let count_claimed = section.flag("count_claimed").is_some_and(|flag| flag.value);
    if let (Some(place), Grammar::Filter { .. } | Grammar::Freeswitch) = (claimed, grammar) {
        let issue = Issue::error("`count_claimed` has no effect here", place);
        section
            .findings
            .push(issue.help("only Asterisk writes lines whose only address is the caller's own claim"));
    }
    Some((origin?, since.map(|since| since.value), count_claimed))
}

/// Where the lines come from: exactly one place.
fn origin(section: &mut Section<'_>, grammar: &Grammar) -> Option<Origin> {
    const KEYS: [&str; 4] = ["files", "journal", "fifo", "stdin"];
    let docker = section.flag("docker");
    let given: Vec<_> = KEYS
        .iter()
        .filter_map(|key| Some((*key, section.entry(key)?.key_place)))
        .collect();
    let (key, place) = match given.as_slice() {
        [] => {
            section.missing(
                "`files` or `journal`",
                "write `files = [\"/var/log/asterisk/messages\"]` or `journal = [\"_SYSTEMD_UNIT=asterisk.service\"]`",
            );
            return None;
        }
        [one] => *one,
        [(first, at), (second, place), ..] => {
            let issue = Issue::error(format!("a log is either `{first}` or `{second}`"), *place);
            section.findings.push(
                issue
                    .also(*at, format!("here it is `{first}`"))
                    .help("remove one; write a [[logfile]] of its own for the other"),
            );
            return None;
        }
    };
    if let Some(docker) = docker.as_ref().filter(|docker| docker.value && key != "files") {
        let issue = Issue::error(format!("`docker` has no effect on `{key}`"), docker.place);
        section
            .findings
            .push(issue.help("remove it: only docker's json files wrap the lines of containers"));
    }
    match key {
        "journal" => matches(section, grammar),
        "fifo" => section.path("fifo").map(|path| Origin::Fifo(path.value)),
        "stdin" => {
            if section.flag("stdin")?.value {
                return Some(Origin::Stdin);
            }
            let issue = Issue::error("`stdin = false` names nothing to read", place);
            section
                .findings
                .push(issue.help("remove it and name `files` or a `journal`"));
            None
        }
        _ => files(section, docker.is_some_and(|docker| docker.value)),
    }
}

fn files(section: &mut Section<'_>, docker: bool) -> Option<Origin> {
    let texts = section.texts("files")?;
    if texts.value.is_empty() {
        let issue = Issue::error("`files` is an empty list", texts.place);
        section.findings.push(issue.help("name at least one file"));
        return None;
    }
    let paths: Vec<_> = texts.value.iter().map(|text| path(section, text)).collect();
    Some(Origin::Files {
        paths: paths.into_iter().collect::<Option<_>>()?,
        docker,
    })
}

fn path(section: &Section<'_>, text: &At<String>) -> Option<PathBuf> {
    let folder = section.findings.sources.at(text.place.source());
    let path = folder
        .map_or(Path::new(""), |source| &source.folder)
        .join(&text.value);
    match Pattern::new(&path) {
        Ok(_) => Some(path),
        Err(error) => {
            section.findings.push(
                Issue::error(format!("`files`: {error}"), text.place)
                    .help("name a log file with its full path; its parts may hold * and ?"),
            );
            None
        }
    }
}

/// What entries of the journal must match; of a filter its own, where the list is empty.
fn matches(section: &mut Section<'_>, grammar: &Grammar) -> Option<Origin> {
    let texts = section.texts("journal")?;
    let mut matches = Vec::new();
    for text in &texts.value {
        if text.value.starts_with('-') || !(text.value == "+" || text.value.contains('=')) {
            let issue = Issue::error(format!("`journal`: `{}` is no match", text.value), text.place);
            section
                .findings
                .push(issue.help("write FIELD=VALUE, as on the command line of journalctl; `+` means or"));
            return None;
        }
        matches.push(text.value.clone());
    }
    if let Grammar::Filter { definition, .. } = grammar
        && matches.is_empty()
    {
        // entries of several lines are alternatives
        let lines = definition.journalmatch.join(" + ");
        matches.extend(lines.split_whitespace().map(str::to_owned));
    }
    if matches.is_empty() {
        let issue = Issue::error("`journal` would read everything", texts.place);
        section.findings.push(
            issue.help("say which entries, as in [\"_SYSTEMD_UNIT=asterisk.service\"]: every other program could forge lines"),
        );
        return None;
    }
    Some(Origin::Journal { matches })
}

/// The zone of time stamps that name none.
fn zone(section: &mut Section<'_>) -> Option<TimeZone> {
    let Some(entry) = section.entry("timezone") else {
        return Some(TimeZone::system());
    };
    let text = section.text("timezone")?;
    let zone = if text.value == "UTC" {
        Some(TimeZone::UTC)
    } else {
        TimeZone::get(&text.value).ok()
    };
    if zone.is_none() {
        let issue = Issue::error(
            format!("there is no time zone `{}`", text.value),
            entry.node.place,
        );
        section.findings.push(
            issue.help("write \"UTC\" or a name such as \"Europe/Berlin\"; it needs the package tzdata"),
        );
    }
    zone
}

/// How a `[[logfile]]` is understood.
fn grammar(section: &mut Section<'_>, zone: Option<&TimeZone>) -> Option<Grammar> {
    let format = section.entry("format").map(|entry| entry.key_place);
    let filter = section.entry("filter").map(|entry| entry.key_place);
    match (format, filter) {
        (Some(format), Some(filter)) => {
            let issue = Issue::error("a log has either a `format` or a `filter`", filter);
            section
                .findings
                .push(issue.also(format, "here is the format").help("remove one"));
            None
        }
        (Some(_), None) => {
            let formats = [("asterisk", Format::Asterisk), ("freeswitch", Format::Freeswitch)];
            Some(match section.choice("format", &formats)?.value {
                Format::Asterisk => Grammar::Asterisk,
                Format::Freeswitch => Grammar::Freeswitch,
            })
        }
        (None, Some(_)) => {
            let text = section.text("filter")?;
            compile(section, &text, zone.cloned().unwrap_or(TimeZone::UTC))
        }
        (None, None) => {
            section.missing(
                "`format` or `filter`",
                "write `format = \"asterisk\"`, or `filter = \"/etc/fail2ban/filter.d/sshd.conf\"`",
            );
            None
        }
    }
}

fn compile(section: &mut Section<'_>, text: &At<String>, zone: TimeZone) -> Option<Grammar> {
    let now = i64::try_from(Clock::start().now().as_millis()).unwrap_or_default();
    let now = jiff::Timestamp::from_millisecond(now).unwrap_or_default();
    let settings = Settings {
        this_year: now.to_zoned(zone.clone()).year(),
        zone,
        every_pattern: false,
    };
    let compiled = filter::open(&text.value, Path::new(filter::DEFAULT_FOLDER)).and_then(|definition| {
        let filter = Filter::compile(&definition, settings)?;
        Ok::<(Definition, Filter), _>((definition, filter))
    });
    match compiled {
        Ok((definition, filter)) => Some(Grammar::Filter {
            definition: Arc::new(definition),
            filter: Arc::new(filter),
        }),
        Err(error) => {
            section.findings.push(
                Issue::error(format!("`filter`: {error}"), text.place)
                    .help("`ringfence regex LOG FILTER` tries a filter on a log"),
            );
            None
        }
    }
}
