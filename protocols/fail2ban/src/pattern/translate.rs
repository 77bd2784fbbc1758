//! Python's syntax of regular expressions, translated.
//!
//! The same pattern comes out twice: exactly, and loosely as one that a linear engine can run and that matches
//! wherever the exact one does (look-around dropped, a reference to a group matching anything). The loose one keeps the
//! backtracking engine away from lines that can't match.

use super::class::{Class, class, escaped};

/// How `$` and `^` are meant, and what is known beforehand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lines {
    /// One line with at most one line feed, at its end.
    One,
    /// Several lines; `^` and `$` mean the beginning and the end of all.
    Whole,
    /// Several lines; `^` and `$` mean each line (Python's MULTILINE).
    Each,
}

/// A pattern in the syntax of the engines here.
#[derive(Clone, Debug)]
pub struct Translated {
    /// What it means, exactly.
    pub exact: String,
    /// Whether the linear engine can run `exact`.
    pub linear: bool,
    /// What matches at least as often, for the linear engine.
    pub loose: String,
    /// All parts of `exact` without what joins them: as large when it is compiled, and the linear engine can compile it.
    pub flat: String,
}

/// Bytes that an expanded pattern may have.
pub const LONGEST: usize = 64 * 1024;
/// A place that is not inside a word.
const HALF: &str = r"(?:\b{start-half}|\b{end-half})";
/// Groups in groups.
const DEEPEST: usize = 120;

/// Translates `pattern`.
///
/// The character `half`, where one is given, stands for a place that is not inside a word.
///
/// # Errors
/// What can't be honoured, in words.
pub fn translate(pattern: &str, lines: Lines, half: Option<char>) -> Result<Translated, String> {
    if pattern.len() > LONGEST {
        return Err("is longer than 64 KiB".into());
    }
    let mut walk = Walk {
        rest: pattern.chars().collect(),
        at: 0,
        exact: String::with_capacity(pattern.len() * 2),
        loose: String::with_capacity(pattern.len() * 2),
        flat: String::new(),
        linear: true,
        hidden: 0,
        open: Vec::new(),
        repeats: (0, 1),
        each: lines == Lines::Each,
        lines,
        half,
        ascii: false,
        verbose: false,
        global: String::new(),
    };
    walk.global_flags()?;
    walk.all()?;
    if let Some(_unclosed) = walk.open.pop() {
        return Err("has a group that is not closed".into());
    }
    let outside = |text: &str, means: &str| match half {
        Some(half) => text.replace(half, means),
        None => text.to_owned(),
    };
    let exact = outside(
        &walk.exact,
        if walk.linear { HALF } else { r"(?:\A|\z|\b|(?=\W))" },
    );
    let loose = outside(&walk.loose, HALF);
    let flat = outside(&walk.flat, HALF);
    let flags = |text: String| match walk.global.as_str() {
        "" => text,
        flags => format!("(?{flags}){text}"),
    };
    Ok(Translated {
        exact: flags(exact),
        linear: walk.linear,
        loose: flags(loose),
        flat: flags(flat),
    })
}

/// A group that is open.
pub(super) struct Open {
    /// Whether the loose pattern leaves it out.
    hidden: bool,
    /// A condition, and whether its second branch has begun.
    condition: Option<bool>,
    /// The flags to go back to.
    each: bool,
    ascii: bool,
    verbose: bool,
    /// How often what is in it is repeated by counts, at most.
    pub(super) repeats: u64,
}

pub(super) struct Walk {
    pub(super) rest: Vec<char>,
    pub(super) at: usize,
    exact: String,
    loose: String,
    flat: String,
    linear: bool,
    /// Groups around this place that the loose pattern leaves out.
    hidden: usize,
    pub(super) open: Vec<Open>,
    /// Where the latest group or quantifier ended, and how often what is in it is repeated by counts.
    pub(super) repeats: (usize, u64),
    pub(super) each: bool,
    lines: Lines,
    half: Option<char>,
    pub(super) ascii: bool,
    pub(super) verbose: bool,
    pub(super) global: String,
}

impl Walk {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn starts(&self, text: &str) -> bool {
        text.chars().enumerate().all(|(n, c)| self.peek(n) == Some(c))
    }

    fn until(&mut self, end: char) -> Result<String, String> {
        let mut text = String::new();
        while let Some(c) = self.peek(0) {
            self.at += 1;
            if c == end {
                return Ok(text);
            }
            text.push(c);
        }
        Err(format!("has no {end:?} where one is needed"))
    }

    fn emit(&mut self, text: &str) {
        self.exact.push_str(text);
        self.emit_loose(text);
    }

    fn emit_loose(&mut self, text: &str) {
        self.flat.push_str(text);
        if self.hidden == 0 {
            self.loose.push_str(text);
        }
    }

    fn all(&mut self) -> Result<(), String> {
        while let Some(c) = self.peek(0) {
            match c {
                '(' => self.group()?,
                ')' => {
                    self.at += 1;
                    self.close()?;
                }
                '[' => {
                    let (text, length) = class(self.rest.get(self.at..).unwrap_or_default(), self.ascii)?;
                    self.at += length;
                    self.emit(&text);
                }
                '\\' => self.escape()?,
                '|' => {
                    self.at += 1;
                    if let Some(Open {
                        condition: Some(second),
                        ..
                    }) = self.open.last_mut()
                    {
                        *second = true;
                    }
                    self.emit("|");
                }
                '^' => {
                    self.at += 1;
                    self.emit(if self.each { "(?m:^)" } else { r"\A" });
                }
                '$' => {
                    self.at += 1;
                    let whole = self.lines == Lines::Whole && !self.each;
                    self.emit(if whole { r"(?:\n?\z)" } else { "(?m:$)" });
                }
                '*' | '+' | '?' => {
                    self.at += 1;
                    let end = self.repeats.0 == self.at - 1;
                    self.quantifier(&c.to_string());
                    if end {
                        self.repeats.0 = self.at;
                    }
                }
                '{' => self.brace()?,
                '#' if self.verbose => {
                    while self.peek(0).is_some_and(|c| c != '\n') {
                        self.pass(1);
                    }
                }
                c if self.verbose && c.is_whitespace() => self.pass(1),
                '.' => {
                    self.at += 1;
                    self.emit(".");
                }
                c if self.half == Some(c) => {
                    self.at += 1;
                    self.emit(&c.to_string());
                }
                c => {
                    self.at += 1;
                    self.emit(&escaped(c));
                }
            }
        }
        Ok(())
    }

    fn quantifier(&mut self, text: &str) {
        self.emit(text);
        match self.peek(0) {
            Some('?') => {
                self.at += 1;
                self.emit("?");
            }
            // What a possessive quantifier took it never gives back.
            Some('+') => {
                self.at += 1;
                self.linear = false;
                self.exact.push('+');
            }
            _ => {}
        }
    }

    fn brace(&mut self) -> Result<(), String> {
        let inside: String = self
            .rest
            .iter()
            .skip(self.at + 1)
            .take_while(|c| **c != '}')
            .take(12)
            .collect();
        let closed = self.peek(inside.chars().count() + 1) == Some('}');
        let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
        let counts = match inside.split_once(',') {
            Some(("", "")) => None,
            Some((low, high)) if digits(low) && digits(high) => {
                Some(format!("{{{},{high}}}", if low.is_empty() { "0" } else { low }))
            }
            None if !inside.is_empty() && digits(&inside) => Some(format!("{{{inside}}}")),
            _ => None,
        };
        if let Some(text) = counts.filter(|_| closed) {
            let low = inside.split(',').next().unwrap_or_default();
            self.repeated(low.parse().unwrap_or(1))?;
            self.at += inside.chars().count() + 2;
            self.quantifier(&text);
            self.repeats.0 = self.at;
        } else {
            self.at += 1;
            self.emit(r"\{");
        }
        Ok(())
    }

    fn group(&mut self) -> Result<(), String> {
        if self.open.len() >= DEEPEST {
            return Err("has more than 120 groups in groups".into());
        }
        let mut open = Open {
            hidden: false,
            condition: None,
            each: self.each,
            ascii: self.ascii,
            verbose: self.verbose,
            repeats: 1,
        };
        if !self.starts("(?") {
            self.at += 1;
            self.emit("(");
            self.open.push(open);
            return Ok(());
        }
        if self.starts("(?#") {
            self.until(')')?;
            return Ok(());
        }
        for look in ["(?=", "(?!", "(?<=", "(?<!"] {
            if self.starts(look) {
                self.at += look.len();
                self.linear = false;
                self.exact.push_str(look);
                self.flat.push_str("(?:");
                self.hidden += 1;
                open.hidden = true;
                self.open.push(open);
                return Ok(());
            }
        }
        if self.starts("(?P=") {
            self.at += 4;
            let name = self.until(')')?;
            self.reference(&format!("(?P={name})"));
            return Ok(());
        }
        if self.starts("(?P<") {
            self.at += 4;
            let name = self.until('>')?;
            let word = |c: char| c.is_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(word) || name.starts_with(|c: char| c.is_numeric()) {
                return Err(format!("names a group {name:?}, which is no name"));
            }
            self.emit(&format!("(?P<{name}>"));
        } else if self.starts("(?(") {
            self.at += 3;
            let name = self.until(')')?;
            let number = name.bytes().all(|b| b.is_ascii_digit());
            self.linear = false;
            let (open_name, close_name) = if number { ("", "") } else { ("<", ">") };
            self.exact.extend(["(?(", open_name, &name, close_name, ")"]);
            self.emit_loose("(?:");
            open.condition = Some(false);
        } else if self.starts("(?>") {
            self.at += 3;
            self.linear = false;
            self.exact.push_str("(?>");
            self.emit_loose("(?:");
        } else {
            self.at += 2;
            let flags = self.until(':')?;
            if !flags.chars().all(|c| "aiLmsux-".contains(c)) {
                return Err(format!("begins a group with (?{flags}, which is not known"));
            }
            self.local_flags(&flags)?;
        }
        self.open.push(open);
        Ok(())
    }

    fn local_flags(&mut self, flags: &str) -> Result<(), String> {
        let (mut on, mut kept, mut off) = (true, String::new(), String::new());
        for flag in flags.chars() {
            match flag {
                '-' => on = false,
                'i' | 's' => if on { &mut kept } else { &mut off }.push(flag),
                'm' => self.each = on,
                'a' => self.ascii = on,
                'u' => self.ascii = false,
                'x' => self.verbose = on,
                _ => return Err("asks for the flag L, which needs a locale".into()),
            }
        }
        let off = if off.is_empty() { off } else { format!("-{off}") };
        self.emit(&format!("(?{kept}{off}:"));
        Ok(())
    }

    fn close(&mut self) -> Result<(), String> {
        let Some(open) = self.open.pop() else {
            return Err("closes a group that is not open".into());
        };
        // Without a second branch a condition that fails matches nothing.
        if open.condition == Some(false) {
            self.emit_loose("|");
        }
        self.exact.push(')');
        if open.hidden {
            self.hidden -= 1;
            self.emit_loose("(?:)");
            self.flat.push(')');
        } else {
            self.emit_loose(")");
        }
        self.repeats = (self.at, open.repeats);
        if let Some(around) = self.open.last_mut() {
            around.repeats = around.repeats.max(open.repeats);
        }
        (self.each, self.ascii, self.verbose) = (open.each, open.ascii, open.verbose);
        Ok(())
    }

    fn reference(&mut self, exact: &str) {
        self.linear = false;
        self.exact.push_str(exact);
        self.emit_loose("(?s:.*?)");
    }

    fn escape(&mut self) -> Result<(), String> {
        let ahead: Vec<char> = self.rest.iter().skip(self.at + 1).take(10).copied().collect();
        let digit = |n: usize| ahead.get(n).is_some_and(char::is_ascii_digit);
        if ahead.first().is_some_and(|c| ('1'..='9').contains(c)) {
            let length = if digit(1) { 2 } else { 1 };
            let number: String = ahead.iter().take(length).collect();
            self.at += 1 + length;
            self.reference(&format!("(?:\\{number})"));
            return Ok(());
        }
        let boundary = match ahead.first() {
            Some('A') => Some(r"\A"),
            Some('Z') => Some(r"\z"),
            Some('b') if self.ascii => Some(r"(?-u:\b)"),
            Some('b') => Some(r"\b"),
            Some('B') => Some(r"\B"),
            _ => None,
        };
        if let Some(text) = boundary {
            self.at += 2;
            self.emit(text);
            return Ok(());
        }
        let (found, length) = Class::escape(self.rest.get(self.at..).unwrap_or_default(), self.ascii, false)?;
        self.at += length;
        match found {
            Class::One(c) => self.emit(&escaped(c)),
            Class::Set(text) => self.emit(&text),
        }
        Ok(())
    }
}
