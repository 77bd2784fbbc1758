//! One configuration file as fail2ban's parser understands it: sections, options, values over several lines, comments.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::LoadError;

/// Bytes that one configuration file may have; the longest that Debian ships has 10 KiB.
pub const LARGEST_FILE: usize = 1 << 20;

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text, its lines trimmed and joined by line feeds; nothing is interpolated yet.
    pub text: String,
    /// The file.
    pub file: Arc<Path>,
    /// The line the option begins on, from 1.
    pub line: u32,
}

/// The options of one section, by their names in lower case.
pub type Section = BTreeMap<String, Value>;

/// A file, parsed.
#[derive(Clone, Debug, Default)]
pub struct Ini {
    /// What `[DEFAULT]` says.
    pub defaults: Section,
    /// The other sections, by their names as written.
    pub sections: BTreeMap<String, Section>,
}

/// Parses the content of `file`.
pub fn parse(file: &Path, bytes: &[u8]) -> Result<Ini, LoadError> {
    let shared: Arc<Path> = Arc::from(file);
    let at = |line: u32, what: &str| LoadError::at(&shared, line, what);
    if bytes.len() > LARGEST_FILE {
        return Err(at(0, "is larger than 1 MiB"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| at(0, "is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut ini = Ini::default();
    let mut section: Option<String> = None;
    let mut option: Option<String> = None;
    let mut indent = 0;
    for (number, line) in (1_u32..).zip(text.split('\n')) {
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (content, commented) = without_comment(line);
        let value = content.trim();
        if value.is_empty() {
            if !commented && let Some(open) = open(&mut ini, section.as_deref(), option.as_deref()) {
                open.text.push('\n');
            }
            continue;
        }
        let column = line.chars().take_while(|c| c.is_whitespace()).count();
        if column > indent
            && let Some(open) = open(&mut ini, section.as_deref(), option.as_deref())
        {
            open.text.push('\n');
            open.text.push_str(value);
            continue;
        }
        indent = column;
        if let Some(header) = header(value) {
            if header != "DEFAULT" && ini.sections.contains_key(header) {
                return Err(at(number, &format!("has section [{header}] twice")));
            }
            if header != "DEFAULT" {
                ini.sections.insert(header.to_owned(), Section::new());
            }
            section = Some(header.to_owned());
            option = None;
            continue;
        }
        let Some(current) = section.as_deref() else {
            return Err(at(number, "has an option before the first section"));
        };
        let Some(delimiter) = value.find(['=', ':']) else {
            return Err(at(
                number,
                "is neither a section, an option, a comment nor a continuation",
            ));
        };
        let (name, text) = value.split_at(delimiter);
        let name = name.trim_end().to_lowercase();
        let text = text.get(1..).unwrap_or_default().trim_start();
        let value = Value {
            text: text.to_owned(),
            file: Arc::clone(&shared),
            line: number,
        };
        let options = if current == "DEFAULT" {
            &mut ini.defaults
        } else {
            ini.sections.entry(current.to_owned()).or_default()
        };
        if options.insert(name.clone(), value).is_some() {
            return Err(at(number, &format!("sets {name} twice in [{current}]")));
        }
        option = Some(name);
    }
    for options in std::iter::once(&mut ini.defaults).chain(ini.sections.values_mut()) {
        for value in options.values_mut() {
            value.text.truncate(value.text.trim_end().len());
        }
    }
    Ok(ini)
}

/// The line up to its comment, and whether it has one: `#` or `;` in front, or `;` after a space anywhere.
fn without_comment(line: &str) -> (&str, bool) {
    if line.trim_start().starts_with(['#', ';']) {
        return ("", true);
    }
    let inline = line
        .char_indices()
        .scan(None, |before: &mut Option<char>, (at, c)| {
            let starts = c == ';' && before.is_some_and(char::is_whitespace);
            *before = Some(c);
            Some((at, starts))
        });
    match inline.filter(|(_, starts)| *starts).map(|(at, _)| at).next() {
        Some(at) => (line.get(..at).unwrap_or_default(), true),
        None => (line, false),
    }
}

fn header(value: &str) -> Option<&str> {
    let inside = value.strip_prefix('[')?;
    let end = inside.rfind(']')?;
    inside.get(..end).filter(|name| !name.is_empty())
}

fn open<'a>(ini: &'a mut Ini, section: Option<&str>, option: Option<&str>) -> Option<&'a mut Value> {
    let options = match section? {
        "DEFAULT" => &mut ini.defaults,
        name => ini.sections.get_mut(name)?,
    };
    options.get_mut(option?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Ini {
        parse(Path::new("x.conf"), text.as_bytes()).unwrap()
    }

    #[test]
    fn values_go_on_while_they_are_indented() {
        let ini = of("[Definition]\nFailRegex = ^a$\n   ^b$ ; why\n# gone\n   ^c;d$\n\nother: 1\n");
        let section = &ini.sections["Definition"];
        assert_eq!(section["failregex"].text, "^a$\n^b$\n^c;d$");
        assert_eq!((section["other"].text.as_str(), section["other"].line), ("1", 7));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, line) in [
            ("x = 1\n", 1),
            ("[a]\nfoo\n", 2),
            ("[a]\nb=1\nb=2\n", 3),
            ("[a]\n[a]\n", 2),
        ] {
            let error = parse(Path::new("x.conf"), text.as_bytes()).unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("x.conf:{line}: ")),
                "{error}"
            );
        }
        assert!(parse(Path::new("x.conf"), b"[a]\nb=\xff\n").is_err());
    }
}
