//! One way a date may look.

use std::sync::{Arc, OnceLock};

use super::field::fields;
use crate::pattern::room::Room;
use crate::pattern::{Hit, Lines, Pattern, TooHard};

/// What a template's match is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// Named fields.
    Fields,
    /// Seconds since 1970 in this group; in the long form also with milliseconds or microseconds.
    Epoch {
        /// The group.
        group: usize,
        /// Whether 13 and 16 digits are known.
        long: bool,
    },
    /// TAI64N.
    Tai64n,
}

/// A date template.
#[derive(Clone, Debug)]
pub struct Template {
    /// What it is called; no two of one detector have the same name.
    pub name: String,
    /// What its match is read as.
    pub reading: Reading,
    /// Whether it can only match at the beginning or the end of a line.
    pub anchored: bool,
    /// Whether it can only match at the beginning of a line.
    pub line_begin: bool,
    /// How much a hit of it weighs.
    pub weight: f64,
    /// Its pattern before anything was put in; `None` for the built-in ones without fields.
    pub pattern: Option<String>,
    regex: Late,
}

/// Where a template's boundary stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    Nowhere,
    Word,
    Line,
}

const EPOCH: &str = r"\d{10,11}\b(?:\.\d{3,6})?";
const LONG_EPOCH: &str = r"\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?";
const LN_BEG: &str = "{^LN-BEG}";

impl Template {
    /// The template that a line of a date pattern describes.
    ///
    /// # Errors
    /// What can't be honoured, in words.
    pub fn new(pattern: &str, this_year: i16) -> Result<Self, String> {
        let made = Self::known(pattern, this_year)?;
        made.regex.compiled().map_err(str::to_owned)?;
        Ok(made)
    }

    /// The same for a template that is known to be right: it is compiled when it is needed, which most never are.
    pub fn known(pattern: &str, this_year: i16) -> Result<Self, String> {
        if pattern.len() > LONGEST {
            return Err("is longer than 4 KiB".into());
        }
        let upper = pattern.to_uppercase();
        let key = if pattern.contains('%') { pattern } else { &upper };
        if let Some((at, long)) = embedded_epoch(&upper) {
            return Ok(Self::epoch_within(pattern, at, long));
        }
        Ok(match key {
            "{NONE}" => Self::of_fields("{UNB}^", this_year)?,
            "EPOCH" => Self::epoch(false, false),
            "LEPOCH" => Self::epoch(true, false),
            "{^LN-BEG}EPOCH" | "^EPOCH" => Self::epoch(false, true),
            "{^LN-BEG}LEPOCH" | "^LEPOCH" => Self::epoch(true, true),
            "TAI64N" => Self::build("TAI64N", "@[0-9a-f]{24}", Begin::Nowhere, true, Reading::Tai64n),
            "{^LN-BEG}TAI64N" | "^TAI64N" => {
                Self::build("TAI64N", "@[0-9a-f]{24}", Begin::Line, true, Reading::Tai64n)
            }
            _ => Self::of_fields(pattern, this_year)?,
        })
    }

    fn epoch(long: bool, line_begin: bool) -> Self {
        let name = if long { "LongEpoch" } else { "Epoch" };
        let digits = if long { LONG_EPOCH } else { EPOCH };
        let reading = Reading::Epoch { group: 1, long };
        if line_begin {
            let regex = format!(r"((?P<square>(?<=^\[))?{digits})(?(square)(?=\]))");
            return Self::build(name, &regex, Begin::Line, true, reading);
        }
        let regex = format!(
            r"((?:^|(?P<square>(?<=^\[))|(?P<selinux>(?<=\baudit\())){digits})(?:(?(selinux)(?=:\d+\)))|(?(square)(?=\])))"
        );
        Self::build(name, &regex, Begin::Nowhere, true, reading)
    }

    fn epoch_within(pattern: &str, at: usize, long: bool) -> Self {
        let digits = if long { LONG_EPOCH } else { EPOCH };
        let length = if long { "{LEPOCH}".len() } else { "{EPOCH}".len() };
        let (before, behind) = pattern.split_at_checked(at).unwrap_or((pattern, ""));
        let behind = behind.get(length..).unwrap_or_default();
        let regex = format!("({before}({digits}){behind})");
        Self::build(
            pattern,
            &regex,
            Begin::Word,
            true,
            Reading::Epoch { group: 2, long },
        )
    }

    fn of_fields(pattern: &str, this_year: i16) -> Result<Self, String> {
        let (mut inner, mut begin, mut end) = (pattern, Begin::Word, true);
        if let Some(unbound) = inner.strip_prefix("{UNB}") {
            (inner, begin, end) = (unbound, Begin::Nowhere, false);
        }
        if begin == Begin::Word
            && let Some(line) = inner.strip_prefix(LN_BEG)
        {
            (inner, begin) = (line, Begin::Line);
        }
        let (regex, name) = fields(inner, this_year)?;
        let words = ["%a", "%A", "%b", "%B", "%p"];
        let named = words.iter().any(|word| inner.replace("%%", "").contains(word));
        let regex = if named { format!("(?iu){regex}") } else { regex };
        let mut template = Self::build(&name, &regex, begin, end, Reading::Fields);
        template.pattern = Some(pattern.to_owned());
        Ok(template)
    }

    /// Puts boundaries around, and a group where there is none.
    fn build(name: &str, regex: &str, begin: Begin, end: bool, reading: Reading) -> Self {
        let (flags, mut regex) = without_flags(regex.trim());
        let bound_begin = begin != Begin::Nowhere && !begins_bound(&regex);
        let bound_end = end && !ends_bound(&regex);
        if !has_group(&regex) {
            let body = regex.strip_prefix('^').unwrap_or(&regex);
            let caret = if body.len() < regex.len() { "^" } else { "" };
            let (body, dollar) = body.strip_suffix('$').map_or((body, ""), |body| (body, "$"));
            regex = format!("{caret}({body}){dollar}");
        }
        let mut name = name.to_owned();
        let mut line_begin = false;
        if bound_begin {
            if begin == Begin::Line {
                line_begin = true;
                regex = format!(r"^(?:\W{{0,2}})?{regex}");
                if !name.starts_with(LN_BEG) {
                    name.insert_str(0, LN_BEG);
                }
            } else {
                regex = format!("{HALF}{regex}");
            }
        }
        if bound_end {
            regex.push(HALF);
        }
        line_begin |= begins_line(&regex);
        let anchored = line_begin || ends_line(&regex);
        let regex = format!("{flags}{}", without_stars(&regex));
        Self {
            name,
            reading,
            anchored,
            line_begin,
            weight: 1.0,
            pattern: None,
            regex: Late::new(regex),
        }
    }

    /// The same, but only where a line begins; `None` when it is that already.
    pub fn at_line_begin(&self, this_year: i16) -> Option<Result<Self, String>> {
        if self.name.starts_with(LN_BEG) || self.name.starts_with('^') {
            return None;
        }
        let inner = self.pattern.as_deref().unwrap_or(match self.reading {
            Reading::Tai64n => "TAI64N",
            _ => "EPOCH",
        });
        Some(Self::known(&format!("{LN_BEG}{inner}"), this_year))
    }

    /// The same inside `around`, where `{DATE}` stands for it.
    pub fn within(&self, around: &str, this_year: i16) -> Result<Self, String> {
        // Templates without fields are known by their names.
        let source = self.pattern.as_deref().unwrap_or(&self.name);
        let inner = source.strip_prefix("{UNB}").unwrap_or(source);
        let inner = inner.strip_prefix(LN_BEG).unwrap_or(inner);
        let upper = around.to_uppercase();
        let mut out = String::new();
        let mut from = 0;
        while let Some(at) = upper
            .get(from..)
            .and_then(|rest| rest.find("{DATE}"))
            .map(|at| at + from)
        {
            out.push_str(around.get(from..at).unwrap_or_default());
            if out.ends_with('\\') {
                out.push_str("{DATE}");
            } else {
                out.push_str(inner);
            }
            from = at + "{DATE}".len();
        }
        out.push_str(around.get(from..).unwrap_or_default());
        Self::new(&out, this_year)
    }

    /// Looks for the date in `line`, from byte `from` on.
    pub fn search(&self, line: &str, from: usize) -> Result<Option<Hit>, TooHard> {
        self.regex
            .compiled()
            .map_err(|_| TooHard)?
            .search_from(line, from)
    }

    /// Its groups with names.
    pub fn names(&self) -> &[(usize, String)] {
        self.regex.compiled().map_or(&[], Pattern::names)
    }
}

/// Stands for "not inside a word"; the linear engine has it as two half boundaries.
const HALF: char = '\u{1}';

/// Bytes that a compiled template may take.
const LARGEST: usize = 4 << 20;
/// Bytes that a template may be written with.
const LONGEST: usize = 4 << 10;

/// A pattern that is compiled when it is first needed; its copies share it.
#[derive(Clone, Debug)]
struct Late {
    regex: String,
    compiled: Arc<OnceLock<Result<Pattern, String>>>,
}

impl Late {
    fn new(regex: String) -> Self {
        Self {
            regex,
            compiled: Arc::default(),
        }
    }

    fn compiled(&self) -> Result<&Pattern, &str> {
        let compile =
            || Pattern::with_half_boundaries(&self.regex, HALF, Lines::One, &Room::with_largest(LARGEST));
        self.compiled
            .get_or_init(compile)
            .as_ref()
            .map_err(String::as_str)
    }
}

/// `{EPOCH}` or `{LEPOCH}` inside a pattern: where, and whether it is the long form.
fn embedded_epoch(upper: &str) -> Option<(usize, bool)> {
    [("{EPOCH}", false), ("{LEPOCH}", true)]
        .iter()
        .find_map(|(tag, long)| {
            let at = upper.find(tag)?;
            (!upper.get(..at)?.ends_with('\\')).then_some((at, *long))
        })
}

/// Global flags are taken out and put in front of everything.
fn without_flags(regex: &str) -> (String, String) {
    for (at, _) in regex.match_indices("(?") {
        let inside = regex.get(at + 2..).unwrap_or_default();
        if let Some((flags, behind)) = inside.split_once(')')
            && !flags.is_empty()
            && flags.bytes().all(|b| b.is_ascii_lowercase())
        {
            let before = regex.get(..at).unwrap_or_default();
            return (format!("(?{flags})"), format!("{before}{behind}"));
        }
    }
    (String::new(), regex.to_owned())
}

/// Whether it begins with `^`, `(^`, `(?:^` or `**`, so that no boundary is wanted there.
fn begins_bound(regex: &str) -> bool {
    let inner = regex.trim_start_matches('(');
    let opened = inner.len() < regex.len();
    inner.starts_with(['^']) || inner.starts_with("**") || (opened && inner.starts_with("?:^"))
}

fn ends_bound(regex: &str) -> bool {
    let inner = regex.strip_suffix(')').unwrap_or(regex);
    let of = |end: &str, text: &str| {
        text.strip_suffix(end)
            .is_some_and(|before| !before.ends_with('\\'))
    };
    of("$", inner) || of(r"\b", regex) || of(r"\s", regex) || of("**", regex.trim_end_matches(')'))
}

fn begins_line(regex: &str) -> bool {
    let inner = regex
        .strip_prefix('(')
        .map(|inner| inner.strip_prefix("?:").unwrap_or(inner));
    let bound = inner
        .and_then(|inner| inner.strip_prefix('^'))
        .is_some_and(|rest| !rest.starts_with('|'));
    regex.starts_with('^') || bound
}

fn ends_line(regex: &str) -> bool {
    let inner = regex.strip_suffix(')').unwrap_or(regex);
    inner
        .strip_suffix('$')
        .is_some_and(|before| !before.ends_with(['\\', '|']))
}

fn without_stars(regex: &str) -> String {
    let opening = regex.len() - regex.trim_start_matches('(').len();
    let (groups, body) = regex.split_at(opening);
    let body = body.strip_prefix("**").unwrap_or(body);
    let inner = body.trim_end_matches(')');
    let closing = body.get(inner.len()..).unwrap_or_default();
    let inner = match inner.strip_suffix("**") {
        Some(before) if !before.ends_with('\\') => before,
        _ => inner,
    };
    format!("{groups}{inner}{closing}")
}

/// Whether it has a group without a name: an unescaped `(` with no `?` behind it.
fn has_group(regex: &str) -> bool {
    let bytes = regex.as_bytes();
    (0..bytes.len()).any(|at| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        let conditional = at >= 2 && bytes.get(at - 2..at) == Some(b"(?");
        bytes.get(at) == Some(&b'(')
            && bytes.get(at + 1) != Some(&b'?')
            && before != Some(&b'\\')
            && !conditional
    })
}
