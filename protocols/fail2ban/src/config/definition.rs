//! What the merged files of a filter define, after everything was put in.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::ini::{Ini, Value};
use super::interpolate::{self, Budget, Given};
use super::layers::{self, Files, Merged};
use super::{LoadError, tags};

/// Whether `<HOST>` may be a name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UseDns {
    /// Only addresses count: what `usedns = no` means, and the default here.
    #[default]
    No,
    /// `<HOST>` also matches names, which are reported and never resolved: `usedns = yes`, `warn` or `raw`.
    Names,
}

/// A text and where the option it comes from begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// The file; empty when it was given by hand.
    pub file: PathBuf,
    /// The line, from 1; 0 when it was given by hand.
    pub line: u32,
}

impl Written {
    /// A text that was given by hand.
    pub fn given(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            file: PathBuf::new(),
            line: 0,
        }
    }
}

/// A filter, not compiled yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// What a line must match before anything else.
    pub prefregex: Option<Written>,
    /// The patterns of failures, in order.
    pub failregex: Vec<Written>,
    /// The patterns of lines that count for nothing.
    pub ignoreregex: Vec<Written>,
    /// How dates look, one a line; `None` for fail2ban's default.
    pub datepattern: Option<Written>,
    /// Lines that a pattern may span; 1 unless the filter says more.
    pub maxlines: Option<usize>,
    /// Whether names count.
    pub usedns: Option<UseDns>,
    /// What to ask the journal for, one entry a line.
    pub journalmatch: Vec<String>,
    /// The files it came from.
    pub files: Vec<PathBuf>,
}

/// Lines that a filter may ask to buffer.
const MOST_LINES: usize = 1000;
/// The options that make a filter.
const OPTIONS: [&str; 7] = [
    "usedns",
    "prefregex",
    "ignoreregex",
    "failregex",
    "maxlines",
    "datepattern",
    "journalmatch",
];

/// Loads the filter whose files begin with `base`, such as `/etc/fail2ban/filter.d/sshd`, with all its overrides.
pub fn load(files: &dyn Files, base: &Path, given: &Given) -> Result<Definition, LoadError> {
    define(&layers::read_with_overrides(files, base)?, base, given)
}

/// Loads the filter in just this file, with its `.local` and what they include.
pub fn load_file(files: &dyn Files, file: &Path, given: &Given) -> Result<Definition, LoadError> {
    define(&layers::read_explicit(files, file)?, file, given)
}

fn define(merged: &Merged, base: &Path, given: &Given) -> Result<Definition, LoadError> {
    let ini = &merged.ini;
    let Some(file) = merged.files.first() else {
        return Err(LoadError::Missing(base.to_owned()));
    };
    let Some(section) = ini.sections.get("Definition") else {
        return Err(LoadError::at(file, 0, "has no section [Definition]"));
    };
    let mut given = given.clone();
    if !section.contains_key("logtype") {
        given.entry("logtype".into()).or_insert_with(|| "file".into());
    }
    let budget = Budget::default();
    let (mut options, origins) = collect(ini, &given, &budget)?;
    let elsewhere = |name: &str| elsewhere(merged, name, &given, &budget);
    tags::substitute(&mut options, &elsewhere, &budget).map_err(|(option, what)| {
        let origin = origins.get(option.as_str());
        match origin {
            Some(value) => LoadError::at(&value.file, value.line, &what),
            None => LoadError::at(file, 0, &format!("{option} {what}")),
        }
    })?;
    let written = |option: &str, text: &str| match origins.get(option) {
        Some(value) if !given.contains_key(option) => Written {
            text: text.to_owned(),
            file: value.file.to_path_buf(),
            line: value.line,
        },
        _ => Written::given(text),
    };
    let lines = |option: &str| -> Vec<Written> {
        let text = options.get(option).map(String::as_str).unwrap_or_default();
        let filled = text.split('\n').filter(|line| !line.is_empty());
        filled.map(|line| written(option, line)).collect()
    };
    let one = |option: &str| {
        let text = options.get(option).filter(|text| !text.trim().is_empty());
        text.map(|text| written(option, text))
    };
    let wrong = |option: &str, what: String| {
        let place = written(option, "");
        LoadError::at(&place.file, place.line, &what)
    };
    let maxlines = match one("maxlines") {
        None => None,
        Some(written) => match written.text.trim().parse::<usize>() {
            Ok(lines @ 1..=MOST_LINES) => Some(lines),
            _ => {
                return Err(wrong(
                    "maxlines",
                    format!("has maxlines {:?}: it is 1 to 1000", written.text),
                ));
            }
        },
    };
    let usedns = match one("usedns").map(|written| written.text.to_lowercase()) {
        None => None,
        Some(word) => match word.as_str() {
            "no" | "false" => Some(UseDns::No),
            "yes" | "true" | "warn" | "raw" => Some(UseDns::Names),
            _ => {
                return Err(wrong(
                    "usedns",
                    format!("has usedns {word:?}: it is yes, warn, no or raw"),
                ));
            }
        },
    };
    Ok(Definition {
        prefregex: one("prefregex"),
        failregex: lines("failregex"),
        ignoreregex: lines("ignoreregex"),
        datepattern: one("datepattern"),
        maxlines,
        usedns,
        journalmatch: lines("journalmatch")
            .into_iter()
            .map(|written| written.text)
            .collect(),
        files: merged.files.clone(),
    })
}

/// The options of a filter by name, and where those that make it were written.
type Collected = (BTreeMap<String, String>, BTreeMap<&'static str, Value>);

/// Reads the options of `[Definition]` that make a filter, then `[Init]`; what was given goes before both.
fn collect(ini: &Ini, given: &Given, budget: &Budget) -> Result<Collected, LoadError> {
    let mut origins: BTreeMap<&'static str, Value> = BTreeMap::new();
    let mut options: BTreeMap<String, String> = BTreeMap::new();
    for option in OPTIONS {
        if let Some(value) = interpolate::value(ini, "Definition", option, given, budget)? {
            options.insert(option.into(), value.text.clone());
            origins.insert(option, value);
        }
    }
    options.extend(given.clone());
    let own = ini
        .sections
        .get("Init")
        .map(|init| init.keys().cloned().collect::<Vec<_>>());
    for option in own.unwrap_or_default() {
        let Some(value) = interpolate::value(ini, "Init", &option, &Given::new(), budget)? else {
            continue;
        };
        if !option.starts_with("known/") {
            options.insert(format!("known/{option}"), value.text.clone());
        }
        if !given.contains_key(&option) {
            options.insert(option.clone(), value.text.clone());
            if let Some(name) = OPTIONS.iter().find(|name| **name == option) {
                origins.insert(name, value);
            }
        }
    }
    Ok((options, origins))
}

/// What `<name>` or `<section/name>` is, where it is no option of the filter proper.
fn elsewhere(merged: &Merged, name: &str, given: &Given, budget: &Budget) -> Option<String> {
    let get = |section: &str, option: &str, given: &Given| {
        let found = interpolate::value(&merged.ini, section, option, given, budget);
        found.ok().flatten().map(|value| value.text)
    };
    if let Some((section, option)) = name.split_once('/') {
        let found = match section.to_lowercase().as_str() {
            "known" => get("KNOWN/Definition", option, &Given::new())
                .or_else(|| get("Definition", option, &Given::new())),
            "default" => get("DEFAULT", option, &Given::new()),
            _ => get(section, option, &Given::new()),
        };
        if found.is_some() {
            return found;
        }
    }
    get("Definition", name, given)
}
