//! Reads one table of the configuration key by key, and complains about each value that does not fit.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use ringfence_event::Span;

use super::duration::{self, parse_span};
use super::findings::{Findings, Issue};
use super::mask::may_hold_secret;
use super::place::{At, Place};
use super::tree::{Entry, Node, Table, Value, variable_list};

/// A table whose keys are read one after the other; [`Section::finish`] complains about those that nobody asked for.
pub(super) struct Section<'a> {
    pub(super) findings: &'a Findings<'a>,
    table: &'a Table,
    /// As it is written: `[jail.auth]`; empty at the top.
    title: String,
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) fn new(findings: &'a Findings<'a>, table: &'a Table, title: impl Into<String>) -> Self {
        Self {
            findings,
            table,
            title: title.into(),
            known: Vec::new(),
        }
    }

    /// Where it begins.
    pub(super) fn place(&self) -> Place {
        self.table.place
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Whether a key is there, without reading it.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.find(key).is_some()
    }

    /// The key with its value, if it is there.
    pub(super) fn entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.table.find(key)
    }

    pub(super) fn text(&mut self, key: &'static str) -> Option<At<String>> {
        let node = &self.entry(key)?.node;
        match &node.value {
            Value::Text(text) | Value::Variable(text) => Some(At {
                value: text.clone(),
                place: node.place,
            }),
            other => self.wrong(key, node.place, other, "a string"),
        }
    }

    /// A text that must be there.
    pub(super) fn required(&mut self, key: &'static str, help: &str) -> Option<At<String>> {
        if self.entry(key).is_none() {
            self.missing(&format!("`{key}`"), help);
            return None;
        }
        let text = self.text(key)?;
        if text.value.is_empty() {
            self.findings
                .push(Issue::error(format!("`{key}` is empty"), text.place).help(help));
            return None;
        }
        Some(text)
    }

    /// Complains that something is not there.
    pub(super) fn missing(&self, what: &str, help: &str) {
        let message = format!("{} lacks {what}", self.title);
        self.findings
            .push(Issue::missing(message, self.table.place).help(help));
    }

    /// A path; a relative one starts at the folder of the file it stands in.
    pub(super) fn path(&mut self, key: &'static str) -> Option<At<PathBuf>> {
        let text = self.text(key)?;
        if text.value.is_empty() || text.value.contains('\0') {
            let message = format!("`{key}` is no path");
            self.findings
                .push(Issue::error(message, text.place).help("name a file, best with its full path"));
            return None;
        }
        let folder = self
            .findings
            .sources
            .at(text.place.source())
            .map(|source| source.folder.clone());
        Some(At {
            value: folder.unwrap_or_default().join(text.value),
            place: text.place,
        })
    }

    pub(super) fn flag(&mut self, key: &'static str) -> Option<At<bool>> {
        let node = &self.entry(key)?.node;
        let value = match &node.value {
            Value::Flag(flag) => *flag,
            Value::Variable(text) => match text.as_str() {
                "true" | "yes" | "on" | "1" => true,
                "false" | "no" | "off" | "0" => false,
                _ => return self.wrong(key, node.place, &node.value, "true or false"),
            },
            Value::Text(text) if text == "true" || text == "false" => {
                let message = format!("`{key}` must be true or false, not a string");
                let issue = Issue::error(message, node.place);
                self.findings
                    .push(issue.help(format!("write `{key} = {text}` without quotes")));
                return None;
            }
            other => return self.wrong(key, node.place, other, "true or false"),
        };
        Some(At {
            value,
            place: node.place,
        })
    }

    pub(super) fn number(&mut self, key: &'static str, allowed: RangeInclusive<u64>) -> Option<At<u64>> {
        let node = &self.entry(key)?.node;
        let value = match &node.value {
            Value::Integer(number) => number.and_then(|number| u64::try_from(number).ok()),
            Value::Variable(text) if is_number(text) => text.parse().ok(),
            Value::Text(text) if is_number(text) => {
                let message = format!("`{key}` must be an integer, not a string");
                let issue = Issue::error(message, node.place);
                self.findings
                    .push(issue.help(format!("write `{key} = {text}` without quotes")));
                return None;
            }
            other => return self.wrong(key, node.place, other, "an integer"),
        };
        if let Some(value) = value.filter(|value| allowed.contains(value)) {
            return Some(At {
                value,
                place: node.place,
            });
        }
        let message = format!("`{key}` is out of range");
        let help = format!("allowed are {} to {}", allowed.start(), allowed.end());
        self.findings.push(Issue::error(message, node.place).help(help));
        None
    }

    /// A length of time of at least `least`; without end only where `endless` makes sense.
    pub(super) fn span(&mut self, key: &'static str, least: Span, endless: bool) -> Option<At<Span>> {
        let node = &self.entry(key)?.node;
        let text = match &node.value {
            Value::Integer(Some(number)) => number.to_string(),
            Value::Integer(None) => {
                let message = format!("`{key}` is too long: 100 years is the longest");
                self.findings
                    .push(Issue::error(message, node.place).help(duration::FORMS));
                return None;
            }
            Value::Text(text) | Value::Variable(text) => text.clone(),
            other => return self.wrong(key, node.place, other, "a length of time"),
        };
        let complaint = match parse_span(&text) {
            Err(error) => Issue::error(format!("`{key}`: {error}"), node.place).help(duration::FORMS),
            Ok(Span::FOREVER) if !endless => {
                Issue::error(format!("`{key}` must end"), node.place).help(duration::FORMS)
            }
            Ok(span) if span < least => {
                let message = if span == Span::ZERO {
                    format!("`{key}` is zero")
                } else {
                    format!("`{key}` is too short")
                };
                Issue::error(message, node.place).help(format!("the shortest that makes sense is {least}"))
            }
            Ok(span) => {
                return Some(At {
                    value: span,
                    place: node.place,
                });
            }
        };
        self.findings.push(complaint);
        None
    }

    /// One of several words.
    pub(super) fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&str, T)]) -> Option<At<T>> {
        let text = self.text(key)?;
        self.chosen(&text, &format!("`{key}`"), choices)
    }

    /// A list of words, at least one, none twice.
    pub(super) fn choices<T: Copy>(
        &mut self,
        key: &'static str,
        choices: &[(&str, T)],
    ) -> Option<Vec<At<T>>> {
        let list = self.texts(key)?;
        if list.value.is_empty() {
            let message = format!("`{key}` is an empty list");
            let names = words(choices.iter().map(|(name, _)| *name));
            self.findings
                .push(Issue::error(message, list.place).help(format!("allowed here: {names}")));
            return None;
        }
        let singular = format!("`{key}`");
        let chosen: Vec<_> = list
            .value
            .iter()
            .map(|text| self.chosen(text, &singular, choices))
            .collect();
        chosen.into_iter().collect()
    }

    fn chosen<T: Copy>(&self, text: &At<String>, what: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == text.value) {
            return Some(At {
                value: *value,
                place: text.place,
            });
        }
        let mut issue = Issue::error(format!("{what}: `{}` is not known", text.value), text.place);
        if let Some(near) = nearest(&text.value, choices.iter().map(|(name, _)| *name)) {
            issue = issue.help(format!("did you mean `{near}`?"));
        }
        let names = words(choices.iter().map(|(name, _)| *name));
        self.findings.push(issue.help(format!("allowed here: {names}")));
        None
    }

    /// A list of texts; each that is none is complained about.
    pub(super) fn texts(&mut self, key: &'static str) -> Option<At<Vec<At<String>>>> {
        let node = &self.entry(key)?.node;
        let variable;
        let items = match &node.value {
            Value::List(items) => items,
            Value::Variable(_) => {
                variable = variable_list(node);
                &variable
            }
            Value::Text(text) => {
                let values: Vec<&str> = text.split([',', ' ']).filter(|part| !part.is_empty()).collect();
                let message = format!("`{key}` must be a list of strings, not a string");
                let help = format!("write `{key} = {values:?}`");
                self.findings.push(Issue::error(message, node.place).help(help));
                return None;
            }
            other => return self.wrong(key, node.place, other, "a list of strings"),
        };
        let texts = items
            .iter()
            .filter_map(|item| self.item_text(key, item))
            .collect();
        Some(At {
            value: texts,
            place: node.place,
        })
    }

    fn item_text(&self, key: &str, item: &Node) -> Option<At<String>> {
        match &item.value {
            Value::Text(text) | Value::Variable(text) => Some(At {
                value: text.clone(),
                place: item.place,
            }),
            other => self.wrong(&format!("each entry of `{key}`"), item.place, other, "a string"),
        }
    }

    /// A table below this one.
    pub(super) fn table(&mut self, key: &'static str) -> Option<Section<'a>> {
        let node = &self.entry(key)?.node;
        match &node.value {
            Value::Table(table) => Some(Section::new(self.findings, table, format!("[{key}]"))),
            other => {
                let message = format!("`{key}` must be a table, not {}", other.kind());
                self.findings.push(
                    Issue::error(message, node.place).help(format!("write `[{key}]` and its keys below")),
                );
                None
            }
        }
    }

    /// The tables below this one, whatever they are called: `[jail.NAME]`.
    pub(super) fn tables(&self) -> Vec<(&'a Entry, Section<'a>)> {
        let mut tables = Vec::new();
        for entry in &self.table.entries {
            let title = format!("[{}.{}]", self.title.trim_matches(['[', ']']), entry.key);
            match &entry.node.value {
                Value::Table(table) => tables.push((entry, Section::new(self.findings, table, title))),
                other => {
                    let message = format!(
                        "`{}` in {} must be a table, not {}",
                        entry.key,
                        self.title,
                        other.kind()
                    );
                    self.findings
                        .push(Issue::error(message, entry.key_place).help(format!("write `{title}`")));
                }
            }
        }
        tables
    }

    /// Complains about every key that nobody asked for.
    pub(super) fn finish(self) {
        for entry in &self.table.entries {
            if self.known.contains(&entry.key.as_str()) {
                continue;
            }
            if matches!(entry.node.value, Value::Text(_) | Value::Variable(_)) || may_hold_secret(&entry.key)
            {
                self.findings.hide(entry.node.place);
            }
            let at = if self.title.is_empty() {
                String::new()
            } else {
                format!(" in {}", self.title)
            };
            let mut issue = Issue::error(format!("unknown key `{}`{at}", entry.key), entry.key_place);
            let holds_secret = may_hold_secret(&entry.key) && self.known.contains(&"secret");
            let near = nearest(&entry.key, self.known.iter().copied());
            if let Some(near) = near.or(holds_secret.then_some("secret")) {
                issue = issue.help(format!("did you mean `{near}`?"));
            }
            self.findings
                .push(issue.help(format!("allowed here: {}", words(self.known.iter().copied()))));
        }
    }

    fn wrong<T>(&self, key: &str, place: Place, found: &Value, wanted: &str) -> Option<T> {
        let key = if key.contains('`') {
            key.to_owned()
        } else {
            format!("`{key}`")
        };
        let message = match found {
            Value::Variable(_) => format!("{key} must be {wanted}"),
            other => format!("{key} must be {wanted}, not {}", other.kind()),
        };
        let mut issue = Issue::error(message, place);
        if wanted == "a length of time" {
            issue = issue.help(duration::FORMS);
        }
        self.findings.push(issue);
        None
    }
}

/// The allowed word that is nearest to what was written, if any is near.
pub(super) fn nearest<'w>(written: &str, allowed: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let written = written.to_ascii_lowercase();
    allowed
        .map(|word| (strsim::normalized_damerau_levenshtein(&written, word), word))
        .filter(|(likeness, _)| *likeness >= 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, word)| word)
}

/// Words as a list in a sentence.
pub(super) fn words<'w>(words: impl Iterator<Item = &'w str>) -> String {
    words
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.len() < 20 && text.bytes().all(|byte| byte.is_ascii_digit())
}
