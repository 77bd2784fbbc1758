//! One frame of the event socket: what kind it is, its headers, its body.

/// What a frame is, by its Content-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `auth/request`: the first words of an event socket that lets the client in.
    AuthRequest,
    /// `command/reply`: the answer to a command.
    CommandReply,
    /// `api/response`: what an API command printed.
    ApiResponse,
    /// `text/event-plain`: an event, see [`crate::Event`].
    EventPlain,
    /// `log/data`: one record of the log, line feeds and all.
    LogData,
    /// `text/disconnect-notice`: the server is about to close.
    DisconnectNotice,
    /// `text/rude-rejection`: the event socket's access list refused the client.
    RudeRejection,
    /// Any other type; its body was read by its length all the same.
    Other,
}

impl Kind {
    pub(crate) fn of(content_type: &[u8]) -> Self {
        match content_type {
            b"auth/request" => Self::AuthRequest,
            b"command/reply" => Self::CommandReply,
            b"api/response" => Self::ApiResponse,
            b"text/event-plain" => Self::EventPlain,
            b"log/data" => Self::LogData,
            b"text/disconnect-notice" => Self::DisconnectNotice,
            b"text/rude-rejection" => Self::RudeRejection,
            _ => Self::Other,
        }
    }
}

/// A view of one frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    kind: Kind,
    head: &'a [u8],
    body: &'a [u8],
    cut: bool,
}

impl<'a> Frame<'a> {
    /// A frame of header lines (each with its line feed, without the empty line) and a body; `cut` when bytes of the body
    /// were thrown away.
    pub fn new(kind: Kind, head: &'a [u8], body: &'a [u8], cut: bool) -> Self {
        Self {
            kind,
            head,
            body,
            cut,
        }
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its body; without what was thrown away of a very large one.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether whole lines of its body are missing.
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// The value of its first header of that name, as it was sent.
    pub fn header(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.head
            .split(|byte| *byte == b'\n')
            .filter_map(|line| crate::head::header(line))
            .find_map(|(found, value)| (found == name).then_some(value))
    }

    /// The answer to a command: `+OK …` or `-ERR …`; empty for other frames.
    pub fn reply(&self) -> &'a [u8] {
        match self.kind {
            Kind::CommandReply => self.header(b"Reply-Text").unwrap_or_default(),
            _ => b"",
        }
    }
}
