//! Patterns that want any name but one, `(?!user=)\w+=`, without look-ahead: the linear engine knows none.
//!
//! What stands for a name ends at its equals sign, which is no part of a word: so there is only one way to match it from where
//! it begins, and it is enough that both forms match the same names.

use super::cases::structure;

/// The longest name that is written out.
const LONGEST: usize = 32;

/// The same pattern with each `(?!name=)\w+=` written out; `None` if it has none, or another look-ahead besides.
pub fn without_lookahead(pattern: &str) -> Option<String> {
    let mut made = String::new();
    let mut copied = 0;
    let signs = pattern.char_indices().zip(structure(pattern));
    for ((at, _), sign) in signs {
        let rest = pattern.get(at..)?;
        if sign != '(' || !rest.starts_with("(?!") {
            continue;
        }
        let (name, behind) = rest.get(3..)?.split_once("=)")?;
        let behind = behind.strip_prefix(r"\w+=")?;
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || name.len() > LONGEST || !name.bytes().all(plain) {
            return None;
        }
        made.push_str(pattern.get(copied..at)?);
        made.push_str(&other_than(name));
        made.push('=');
        copied = pattern.len() - behind.len();
    }
    made.push_str(pattern.get(copied..)?);
    (copied > 0).then_some(made)
}

/// Every word but `name`.
fn other_than(name: &str) -> String {
    // after all of the name, at least one more sign
    let mut pattern = r"\w+".to_owned();
    for (at, sign) in name.char_indices().rev() {
        // another sign and any more, or the name's and so on; a part of the name alone is no name
        let may_end = if at == 0 { "" } else { "?" };
        pattern = format!(r"(?:[^\W{sign}]\w*|{sign}{pattern}){may_end}");
    }
    pattern
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Lines, Pattern, Room};
    use super::without_lookahead;

    const EVENT: &str = r#"^SecurityEvent="(?:FailedACL|InvalidPassword)"(?:(?:,(?!RemoteAddress=)\w+="[^"]*")*|.*?),RemoteAddress="IPV[46]/[^/"]+/(?P<ip4>[\d.]+)/\d+"(?:,(?!RemoteAddress=)\w+="[^"]*")*$"#;

    #[test]
    fn only_names_that_end() {
        let written = without_lookahead(r"a(?!ab=)\w+=b").unwrap();
        assert_eq!(written, r"a(?:[^\Wa]\w*|a(?:[^\Wb]\w*|b\w+)?)=b");
        for other in [
            r"a\w+=",
            r"(?!ab)\w+=",
            r"(?!ab=)\w*=",
            r"(?!a.=)\w+=",
            r"(?!a=)\w+=(?!b)",
            r"\(?!a=)\w+=",
            r"[(?!a=)]\w+=",
        ] {
            assert_eq!(without_lookahead(other), None, "{other}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_forms_find_the_same(parts in prop::collection::vec(prop::sample::select(vec![
            r#",RemoteAddress="IPV4/UDP/192.0.2.1/5060""#, r#",RemoteAddress="x""#, r#",RemoteAddres="x""#, r#",RemoteAddressX="y""#,
            r#",Remote="""#, r#",a="b""#, r#",="b""#, ",", "\"", "x", r#",AccountID="a",RemoteAddress="IPV4/UDP/192.0.2.9/1""#,
        ]), 0..8), whole in any::<bool>()) {
            let begins = if whole { r#"SecurityEvent="InvalidPassword""# } else { r#"xSecurityEvent="FailedACL""# };
            let text = format!("{begins}{}\n", parts.concat());
            for pattern in [EVENT, r"(?!ab=)\w+=", r"^(?:(?!RemoteAddress=)\w+=|,|.)*$"] {
                let quick = Pattern::new(pattern, Lines::One, &Room::default()).unwrap();
                let exact = Pattern::without_cases(pattern, Lines::One).unwrap();
                prop_assert_eq!(quick.search(&text).ok(), exact.search(&text).ok(), "{}", pattern);
            }
        }
    }
}
