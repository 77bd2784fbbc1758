//! Flags that count for a whole pattern.

use super::translate::Walk;

impl Walk {
    /// `(?i)` and the like count for the whole pattern wherever they stand, as they do in the Pythons that allow it.
    pub(super) fn global_flags(&mut self) -> Result<(), String> {
        let text: String = self.rest.iter().collect();
        let mut in_class = false;
        let mut kept = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(c) = rest.chars().next() {
            if c == '\\' {
                let pair = rest.char_indices().nth(2).map_or(rest.len(), |(at, _)| at);
                kept.push_str(rest.get(..pair).unwrap_or_default());
                rest = rest.get(pair..).unwrap_or_default();
                continue;
            }
            if !in_class
                && let Some((flags, behind)) = rest.strip_prefix("(?").and_then(|r| r.split_once(')'))
                && !flags.is_empty()
                && flags.chars().all(|c| "aiLmsux".contains(c))
            {
                self.set_flags(flags)?;
                rest = behind;
                continue;
            }
            match c {
                '[' if !in_class => {
                    in_class = true;
                    // A bracket that comes first is a member.
                    let skip = if rest.starts_with("[^]") {
                        3
                    } else {
                        usize::from(rest.starts_with("[]")) + 1
                    };
                    kept.push_str(rest.get(..skip).unwrap_or_default());
                    rest = rest.get(skip..).unwrap_or_default();
                    continue;
                }
                ']' => in_class = false,
                _ => {}
            }
            kept.push(c);
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
        self.rest = kept.chars().collect();
        Ok(())
    }

    fn set_flags(&mut self, flags: &str) -> Result<(), String> {
        for flag in flags.chars() {
            match flag {
                'i' | 's' if !self.global.contains(flag) => self.global.push(flag),
                'm' => self.each = true,
                'a' => self.ascii = true,
                'x' => self.verbose = true,
                'L' => return Err("asks for the flag L, which needs a locale".into()),
                _ => {}
            }
        }
        Ok(())
    }
}
