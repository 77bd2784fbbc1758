//! Text from the wire: any bytes, bounded, escaped when shown.

use std::fmt;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Bytes kept of one value.
const CAP: usize = 63;
/// Hexadecimal digits of the digest that stands for the rest of a longer value.
const DIGEST_HEX: usize = 24;
/// Bytes kept in front of the digest of a longer value.
const HEAD: usize = CAP - DIGEST_HEX - 1;

/// A value that a peer chose: any bytes, kept inline in bounded space, escaped whenever it is shown.
///
/// Up to 63 bytes are kept as they are. A longer value keeps its first 38 bytes, a `~` and 24 hexadecimal digits of its
/// SHA-256, so that two long values that begin alike stay different: an attacker can't have many attempts folded into one
/// by sending Call-IDs with a common beginning.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text {
    len: u8,
    bytes: [u8; CAP],
}

impl Text {
    /// No text.
    pub const EMPTY: Self = Self {
        len: 0,
        bytes: [0; CAP],
    };

    /// Takes any bytes; never fails, never allocates.
    pub fn new(value: &[u8]) -> Self {
        let mut text = Self::EMPTY;
        if value.len() <= CAP {
            text.push(value);
        } else {
            text.push(value.get(..HEAD).unwrap_or_default());
            text.push(b"~");
            for byte in Sha256::digest(value).iter().take(DIGEST_HEX / 2) {
                text.push(&[hex_digit(byte >> 4), hex_digit(byte & 0x0f)]);
            }
        }
        text
    }

    /// The kept bytes, unescaped: for comparing and hashing, never for showing.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn push(&mut self, more: &[u8]) {
        let start = usize::from(self.len);
        if let Some(room) = self.bytes.get_mut(start..start + more.len()) {
            room.copy_from_slice(more);
            self.len = u8::try_from(start + more.len()).unwrap_or(u8::MAX);
        }
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl From<&str> for Text {
    fn from(value: &str) -> Self {
        Self::new(value.as_bytes())
    }
}

/// Printable text as it is, everything else as `\xNN` (and a backslash doubled): one line, safe on a terminal.
impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.as_bytes().utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '\\' {
                    f.write_str("\\\\")?;
                } else if is_safe(c) {
                    fmt::Write::write_char(f, c)?;
                } else {
                    let mut utf8 = [0; 4];
                    for byte in c.encode_utf8(&mut utf8).bytes() {
                        write!(f, "\\x{byte:02x}")?;
                    }
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Letters, digits and signs that move no cursor and reverse no line: no controls, no separators other than the plain
/// space, no bidirectional or invisible format characters.
fn is_safe(c: char) -> bool {
    if c.is_ascii() {
        return (' '..='~').contains(&c);
    }
    !(c.is_control()
        || c.is_whitespace()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'))
}

fn hex_digit(nibble: u8) -> u8 {
    match nibble {
        0..=9 => b'0' + nibble,
        _ => b'a' + (nibble & 0x0f) - 10,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn short_values_are_kept_whole() {
        assert_eq!(Text::new(b"alice").as_bytes(), b"alice");
        assert_eq!(Text::new(&[b'a'; CAP]).as_bytes(), [b'a'; CAP]);
        assert!(Text::new(b"").is_empty());
    }

    #[test]
    fn long_values_with_a_common_beginning_stay_different() {
        let (mut one, mut two) = (vec![b'c'; 4000], vec![b'c'; 4000]);
        one.push(b'1');
        two.push(b'2');
        assert_ne!(Text::new(&one), Text::new(&two));
        assert_eq!(Text::new(&one), Text::new(&one));
        assert_eq!(Text::new(&one).as_bytes().len(), CAP);
    }

    #[test]
    fn what_is_shown_moves_no_cursor() {
        assert_eq!(
            Text::new(b"a\r\nb\x1b[31m\\\xff\0").to_string(),
            "a\\x0d\\x0ab\\x1b[31m\\\\\\xff\\x00"
        );
        assert_eq!(
            Text::from("J\u{fc}rgen \u{202e}x\u{2028}").to_string(),
            "J\u{fc}rgen \\xe2\\x80\\xaex\\xe2\\x80\\xa8"
        );
        assert_eq!(
            serde_json::to_string(&Text::new(b"x\"\xff")).unwrap(),
            r#""x\"\\xff""#
        );
    }

    proptest! {
        #[test]
        fn any_bytes_are_shown_on_one_printable_line(value in proptest::collection::vec(any::<u8>(), 0..300)) {
            let shown = Text::new(&value).to_string();
            prop_assert!(shown.chars().all(is_safe));
        }
    }
}
