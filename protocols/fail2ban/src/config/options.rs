//! `name[mode=aggressive, user="x"]`: a filter's name with options behind it.

use super::interpolate::Given;

/// Splits a filter as jails name it into its name and its options.
///
/// Values may be quoted with `"` or `'`; groups may follow each other: `name[a=1][b=2]`.
///
/// # Errors
/// What is wrong with the options, in words.
pub fn split(text: &str) -> Result<(String, Given), String> {
    let text = text.trim_end();
    let Some((name, rest)) = text.split_once('[') else {
        return Ok((text.to_owned(), Given::new()));
    };
    let Some(mut rest) = rest.strip_suffix(']') else {
        return Err(format!("the options of {name} don't end with ']'"));
    };
    let mut given = Given::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok((name.to_owned(), given));
        }
        let wrong = || format!("the options of {name} are NAME=VALUE with commas between them, not {rest:?}");
        let (option, value) = rest.split_once('=').ok_or_else(wrong)?;
        let valid = |c: char| c.is_alphanumeric() || "-_.".contains(c);
        if option.is_empty() || !option.chars().all(valid) {
            return Err(wrong());
        }
        let (value, behind) = match value.chars().next() {
            Some(quote @ ('"' | '\'')) => value
                .get(1..)
                .and_then(|inside| inside.split_once(quote))
                .ok_or_else(wrong)?,
            _ => value.split_at(value.find([',', ']']).unwrap_or(value.len())),
        };
        given.insert(option.to_lowercase(), value.trim().to_owned());
        rest = match behind.strip_prefix(',') {
            Some(next) => next,
            None if behind.is_empty() => behind,
            None => {
                let next = behind.strip_prefix(']').map(str::trim_start);
                next.and_then(|next| next.strip_prefix('[')).ok_or_else(wrong)?
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_quoted_or_not() {
        let (name, given) = split("sshd[mode=aggressive, x=\"a,b]\", y='q'][z=1]").unwrap();
        let given: Vec<_> = given.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(name, "sshd");
        assert_eq!(
            given,
            [("mode", "aggressive"), ("x", "a,b]"), ("y", "q"), ("z", "1")]
        );
        assert_eq!(split("sshd").unwrap(), ("sshd".into(), Given::new()));
        for wrong in ["sshd[", "sshd[mode]", "sshd[a=1 b=\"2\" c]x", "sshd[a=\"1\"b]"] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
