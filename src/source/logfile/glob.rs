//! `*`, `?` and `[…]` in one part of a path.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// Whether a part holds any of them.
pub(super) fn is_wild(name: &OsStr) -> bool {
    name.as_bytes()
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'['))
}

/// Whether `name` fits `pattern`. Time is bounded by the product of their lengths.
pub(super) fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    // where to go back to: after the latest `*`, which then takes one byte more
    let mut back = None;
    while let Some(byte) = name.get(n) {
        let step = match pattern.get(p) {
            Some(b'*') => {
                back = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(pattern.get(p..).unwrap_or_default(), *byte),
            Some(other) => (other == byte).then_some(1),
            None => None,
        };
        match (step, back) {
            (Some(step), _) => {
                p += step;
                n += 1;
            }
            (None, Some((after, from))) => {
                p = after;
                n = from + 1;
                back = Some((after, n));
            }
            (None, None) => return false,
        }
    }
    pattern
        .get(p..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

/// How long the class at the beginning of `pattern` is, if `byte` is in it; a `[` without an end stands for itself.
fn class(pattern: &[u8], byte: u8) -> Option<usize> {
    let Some(end) = pattern.iter().skip(2).position(|byte| *byte == b']') else {
        return (byte == b'[').then_some(1);
    };
    let end = end + 2;
    let inner = pattern.get(1..end).unwrap_or_default();
    let (negated, inner) = match inner.split_first() {
        Some((b'!' | b'^', rest)) => (true, rest),
        _ => (false, inner),
    };
    let mut found = false;
    let mut rest = inner;
    while let Some((first, after)) = rest.split_first() {
        if let [b'-', last, more @ ..] = after {
            found |= (*first..=*last).contains(&byte);
            rest = more;
        } else {
            found |= *first == byte;
            rest = after;
        }
    }
    (found != negated).then_some(end + 1)
}
