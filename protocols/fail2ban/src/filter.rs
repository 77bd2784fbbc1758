//! A filter, compiled and ready to judge lines.

use jiff::tz::TimeZone;

use crate::config::{Definition, LoadError, UseDns, Written};
use crate::date::Detector;
use crate::pattern::expand::expand;
use crate::pattern::room::Room;
use crate::pattern::{LONGEST, Lines, Pattern};
use crate::prefix::Beginning;

/// What a filter doesn't say itself.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The zone of dates that name none.
    pub zone: TimeZone,
    /// The year it is, for dates without one.
    pub this_year: i16,
    /// Tries every pattern on every line, as `fail2ban-regex` does, instead of stopping at the first that matches.
    pub every_pattern: bool,
}

/// A pattern of a filter.
#[derive(Clone, Debug)]
pub struct Rule {
    /// As it was written, after the filter's options were put in.
    pub written: Written,
    /// With fail2ban's tags replaced, still in Python's syntax.
    pub expanded: String,
    pub(crate) pattern: Pattern,
}

impl Rule {
    /// Whether its search takes time linear in the line, whatever the line; the others give up after a number of steps.
    pub fn is_linear(&self) -> bool {
        self.pattern.is_linear()
    }
}

/// A compiled filter.
#[derive(Clone, Debug)]
pub struct Filter {
    /// What a line must match first.
    pub prefix: Option<Rule>,
    /// The patterns of failures, in order.
    pub fail: Vec<Rule>,
    /// The patterns of what counts for nothing.
    pub ignore: Vec<Rule>,
    /// Lines that a pattern may span.
    pub maxlines: usize,
    pub(crate) beginning: Option<Beginning>,
    pub(crate) dates: Detector,
    pub(crate) settings: Settings,
}

/// Groups that say whom a pattern is about.
const WHO: [&str; 5] = ["fid", "ip4", "ip6", "dns", "mlfid"];
/// Patterns that a filter may have.
const MOST_PATTERNS: usize = 1000;

impl Filter {
    /// Compiles what `definition` says.
    ///
    /// An error names the place the pattern was written at and what in it can't be honoured.
    pub fn compile(definition: &Definition, settings: Settings) -> Result<Self, LoadError> {
        let usedns = definition.usedns.unwrap_or_default();
        let maxlines = definition.maxlines.unwrap_or(1);
        let (whole, each) = if maxlines > 1 {
            (Lines::Whole, Lines::Each)
        } else {
            (Lines::One, Lines::One)
        };
        if definition.failregex.len() + definition.ignoreregex.len() > MOST_PATTERNS {
            return Err(LoadError::Given("more than 1000 patterns".into()));
        }
        if definition.failregex.is_empty() {
            let file = definition.files.last().cloned().unwrap_or_default();
            return Err(LoadError::at(&file, 0, "defines no failregex"));
        }
        let room = Room::default();
        let prefix = definition.prefregex.as_ref();
        let prefix = prefix
            .map(|written| rule(written, usedns, whole, "prefregex", &room))
            .transpose()?;
        let beginning = prefix
            .as_ref()
            .and_then(|rule| Beginning::of(&rule.expanded, &rule.pattern, whole, &room));
        let mut fail = Vec::new();
        for written in &definition.failregex {
            let made = rule(written, usedns, each, "failregex", &room)?;
            let says_who = |rule: &Rule| {
                let names = rule.pattern.names();
                names.iter().any(|(_, name)| WHO.contains(&name.as_str()))
            };
            if !says_who(&made) && !prefix.as_ref().is_some_and(says_who) {
                let what = format!(
                    "failregex {:?} says of nobody: it needs <HOST>, <ADDR>, <F-ID>…</F-ID> or the like",
                    written.text
                );
                return Err(LoadError::at(&written.file, written.line, &what));
            }
            fail.push(made);
        }
        let ignore = definition.ignoreregex.iter();
        let ignore = ignore.map(|written| rule(written, usedns, whole, "ignoreregex", &room));
        let datepattern = definition.datepattern.as_ref();
        let dates = Detector::new(
            datepattern.map(|written| written.text.as_str()),
            settings.this_year,
        );
        let dates = dates.map_err(|what| match datepattern {
            Some(written) => LoadError::at(&written.file, written.line, &what),
            None => LoadError::Given(what),
        })?;
        Ok(Self {
            ignore: ignore.collect::<Result<_, _>>()?,
            prefix,
            beginning,
            fail,
            maxlines,
            dates,
            settings,
        })
    }
}

fn rule(
    written: &Written,
    usedns: UseDns,
    lines: Lines,
    option: &str,
    room: &Room,
) -> Result<Rule, LoadError> {
    let wrong = |what: &str| {
        // enough of it to find it
        let text: String = written.text.chars().take(500).collect();
        LoadError::at(&written.file, written.line, &format!("{option} {text:?} {what}"))
    };
    if written.text.len() > LONGEST {
        return Err(wrong("is longer than 64 KiB"));
    }
    let expanded = expand(&written.text, usedns);
    if expanded.trim_start().is_empty() {
        return Err(wrong("is empty"));
    }
    let pattern = Pattern::new(&expanded, lines, room).map_err(|what| wrong(&what))?;
    Ok(Rule {
        written: written.clone(),
        expanded,
        pattern,
    })
}
