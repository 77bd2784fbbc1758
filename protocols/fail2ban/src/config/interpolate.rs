//! `%(name)s` inside values: from the options given, the section, `[DEFAULT]`, another section or what a file replaced.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::LoadError;
use super::ini::{Ini, Section, Value};

/// How deep values may refer to each other, as in Python's parser.
const DEEPEST: usize = 10;
/// Bytes that a value may grow to.
pub const LONGEST: usize = 256 * 1024;

/// Bytes that all values of a filter may take, and that may be moved, while they are put into each other.
const ALL: usize = 32 << 20;
/// What looking up a name counts as, in bytes.
const NAME: usize = 64;

/// How much may still be put into each other: nothing grows or goes on for ever.
#[derive(Debug)]
pub struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(ALL))
    }
}

impl Budget {
    /// Pays for a name that becomes `bytes`.
    pub fn spend(&self, bytes: usize) -> Result<(), String> {
        let left = self.0.get().checked_sub(bytes.saturating_add(NAME));
        self.0.set(left.unwrap_or(0));
        left.map(|_| ())
            .ok_or_else(|| "and others grow beyond 32 MiB when its values are put in".into())
    }
}

/// Options given beside the name of a filter; they go before what the files say.
pub type Given = BTreeMap<String, String>;

/// The value of `option` in `section`, interpolated; `None` when nobody sets it.
pub fn value(
    ini: &Ini,
    section: &str,
    option: &str,
    given: &Given,
    budget: &Budget,
) -> Result<Option<Value>, LoadError> {
    let empty = Section::new();
    let known = ini.sections.get(section);
    if known.is_none() && section != "DEFAULT" {
        return Ok(None);
    }
    let scope = Scope {
        ini,
        section,
        options: known.unwrap_or(&empty),
        given,
        budget,
    };
    let option = option.to_lowercase();
    let origin = scope.options.get(&option).or_else(|| ini.defaults.get(&option));
    let Some(text) = scope.raw(&option) else {
        return Ok(None);
    };
    let mut out = String::new();
    let fail = |what: String| match origin {
        Some(value) => LoadError::at(&value.file, value.line, &what),
        None => LoadError::Given(what),
    };
    scope.expand(text, &mut out, 1).map_err(fail)?;
    Ok(Some(match origin {
        Some(value) => Value {
            text: out,
            ..value.clone()
        },
        None => Value {
            text: out,
            file: std::path::Path::new("").into(),
            line: 0,
        },
    }))
}

struct Scope<'a> {
    ini: &'a Ini,
    section: &'a str,
    options: &'a Section,
    given: &'a Given,
    budget: &'a Budget,
}

impl<'a> Scope<'a> {
    fn raw(&self, option: &str) -> Option<&'a str> {
        let of = |section: &'a Section| section.get(option).map(|value| value.text.as_str());
        self.given
            .get(option)
            .map(String::as_str)
            .or_else(|| of(self.options))
            .or_else(|| of(&self.ini.defaults))
    }

    /// What `%(name)s` stands for: also `known/x` and `section/x`, both with `[DEFAULT]` behind them.
    fn named(&self, name: &'a str) -> Option<&'a str> {
        if name == "__name__" {
            return Some(self.section);
        }
        if let Some(found) = self.raw(&name.to_lowercase()) {
            return Some(found);
        }
        let (section, option) = name.split_once('/')?;
        let option = option.to_lowercase();
        let other = if section.eq_ignore_ascii_case("default") {
            None
        } else if section.eq_ignore_ascii_case("known") {
            self.ini.sections.get(&format!("KNOWN/{}", self.section))
        } else {
            Some(self.ini.sections.get(section)?)
        };
        let found = other.and_then(|section| section.get(&option));
        found
            .or_else(|| self.ini.defaults.get(&option))
            .map(|value| value.text.as_str())
    }

    fn expand(&self, text: &'a str, out: &mut String, depth: usize) -> Result<(), String> {
        if depth > DEEPEST {
            return Err("has values that refer to each other more than 10 deep".into());
        }
        self.budget.spend(text.len())?;
        let mut rest = text;
        while let Some((plain, behind)) = rest.split_once('%') {
            out.push_str(plain);
            if let Some(after) = behind.strip_prefix('%') {
                out.push('%');
                rest = after;
                continue;
            }
            let named = behind
                .strip_prefix('(')
                .and_then(|inside| inside.split_once(")s"));
            let Some((name, after)) = named else {
                return Err("has a single '%': write '%%', or '%(name)s' for a value".into());
            };
            let Some(found) = self.named(name) else {
                return Err(format!("refers to %({name})s, which nothing sets"));
            };
            self.expand(found, out, depth + 1)?;
            if out.len() > LONGEST {
                return Err("grows beyond 256 KiB when its values are put in".into());
            }
            rest = after;
        }
        out.push_str(rest);
        Ok(())
    }
}
