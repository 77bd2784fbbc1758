//! `<name>` inside values: other options of the filter, put in until nothing is left to put in.

use std::collections::BTreeMap;

use super::interpolate::{Budget, LONGEST};

/// How often one option may be put into another.
const MOST: usize = 25;

/// Puts options into each other. `elsewhere` gives what the filter's files know of a name that is not among `options`.
/// Names that nobody knows stay: they may be `<HOST>`.
pub fn substitute(
    options: &mut BTreeMap<String, String>,
    elsewhere: &dyn Fn(&str) -> Option<String>,
    budget: &Budget,
) -> Result<(), (String, String)> {
    // A pass resolves names built from names; it ends because each replacement is counted.
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    loop {
        let mut again = false;
        let names: Vec<String> = options.keys().cloned().collect();
        for name in names {
            let Some(original) = options.get(&name).cloned() else {
                continue;
            };
            budget
                .spend(original.len())
                .map_err(|what| (name.clone(), what))?;
            let mut value = original.clone();
            let mut from = 0;
            while let Some((start, end)) = tag(&value, from) {
                let inner = value.get(start + 1..end - 1).unwrap_or_default().to_owned();
                if inner.contains('?') {
                    from = end;
                    continue;
                }
                let count = counts.entry((name.clone(), inner.clone())).or_insert(0);
                if inner == name || *count >= MOST {
                    return Err((name, format!("refers to itself through <{inner}>")));
                }
                let Some(found) = options.get(&inner).cloned().or_else(|| elsewhere(&inner)) else {
                    from = end;
                    continue;
                };
                *count += 1;
                let written = format!("<{inner}>");
                let put_in = value.matches(&written).count().saturating_mul(found.len());
                budget
                    .spend(value.len().saturating_add(put_in))
                    .map_err(|what| (name.clone(), what))?;
                value = value.replace(&written, &found);
                if value.len() > LONGEST {
                    return Err((name, "grows beyond 256 KiB when its values are put in".into()));
                }
                from = start;
            }
            if value != original {
                again |= tag(&value, 0).is_some();
                options.insert(name, value);
            }
        }
        if !again {
            return Ok(());
        }
    }
}

/// The next `<…>` without spaces or brackets inside.
fn tag(value: &str, from: usize) -> Option<(usize, usize)> {
    let mut start = None;
    for (at, byte) in value.bytes().enumerate().skip(from) {
        match byte {
            b'<' => start = Some(at),
            b'>' => match start {
                Some(open) if at > open + 1 => return Some((open, at + 1)),
                _ => start = None,
            },
            b' ' => start = None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(pairs: &[(&str, &str)]) -> Result<BTreeMap<String, String>, (String, String)> {
        let mut options = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let far = |name: &str| (name == "far").then(|| "away".into());
        substitute(&mut options, &far, &Budget::default())?;
        Ok(options)
    }

    #[test]
    fn names_may_be_built_of_names() {
        let got = run(&[
            ("f", "<a-<m>> <HOST> <far>"),
            ("a-x", "1<b>"),
            ("b", "2"),
            ("m", "x"),
        ])
        .unwrap();
        assert_eq!(got["f"], "12 <HOST> away");
    }

    #[test]
    fn what_has_no_end_is_refused() {
        assert!(run(&[("a", "<b>"), ("b", "<a>")]).is_err());
        assert!(run(&[("a", "<a>")]).is_err());
        let bomb: Vec<(String, String)> = (0..20)
            .map(|n| (format!("v{n:02}"), format!("<v{:02}>", n + 1).repeat(20)))
            .chain([("v20".to_owned(), "boom".to_owned())])
            .collect();
        let pairs: Vec<(&str, &str)> = bomb.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert!(run(&pairs).is_err());
    }
}
