//! What is sent to the manager interface.

use std::fmt;

use thiserror::Error;

/// Asterisk takes lines of at most this many bytes, their ending included.
const MAX_LINE: usize = 1024;

/// Why an action can't be written.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ActionError {
    /// The configuration holds a user name, secret or other value with a line break or NUL in it; the admin must correct it.
    #[error("the value of {header} holds a line break or NUL, which the manager interface can't carry")]
    LineBreak {
        /// The header whose value it is.
        header: String,
    },
    /// The configuration holds a value longer than Asterisk accepts; the admin must shorten it.
    #[error("the value of {header} makes a line longer than the 1024 bytes that Asterisk accepts")]
    TooLong {
        /// The header whose value it is.
        header: String,
    },
}

/// Bytes to send; they may hold a secret, so that they are never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Outgoing(Vec<u8>);

impl AsRef<[u8]> for Outgoing {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Outgoing({} bytes)", self.0.len())
    }
}

/// An action being written.
#[derive(Clone)]
pub struct Action {
    bytes: Vec<u8>,
}

impl Action {
    /// Begins an action, `Ping` for instance.
    pub fn new(name: &str) -> Result<Self, ActionError> {
        Self { bytes: Vec::new() }.with("Action", name.as_bytes())
    }

    /// Adds a header.
    pub fn with(mut self, header: &str, value: &[u8]) -> Result<Self, ActionError> {
        let breaks = |bytes: &[u8]| bytes.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
        if breaks(value) || breaks(header.as_bytes()) {
            return Err(ActionError::LineBreak {
                header: header.escape_debug().to_string(),
            });
        }
        if header.len() + 2 + value.len() + 2 > MAX_LINE {
            return Err(ActionError::TooLong {
                header: header.to_owned(),
            });
        }
        for part in [header.as_bytes(), b": ", value, b"\r\n"] {
            self.bytes.extend_from_slice(part);
        }
        Ok(self)
    }

    /// The finished action.
    pub fn finish(mut self) -> Outgoing {
        self.bytes.extend_from_slice(b"\r\n");
        Outgoing(self.bytes)
    }

    /// A Ping; its answer is recognised by [`crate::Response::is_pong`]. It also wakes servers that sit on events.
    ///
    /// An `id` that a peer of the PBX can't guess keeps injected lines from passing for the answer.
    pub fn ping(id: &str) -> Result<Outgoing, ActionError> {
        Ok(Self::new("Ping")?.with("ActionID", id.as_bytes())?.finish())
    }

    /// A Logoff; the server says Goodbye and closes.
    pub fn logoff(id: &str) -> Result<Outgoing, ActionError> {
        Ok(Self::new("Logoff")?.with("ActionID", id.as_bytes())?.finish())
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Action({} bytes)", self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_is_written_as_asterisk_reads_it() {
        let ping = Action::ping("p-1").unwrap();
        assert_eq!(ping.as_ref(), b"Action: Ping\r\nActionID: p-1\r\n\r\n");
    }

    #[test]
    fn no_value_can_add_a_line() {
        for value in ["a\rb", "a\nb", "a\0b"] {
            let action = Action::new("Login").unwrap().with("Secret", value.as_bytes());
            assert!(matches!(action, Err(ActionError::LineBreak { header }) if header == "Secret"));
        }
        let long = Action::new("Login").unwrap().with("Secret", &[b's'; 1100]);
        assert!(matches!(long, Err(ActionError::TooLong { .. })));
    }

    #[test]
    fn what_is_sent_is_never_shown() {
        let action = Action::new("Login").unwrap().with("Secret", b"hunter2").unwrap();
        assert!(!format!("{action:?} {:?}", action.clone().finish()).contains("hunter2"));
    }
}
