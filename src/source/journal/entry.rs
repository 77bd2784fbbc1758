//! One entry of `journalctl -o json`: a JSON object a line.

use serde::Deserialize;

/// The longest line of journalctl's output that is read, in bytes: a message as an array of numbers takes four bytes for one.
pub(super) const LONGEST_ENTRY: usize = 512 * 1024;
/// The longest cursor; systemd's have about 120 bytes.
const LONGEST_CURSOR: usize = 1024;

/// What an entry says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) cursor: String,
    /// `None` when it has no message, or one that was too large for journalctl.
    pub(super) message: Option<Vec<u8>>,
    /// When it was received, in microseconds since 1970.
    pub(super) micros: Option<u64>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(rename = "__CURSOR")]
    cursor: String,
    #[serde(rename = "__REALTIME_TIMESTAMP")]
    micros: Option<String>,
    #[serde(rename = "MESSAGE")]
    message: Option<Message>,
}

/// Text, or bytes when it is not printable UTF-8, or several when the field was given more than once.
#[derive(Deserialize)]
#[serde(untagged)]
enum Message {
    Text(String),
    Bytes(Vec<u8>),
    Several(Vec<Message>),
}

impl Message {
    /// The first one; journald takes what a program sends, and it may send several.
    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Self::Text(text) => Some(text.into_bytes()),
            Self::Bytes(bytes) => Some(bytes),
            Self::Several(several) => several.into_iter().next()?.bytes(),
        }
    }
}

impl Entry {
    /// Reads a line; `None` when it is no entry.
    pub(super) fn parse(line: &[u8]) -> Option<Self> {
        let fields: Fields = serde_json::from_slice(line).ok()?;
        let sane = !fields.cursor.is_empty()
            && fields.cursor.len() <= LONGEST_CURSOR
            && fields.cursor.bytes().all(|byte| byte.is_ascii_graphic());
        sane.then(|| Self {
            cursor: fields.cursor,
            message: fields.message.and_then(Message::bytes),
            micros: fields.micros.and_then(|micros| micros.parse().ok()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(json: &str) -> Option<Vec<u8>> {
        let line =
            format!(r#"{{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1795289079140000","MESSAGE":{json}}}"#);
        let entry = Entry::parse(line.as_bytes()).unwrap();
        assert_eq!(entry.micros, Some(1_795_289_079_140_000));
        entry.message
    }

    #[test]
    fn a_message_is_text_or_bytes() {
        assert_eq!(message(r#""a\"b\n""#).unwrap(), b"a\"b\n");
        assert_eq!(message("[102,255,0]").unwrap(), [102, 255, 0]);
        assert_eq!(message(r#"["one","two"]"#).unwrap(), b"one");
        assert_eq!(message("null"), None);
    }

    #[test]
    fn what_is_no_entry_is_none() {
        for line in [
            &b"-- No entries --"[..],
            b"{}",
            b"\xff",
            br#"{"__CURSOR":"a b"}"#,
            br#"{"__CURSOR":""}"#,
            br#"{"__CURSOR":"s=1","MESSAGE":[300]}"#,
        ] {
            assert_eq!(Entry::parse(line), None);
        }
        let deep = [br#"{"__CURSOR":"s=1","MESSAGE":"#.to_vec(), b"[".repeat(100_000)].concat();
        assert_eq!(Entry::parse(&deep), None);
    }
}
