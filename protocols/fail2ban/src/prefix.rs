//! The prefix of a filter, which most lines are measured by.

use crate::pattern::cases::structure;
use crate::pattern::room::Room;
use crate::pattern::{Hit, Lines, Pattern, TooHard};

/// How prefixes end whose content is all the rest of the line.
const REST: &str = "(?P<content>.+)$";

/// A prefix without its content, where that is all the rest of the line: groups are found in the beginning alone, however
/// long the line is.
#[derive(Clone, Debug)]
pub struct Beginning {
    pattern: Pattern,
    content: usize,
    /// Whether it has no other group.
    alone: bool,
}

impl Beginning {
    /// For the prefix `whole`, whose tags are expanded in `expanded`; `None` if it is not of this form.
    pub fn of(expanded: &str, whole: &Pattern, lines: Lines, room: &Room) -> Option<Self> {
        let before = expanded.strip_suffix(REST)?;
        // a flag could let the dot match a line feed
        let flags = before.match_indices("(?").any(|(at, _)| {
            let behind = before.get(at + 2..).unwrap_or_default();
            behind.starts_with(|c: char| c.is_ascii_lowercase() || c == '-')
        });
        if flags || !whole.is_linear() || !matches!(lines, Lines::One) {
            return None;
        }
        let pattern = Pattern::new(&format!("{before}(?P<content>.)"), lines, room).ok()?;
        let content = whole.names().iter().find(|(_, name)| name == "content")?.0;
        let same = pattern.is_linear() && pattern.names() == whole.names();
        let alone = has_no_group(before);
        same.then_some(Self {
            pattern,
            content,
            alone,
        })
    }

    /// What the whole prefix finds in `text`; `text` is one line with its line feed, or else it is left to the whole one.
    pub fn search(&self, whole: &Pattern, text: &str) -> Result<Option<Hit>, TooHard> {
        let Some(end) = text
            .len()
            .checked_sub(1)
            .filter(|end| text.find('\n') == Some(*end))
        else {
            return whole.search(text);
        };
        if self.alone {
            let Some(place) = self.pattern.find(text)? else {
                return Ok(None);
            };
            // the first sign of the content is the last of what was found
            let begins = text
                .get(place.clone())
                .and_then(|found| found.char_indices().next_back());
            let Some((at, _)) = begins else {
                return whole.search(text);
            };
            let mut groups = vec![None; self.content + 1];
            if let Some(group) = groups.first_mut() {
                *group = Some(place.start..end);
            }
            if let Some(group) = groups.get_mut(self.content) {
                *group = Some(place.start + at..end);
            }
            return Ok(Some(Hit { groups }));
        }
        let Some(mut hit) = self.pattern.search(text)? else {
            return Ok(None);
        };
        let Some(Some(content)) = hit.groups.get_mut(self.content) else {
            return whole.search(text);
        };
        content.end = end;
        if let Some(Some(place)) = hit.groups.first_mut() {
            place.end = end;
        }
        Ok(Some(hit))
    }
}

/// Whether there is no group that notes its place, and only one way to go behind it.
fn has_no_group(before: &str) -> bool {
    let mut depth = 0_usize;
    for ((at, _), sign) in before.char_indices().zip(structure(before)) {
        match sign {
            '(' if before.get(at..).is_some_and(|rest| rest.starts_with("(?:")) => depth += 1,
            '(' => return false,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return false,
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PREFIX: &str = r"^(?:\[\])?\s*(?:\S+\s+)?(?P<level>NOTICE|SECURITY)(?:\[\d+\]):? [^:]+:\d*(?:(?: in)? [^:]+:)? (?P<content>.+)$";

    #[test]
    fn only_prefixes_whose_content_is_the_rest() {
        for (prefix, fits) in [
            (PREFIX, true),
            ("x(?P<content>.*)$", false),
            ("x(?P<content>.+)", false),
            ("(?s)x(?P<content>.+)$", false),
            ("(a)x(?!y)(?P<content>.+)$", false),
        ] {
            let whole = Pattern::new(prefix, Lines::One, &Room::default()).unwrap();
            assert_eq!(
                Beginning::of(prefix, &whole, Lines::One, &Room::default()).is_some(),
                fits,
                "{prefix}"
            );
        }
    }

    proptest! {
        #[test]
        fn it_finds_what_the_whole_prefix_finds(
            text in "(\\[\\])? ?([a-z]{1,3} )?(NOTICE|SECURITY|VERBOSE)\\[[0-9]\\]:? ([a-z:1-9é\r]{1,6}( in)? ){1,4}[x :\n]{0,3}",
        ) {
            let plain = PREFIX.replace("(?P<level>", "(?:");
            for prefix in [PREFIX, plain.as_str(), r"(?P<a>\w+)[ :]+?(?P<content>.+)$", r"x|NOTICE.*?(?P<content>.+)$"] {
                let whole = Pattern::new(prefix, Lines::One, &Room::default()).unwrap();
                let beginning = Beginning::of(prefix, &whole, Lines::One, &Room::default()).unwrap();
                let text = format!("{text}\n");
                prop_assert_eq!(beginning.search(&whole, &text).unwrap(), whole.search(&text).unwrap(), "{}", prefix);
            }
        }
    }
}
