//! What the kernel says: answers, errors and notifications.

use crate::attr::{ParseError, attributes, ne16, ne32};
use crate::wire::HEADER;

const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;
const SUBSYSTEM: u16 = 10 << 8;

const FLAG_DUMP_INTERRUPTED: u16 = 0x10;
const FLAG_CAPPED: u16 = 0x100;
const FLAG_ACK_ATTRIBUTES: u16 = 0x200;

/// Bytes of the nfnetlink header behind the netlink header.
const NF_HEADER: usize = 4;

/// What a message of nf_tables is about (`NFT_MSG_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Kind {
    NewTable,
    GetTable,
    DeleteTable,
    NewChain,
    GetChain,
    DeleteChain,
    NewRule,
    GetRule,
    DeleteRule,
    NewSet,
    GetSet,
    DeleteSet,
    NewElement,
    GetElement,
    DeleteElement,
    NewGeneration,
    GetGeneration,
    DestroyElement = 30,
}

impl Kind {
    const ALL: [Self; 18] = [
        Self::NewTable,
        Self::GetTable,
        Self::DeleteTable,
        Self::NewChain,
        Self::GetChain,
        Self::DeleteChain,
        Self::NewRule,
        Self::GetRule,
        Self::DeleteRule,
        Self::NewSet,
        Self::GetSet,
        Self::DeleteSet,
        Self::NewElement,
        Self::GetElement,
        Self::DeleteElement,
        Self::NewGeneration,
        Self::GetGeneration,
        Self::DestroyElement,
    ];

    pub(crate) fn number(self) -> u16 {
        SUBSYSTEM | self as u16
    }

    fn from_number(number: u16) -> Option<Self> {
        let index = number.checked_sub(SUBSYSTEM)?;
        Self::ALL.into_iter().find(|kind| *kind as u16 == index)
    }
}

/// One message.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    kind: u16,
    flags: u16,
    /// The number of the request that it answers; the sender's own for a notification.
    pub seq: u32,
    /// For a notification: the netlink port of whoever made the change.
    pub port: u32,
    payload: &'a [u8],
}

/// What a message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The request was carried out.
    Ack,
    /// The request was refused.
    Refused {
        /// The error number, positive.
        errno: i32,
        /// The kernel's own words, where it has any.
        text: Option<&'a str>,
    },
    /// The end of a dump, with an error number if it failed.
    Done(i32),
    /// Messages were lost.
    Overrun,
    /// Something of nf_tables.
    Object(Kind),
    /// Something else, of no interest.
    Other,
}

impl<'a> Message<'a> {
    /// What it means.
    pub fn reply(&self) -> Result<Reply<'a>, ParseError> {
        match self.kind {
            ERROR => self.error(),
            DONE => Ok(Reply::Done(
                ne32(self.payload, 0).map_or(0, |code| code.cast_signed().saturating_neg()),
            )),
            OVERRUN => Ok(Reply::Overrun),
            kind => Ok(Kind::from_number(kind).map_or(Reply::Other, Reply::Object)),
        }
    }

    /// Whether the ruleset changed while it was dumped, so that the dump may lack something.
    pub fn interrupted(&self) -> bool {
        self.flags & FLAG_DUMP_INTERRUPTED != 0
    }

    /// The address family that it is about.
    pub fn family(&self) -> Option<u8> {
        self.payload.first().copied()
    }

    /// The name of the table that it is about; every message of nf_tables but those on generations begins with it.
    pub fn table(&self) -> Option<&'a str> {
        let first = attributes(self.payload.get(NF_HEADER..)?).next()?.ok()?;
        if first.kind == 1 { first.name().ok() } else { None }
    }

    /// The attributes of a message of one of these kinds.
    pub(crate) fn body(&self, kinds: &[Kind]) -> Result<&'a [u8], ParseError> {
        if !kinds.iter().any(|kind| kind.number() == self.kind) {
            return Err(ParseError::Kind(self.kind));
        }
        self.payload.get(NF_HEADER..).ok_or(ParseError::Length)
    }

    fn error(&self) -> Result<Reply<'a>, ParseError> {
        let code = ne32(self.payload, 0).ok_or(ParseError::Length)?.cast_signed();
        if code == 0 {
            return Ok(Reply::Ack);
        }
        Ok(Reply::Refused {
            errno: code.saturating_neg(),
            text: self.extended_text(),
        })
    }

    /// The text behind an error code and the request it quotes (`NLMSGERR_ATTR_MSG`).
    fn extended_text(&self) -> Option<&'a str> {
        if self.flags & FLAG_ACK_ATTRIBUTES == 0 {
            return None;
        }
        let quoted = if self.flags & FLAG_CAPPED == 0 {
            usize::try_from(ne32(self.payload, 4)?)
                .ok()?
                .checked_next_multiple_of(4)?
        } else {
            HEADER
        };
        let rest = self.payload.get(quoted.checked_add(4)?..)?;
        attributes(rest)
            .map_while(Result::ok)
            .find(|attr| attr.kind == 1)?
            .name()
            .ok()
    }
}

/// Takes apart what one read from the socket gave; ends after the first malformed message.
pub fn messages(bytes: &[u8]) -> Messages<'_> {
    Messages { rest: bytes }
}

/// See [`messages`].
#[derive(Clone, Debug)]
pub struct Messages<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Messages<'a> {
    type Item = Result<Message<'a>, ParseError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let rest = std::mem::take(&mut self.rest);
        let Some((message, length)) = message(rest) else {
            return Some(Err(ParseError::Length));
        };
        self.rest = length
            .checked_next_multiple_of(4)
            .and_then(|length| rest.get(length..))
            .unwrap_or_default();
        Some(Ok(message))
    }
}

fn message(bytes: &[u8]) -> Option<(Message<'_>, usize)> {
    let length = usize::try_from(ne32(bytes, 0)?).ok()?;
    let message = Message {
        kind: ne16(bytes, 4)?,
        flags: ne16(bytes, 6)?,
        seq: ne32(bytes, 8)?,
        port: ne32(bytes, 12)?,
        payload: bytes.get(HEADER..length)?,
    };
    Some((message, length))
}
