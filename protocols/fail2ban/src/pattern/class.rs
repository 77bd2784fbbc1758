//! Escapes and classes of characters.

/// What stands in a class: one character, or a set.
pub enum Class {
    /// A character.
    One(char),
    /// A set, as a class of its own.
    Set(String),
}

/// A character outside a class, so that it means itself.
pub fn escaped(c: char) -> String {
    if c.is_ascii_punctuation() && !"<>\"'%,/:;=@_`!".contains(c) {
        format!("\\{c}")
    } else if c == '\0' || c.is_ascii_control() {
        format!("\\x{:02x}", u32::from(c))
    } else {
        c.to_string()
    }
}

/// A character inside a class, so that it means itself.
fn member(c: char) -> String {
    if "[]&~-^\\".contains(c) {
        format!("\\{c}")
    } else {
        c.to_string()
    }
}

impl Class {
    /// The escape that `chars` begins with, and how many characters it takes.
    pub fn escape(chars: &[char], ascii: bool, inside: bool) -> Result<(Self, usize), String> {
        let Some(c) = chars.get(1).copied() else {
            return Err("ends with a backslash".into());
        };
        let one = |c: char| Ok((Self::One(c), 2));
        let set = |unicode: &str, plain: &str| {
            let text = if ascii { plain } else { unicode };
            Ok((Self::Set(text.into()), 2))
        };
        match c {
            'd' => set(r"\d", "[0-9]"),
            'D' => set(r"\D", "[^0-9]"),
            'w' => set(r"\w", "[0-9A-Za-z_]"),
            'W' => set(r"\W", "[^0-9A-Za-z_]"),
            // Python counts the four separators of ASCII as spaces.
            's' => set(r"[\s\x1c-\x1f]", r"[ \t\n\r\x0c\x0b]"),
            'S' => set(r"[^\s\x1c-\x1f]", r"[^ \t\n\r\x0c\x0b]"),
            'a' => one('\x07'),
            'b' if inside => one('\x08'),
            'f' => one('\x0c'),
            'n' => one('\n'),
            'r' => one('\r'),
            't' => one('\t'),
            'v' => one('\x0b'),
            'x' => Self::hex(chars, 2),
            'u' => Self::hex(chars, 4),
            'U' => Self::hex(chars, 8),
            '0'..='7' => {
                let digits: String = chars
                    .iter()
                    .skip(1)
                    .take(3)
                    .take_while(|c| ('0'..='7').contains(*c))
                    .collect();
                let value = u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32);
                let value =
                    value.ok_or_else(|| format!("has the escape \\{digits}, which is no character"))?;
                Ok((Self::One(value), digits.len() + 1))
            }
            c if c.is_ascii_alphanumeric() => Err(format!("has the escape \\{c}, which is not known")),
            c => one(c),
        }
    }

    fn hex(chars: &[char], length: usize) -> Result<(Self, usize), String> {
        let digits: String = chars.iter().skip(2).take(length).collect();
        let value = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
        match value {
            Some(c) if digits.len() == length => Ok((Self::One(c), length + 2)),
            _ => Err(format!(
                "has an escape that needs {length} hexadecimal digits, not {digits:?}"
            )),
        }
    }
}

/// The class that `chars` begins with, and how many characters it takes.
pub fn class(chars: &[char], ascii: bool) -> Result<(String, usize), String> {
    let mut out = String::from("[");
    let mut at = 1;
    if chars.get(1) == Some(&'^') {
        out.push('^');
        at += 1;
    }
    let first = at;
    loop {
        let Some(c) = chars.get(at).copied() else {
            return Err("has a class that is not closed".into());
        };
        if c == ']' && at > first {
            out.push(']');
            return Ok((out, at + 1));
        }
        let (low, length) = item(chars.get(at..).unwrap_or_default(), ascii)?;
        at += length;
        let range = chars.get(at) == Some(&'-') && chars.get(at + 1).is_some_and(|c| *c != ']');
        if !range {
            match low {
                Class::One(c) => out.push_str(&member(c)),
                Class::Set(text) => out.push_str(&text),
            }
            continue;
        }
        let (high, length) = item(chars.get(at + 1..).unwrap_or_default(), ascii)?;
        at += 1 + length;
        match (low, high) {
            (Class::One(low), Class::One(high)) if low <= high => {
                out.push_str(&member(low));
                out.push('-');
                out.push_str(&member(high));
            }
            _ => return Err("has a range in a class that is none".into()),
        }
    }
}

fn item(chars: &[char], ascii: bool) -> Result<(Class, usize), String> {
    match chars.first() {
        Some('\\') => Class::escape(chars, ascii, true),
        Some(c) => Ok((Class::One(*c), 1)),
        None => Err("has a class that is not closed".into()),
    }
}
