//! Which pattern a missed line came nearest to.

use std::collections::BTreeMap;

use crate::filter::Filter;
use crate::pattern::room::Room;
use crate::pattern::{Lines, Pattern};

/// How near a line came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    /// The pattern, by number from 0; `None` for the filter's prefix.
    pub pattern: Option<usize>,
    /// How much of the text the beginning of the pattern matches.
    pub text: String,
    /// The part of the pattern that does not match, as it stands behind the one that does.
    pub stuck: String,
}

/// Patterns cut into ever longer beginnings, compiled when they are first needed.
#[derive(Debug, Default)]
pub struct Hints {
    beginnings: BTreeMap<(usize, usize), Option<Pattern>>,
    room: Room,
}

/// Bytes of a part of a pattern that are shown.
const SHOWN: usize = 60;

impl Hints {
    /// The pattern that gets furthest in `text`, which is a line without its date.
    pub fn nearest(&mut self, filter: &Filter, text: &str) -> Option<Near> {
        let line = format!("{text}\n");
        let mut content = line.clone();
        if let Some(prefix) = &filter.prefix {
            let Ok(Some(hit)) = prefix.pattern.search(&line) else {
                let (text, stuck) = self.furthest(usize::MAX, &prefix.expanded, &line)?;
                return Some(Near {
                    pattern: None,
                    text,
                    stuck,
                });
            };
            let names = prefix.pattern.names().iter();
            let group = names
                .filter(|(_, name)| name == "content")
                .find_map(|(at, _)| hit.groups.get(*at)?.clone());
            if let Some(found) = group.and_then(|range| line.get(range)) {
                content = format!("{found}\n");
            }
        }
        let mut best: Option<Near> = None;
        for (number, rule) in filter.fail.iter().enumerate() {
            let Some((text, stuck)) = self.furthest(number, &rule.expanded, &content) else {
                continue;
            };
            if !text.is_empty() && best.as_ref().is_none_or(|best| text.len() > best.text.len()) {
                best = Some(Near {
                    pattern: Some(number),
                    text,
                    stuck,
                });
            }
        }
        best
    }

    /// What the longest beginning of `pattern` that matches takes of `line`, and what comes behind it in the pattern.
    /// Beginnings match ever less often the longer they are, so half of them are ruled out at a time.
    fn furthest(&mut self, number: usize, pattern: &str, line: &str) -> Option<(String, String)> {
        let cuts = cuts(pattern);
        let (mut low, mut high) = (0, cuts.len());
        let mut matched = None;
        while low < high {
            let middle = usize::midpoint(low, high);
            let cut = *cuts.get(middle)?;
            let beginning = self.beginnings.entry((number, cut)).or_insert_with(|| {
                let beginning = pattern.get(..cut).unwrap_or_default();
                Pattern::new(beginning, Lines::One, &self.room).ok()
            });
            let hit = beginning
                .as_ref()
                .and_then(|beginning| beginning.search(line).ok().flatten());
            match hit {
                Some(hit) => {
                    matched = Some((hit.whole(), cut));
                    low = middle + 1;
                }
                None => high = middle,
            }
        }
        let (range, cut) = matched?;
        let stuck: String = pattern
            .get(cut..)
            .unwrap_or_default()
            .chars()
            .take(SHOWN)
            .collect();
        Some((line.get(range).unwrap_or_default().trim_end().to_owned(), stuck))
    }
}

/// Where a pattern may be cut: between two of its parts that stand in no group. None if it is a choice as a whole.
fn cuts(pattern: &str) -> Vec<usize> {
    let mut cuts = Vec::new();
    let (mut depth, mut class, mut escaped) = (0_usize, 0_usize, false);
    for (at, c) in pattern.char_indices() {
        if depth == 0 && class == 0 && !escaped && at > 0 && !"*+?{".contains(c) {
            cuts.push(at);
        }
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '[' if class == 0 => class = at + 1,
            // A bracket that comes first in a class is a member.
            ']' if class > 0 && at > class && pattern.get(class..at) != Some("^") => class = 0,
            '(' if class == 0 => depth += 1,
            ')' if class == 0 => depth = depth.saturating_sub(1),
            '|' if class == 0 && depth == 0 => return Vec::new(),
            _ => {}
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::cuts;

    #[test]
    fn patterns_are_cut_between_parts() {
        assert_eq!(cuts(r"a\.[]x](b|c)d+"), [1, 3, 7, 12]);
        assert!(cuts("a|b").is_empty());
    }
}
