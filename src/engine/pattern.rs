//! Names with wildcards: `*` is any run of bytes, `?` is one byte.

/// A pattern for a name; without a wildcard it is the name itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<[u8]>,
    /// Bytes before the first wildcard, and behind the last: most names fail there at once.
    head: usize,
    tail: usize,
    exact: bool,
}

impl Pattern {
    /// A pattern that tells upper from lower case: for accounts.
    pub fn exactly(text: &str) -> Self {
        Self::of(text.as_bytes().into())
    }

    /// A pattern for names in which the case of ASCII letters means nothing; they must be given in lower case.
    pub fn folded(text: &str) -> Self {
        Self::of(text.to_ascii_lowercase().into_bytes().into())
    }

    fn of(text: Box<[u8]>) -> Self {
        let wild = |byte: &u8| matches!(byte, b'*' | b'?');
        let first = text.iter().position(wild);
        let last = text.iter().rposition(wild);
        Self {
            head: first.unwrap_or(text.len()),
            tail: last.map_or(0, |last| text.len() - last - 1),
            exact: first.is_none(),
            text,
        }
    }

    /// The name it stands for when it has no wildcard.
    pub fn name(&self) -> Option<&[u8]> {
        self.exact.then_some(&*self.text)
    }

    /// The bytes before the first wildcard: every name that fits begins with them.
    pub(super) fn head(&self) -> &[u8] {
        self.text.get(..self.head).unwrap_or_default()
    }

    /// The bytes behind the last wildcard: every name that fits ends with them.
    pub(super) fn tail(&self) -> &[u8] {
        self.text.get(self.text.len() - self.tail..).unwrap_or_default()
    }

    /// Whether a name fits; no pattern fits a name that is not there.
    pub fn fits(&self, name: &[u8]) -> bool {
        if self.exact {
            return *name == *self.text;
        }
        !name.is_empty() && name.starts_with(self.head()) && name.ends_with(self.tail()) && self.walks(name)
    }

    /// Whether every name that fits `other` fits this one too, where that is simple to tell.
    pub fn covers(&self, other: &Self) -> bool {
        *self.text == *b"*" || self == other || other.name().is_some_and(|name| self.fits(name))
    }

    /// Tries each length of the latest `*`, shortest first: at most the product of both lengths in steps.
    fn walks(&self, name: &[u8]) -> bool {
        let (mut at, mut read) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        while let Some(byte) = name.get(read) {
            match self.text.get(at) {
                Some(b'*') => {
                    star = Some((at + 1, read));
                    at += 1;
                }
                Some(wanted) if *wanted == b'?' || wanted == byte => {
                    at += 1;
                    read += 1;
                }
                _ => {
                    let Some((behind, from)) = star else { return false };
                    star = Some((behind, from + 1));
                    (at, read) = (behind, from + 1);
                }
            }
        }
        self.text
            .get(at..)
            .unwrap_or_default()
            .iter()
            .all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn wildcards_stand_for_bytes() {
        for (pattern, name, fits) in [
            ("acme", "acme", true),
            ("acme", "acme2", false),
            ("*.acme.example", "pbx.acme.example", true),
            ("*.acme.example", "acme.example", false),
            ("*.acme.example", "evil.acme.example.net", false),
            ("100?", "1007", true),
            ("100?", "100", false),
            ("a*b*c", "axxbyyc", true),
            ("a*b*c", "axxcyyb", false),
            ("ab*ba", "aba", false),
            ("*", "x", true),
            ("*", "", false),
            ("", "", true),
            ("[a]", "a", false),
        ] {
            assert_eq!(
                Pattern::exactly(pattern).fits(name.as_bytes()),
                fits,
                "{pattern} {name}"
            );
        }
        assert!(Pattern::folded("ACME.Example").fits(b"acme.example"));
        assert!(!Pattern::exactly("Alice").fits(b"alice"));
    }

    /// The same by the definition.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|skip| naive(rest, &name[skip..])),
            Some((b'?', rest)) => !name.is_empty() && naive(rest, &name[1..]),
            Some((byte, rest)) => name.first() == Some(byte) && naive(rest, &name[1..]),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn it_fits_what_the_definition_says(pattern in "[ab*?]{1,8}", name in "[ab]{1,8}") {
            let fits = Pattern::exactly(&pattern).fits(name.as_bytes());
            prop_assert_eq!(fits, naive(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn what_covers_another_fits_at_least_as_much(wide in "[ab*?]{1,4}", narrow in "[ab*?]{1,4}", name in "[ab]{1,5}") {
            let (wide, narrow) = (Pattern::exactly(&wide), Pattern::exactly(&narrow));
            if wide.covers(&narrow) && narrow.fits(name.as_bytes()) {
                prop_assert!(wide.fits(name.as_bytes()));
            }
        }
    }
}
