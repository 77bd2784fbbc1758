//! fail2ban's own tags inside a pattern: `<HOST>`, `<F-USER>…</F-USER>`, `<SKIPLINES>`.

use std::fmt::Write;

use crate::UseDns;

const IP4: &str = r"(?:::f{4,6}:)?(?P<ip4>(?:\d{1,3}\.){3}\d{1,3})";
const IP6: &str = r"(?P<ip6>(?:[0-9a-fA-F]{1,4}::?|::){1,7}(?:[0-9a-fA-F]{1,4}|:))";
const DNS: &str = r"(?P<dns>[\w\-.^_]*\w)";
const CIDR: &str = r"(?P<cidr>\d+)";

/// Replaces the tags in `pattern`. What is no tag of fail2ban stays as it is.
pub fn expand(pattern: &str, usedns: UseDns) -> String {
    let mut out = String::with_capacity(pattern.len() * 2);
    let mut opened: Vec<&str> = Vec::new();
    let mut skips = 0_usize;
    let mut rest = pattern;
    while let Some(start) = rest.find('<') {
        let (plain, tail) = rest.split_at(start);
        out.push_str(plain);
        let Some(name) = tag(tail) else {
            out.push('<');
            rest = tail.get(1..).unwrap_or_default();
            continue;
        };
        rest = tail.get(name.len() + 2..).unwrap_or_default();
        match fixed(name, usedns) {
            Some(text) => out.push_str(&text),
            None if name == "SKIPLINES" => {
                let _ = write!(out, r"\n(?P<skiplines{skips}>(?:(?:.*\n)*?))");
                skips += 1;
            }
            None => custom(name, &mut opened, &mut out),
        }
    }
    out.push_str(rest);
    local_flags(&out)
}

/// The name in a `<…>` that `text` begins with: letters, digits, `_` and `-`, with a `/` in front or behind.
fn tag(text: &str) -> Option<&str> {
    let name = text.strip_prefix('<')?.split('>').next()?;
    let core = name.strip_prefix('/').unwrap_or(name);
    let core = core.strip_suffix('/').unwrap_or(core);
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let closed = text.as_bytes().get(name.len() + 1) == Some(&b'>');
    (closed && !core.is_empty() && core.chars().all(word)).then_some(name)
}

fn fixed(name: &str, usedns: UseDns) -> Option<String> {
    let address = || format!(r"\[?(?:{IP4}|{IP6})\]?");
    Some(match name {
        "HOST" if usedns == UseDns::Names => format!("(?:{}|{DNS})", address()),
        "HOST" | "ADDR" | "F-ADDR/" => address(),
        "IP4" | "F-IP4/" => IP4.into(),
        "IP6" | "F-IP6/" => IP6.into(),
        "CIDR" | "F-CIDR/" => CIDR.into(),
        "DNS" | "F-DNS/" => DNS.into(),
        "SUBNET" | "F-SUBNET/" => format!(r"\[?(?:{IP4}|{IP6})(?:/{CIDR})?\]?"),
        "F-ID/" => r"(?P<fid>\S+)".into(),
        "F-PORT/" => r"(?P<fport>\w+)".into(),
        _ => return None,
    })
}

/// `<F-NAME>` opens a group of that name, `</F-NAME>` closes it if it is open.
fn custom<'p>(name: &'p str, opened: &mut Vec<&'p str>, out: &mut String) {
    let closing = name.strip_prefix('/');
    let core = closing.unwrap_or(name).strip_prefix("F-");
    let upper = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_' || c == '-';
    match core.filter(|core| !core.is_empty() && core.chars().all(upper)) {
        Some(core) if closing.is_some() && opened.contains(&core) => out.push(')'),
        Some(core) if closing.is_none() => {
            opened.push(core);
            let _ = write!(out, "(?P<{}>", group_name(core));
        }
        _ => out.extend(["<", name, ">"]),
    }
}

/// The group that a tag's name stands for.
pub fn group_name(tag: &str) -> String {
    match tag.to_lowercase().as_str() {
        "id" => "fid".into(),
        "port" => "fport".into(),
        other => other.into(),
    }
}

/// `((?i)…)` and `(?:(?i)…)` mean `(?i:…)`.
fn local_flags(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    while let Some(open) = rest.find('(') {
        let (plain, tail) = rest.split_at(open);
        out.push_str(plain);
        let inside = tail.get(1..).unwrap_or_default();
        let inside = inside.strip_prefix("?:").unwrap_or(inside);
        let flags = inside
            .strip_prefix("(?")
            .and_then(|flags| flags.split_once(')'))
            .filter(|(flags, _)| !flags.is_empty() && flags.bytes().all(|b| b.is_ascii_lowercase()));
        match flags {
            Some((flags, behind)) if !plain.ends_with('\\') => {
                out.extend(["(?", flags, ":"]);
                rest = behind;
            }
            _ => {
                out.push('(');
                rest = tail.get(1..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_become_groups() {
        let got = expand(
            "^<F-USER>x</F-USER></F-OTHER> <F-ID/> <abc> a<b <F-ID>y</F-ID>",
            UseDns::No,
        );
        assert_eq!(got, r"^(?P<user>x)</F-OTHER> (?P<fid>\S+) <abc> a<b (?P<fid>y)");
        assert!(!expand("<HOST>", UseDns::No).contains("dns"));
        assert!(expand("<HOST>", UseDns::Names).contains("(?P<dns>"));
        assert_eq!(expand(r"((?i)a) \((?i)b", UseDns::No), r"(?i:a) \((?i)b");
    }
}
