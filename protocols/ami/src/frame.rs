//! One block of the manager interface as it stands in the buffer: its headers in order, and what kind of block it is.

use memchr::{memchr_iter, memmem};
use nom::branch::alt;
use nom::bytes::complete::{tag, take_until};
use nom::combinator::{opt, rest};
use nom::sequence::{preceded, terminated};
use nom::{IResult, Parser};

use crate::security::Kind;

/// What a line of this connection ends with.
///
/// Asterisk ends lines with CRLF, and a value can carry a bare LF or CR that an attacker put there. The first line of a
/// connection, which no attacker can touch, decides; afterwards nothing else ends a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// CRLF, what Asterisk itself sends.
    CrLf,
    /// LF alone: proxies and recordings that went through a text tool.
    Lf,
}

impl Ending {
    /// The bytes that end a line.
    pub fn bytes(self) -> &'static [u8] {
        match self {
            Self::CrLf => b"\r\n",
            Self::Lf => b"\n",
        }
    }
}

/// How a frame came out of the byte stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The line a server opens with, or a banner inside a recording of several sessions.
    Greeting,
    /// A block that an empty line ended.
    Block,
    /// A block larger than [`crate::MAX_BLOCK`]: its bytes were thrown away as they came.
    Oversized,
    /// What was left when the stream ended in the middle of a block; its last line may be cut.
    Truncated,
}

/// What stands in the buffer behind a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing yet.
    Unknown,
    /// The start of an event or a response.
    Intact,
    /// Something no server begins a block with: an empty line was injected into the block before it.
    Fragment,
}

/// A borrowed view of one block; costs nothing until it is looked into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    bytes: &'a [u8],
    ending: Ending,
    shape: Shape,
    next: Next,
}

impl<'a> Frame<'a> {
    /// A frame over `bytes`: the block's lines, each with its ending, without the empty line.
    pub fn new(bytes: &'a [u8], ending: Ending, shape: Shape, next: Next) -> Self {
        Self {
            bytes,
            ending,
            shape,
            next,
        }
    }

    /// The block's lines as they came, each with its ending.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What its lines end with.
    pub fn ending(&self) -> Ending {
        self.ending
    }

    /// How it came out of the stream.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// What stood behind it in the buffer.
    pub fn next(&self) -> Next {
        self.next
    }

    /// Its lines as headers, in order, duplicates included.
    pub fn headers(&self) -> Headers<'a> {
        Headers {
            left: self.bytes,
            ending: self.ending,
        }
    }

    /// The value of the first header of that name, compared as Asterisk writes it.
    pub fn first(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.headers()
            .find(|header| header.name == name)
            .map(|header| header.value)
    }

    /// What kind of block it is, from its first line alone.
    pub fn class(&self) -> Class<'a> {
        match self.shape {
            Shape::Greeting => return Class::Greeting,
            Shape::Oversized | Shape::Truncated => return Class::Fragment,
            Shape::Block => {}
        }
        if let Ok((_, event)) = header(self.ending, b"Event")(self.bytes) {
            return match event {
                b"Shutdown" => Class::Shutdown,
                b"FullyBooted" => Class::FullyBooted,
                _ => Kind::from_name(event).map_or(Class::OtherEvent, Class::SecurityEvent),
            };
        }
        match header(self.ending, b"Response")(self.bytes) {
            Ok((_, word)) => Class::Response(Response { word, frame: *self }),
            Err(_) => Class::Fragment,
        }
    }
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Frame({:?}, {:?}, \"{}\")",
            self.shape,
            self.next,
            self.bytes.escape_ascii()
        )
    }
}

/// What kind of block a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class<'a> {
    /// The server's opening line.
    Greeting,
    /// An answer to an action.
    Response(Response<'a>),
    /// An event that names itself one of the fifteen security events; [`crate::Mapper`] judges it.
    SecurityEvent(Kind),
    /// The server is going down. A hint only: an injected line can say so too.
    Shutdown,
    /// The server has finished booting. A hint only, and never sent to a user without class `system`.
    FullyBooted,
    /// An event that is of no interest.
    OtherEvent,
    /// Not a block that a server would send: a piece of a block that an injected empty line cut, or a lost one.
    Fragment,
}

/// An answer to an action.
///
/// An injected line can begin a block with `Response:` too, so an answer counts only with the `ActionID` that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response<'a> {
    word: &'a [u8],
    frame: Frame<'a>,
}

impl<'a> Response<'a> {
    /// Whether the action succeeded (`Success`, or `Goodbye` after a Logoff).
    pub fn is_success(&self) -> bool {
        self.word == b"Success" || self.word == b"Goodbye"
    }

    /// Whether it answers the action that was sent with `id`.
    pub fn answers(&self, id: &str) -> bool {
        self.frame.first(b"ActionID") == Some(id.as_bytes())
    }

    /// Whether it is the Pong of the Ping that was sent with `id`.
    pub fn is_pong(&self, id: &str) -> bool {
        self.answers(id) && self.frame.first(b"Ping") == Some(b"Pong")
    }

    /// What the server says about it; empty when it says nothing.
    pub fn message(&self) -> &'a [u8] {
        self.frame.first(b"Message").unwrap_or_default()
    }

    /// The value of the first header of that name.
    pub fn first(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.frame.first(name)
    }
}

/// One line of a block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// What stands before the colon; empty for a line without one.
    pub name: &'a [u8],
    /// What stands after it, without the one space that Asterisk writes; the whole line when it has no colon.
    pub value: &'a [u8],
}

impl std::fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "\"{}: {}\"",
            self.name.escape_ascii(),
            self.value.escape_ascii()
        )
    }
}

/// The lines of a frame, in order.
#[derive(Clone, Debug)]
pub struct Headers<'a> {
    left: &'a [u8],
    ending: Ending,
}

impl<'a> Iterator for Headers<'a> {
    type Item = Header<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left.is_empty() {
            return None;
        }
        let (left, line) = line(self.ending)(self.left).ok()?;
        self.left = left;
        Some(split_header(line))
    }
}

fn split_header(line: &[u8]) -> Header<'_> {
    let mut parts = (
        terminated(take_until::<_, _, ()>(":"), tag(":")),
        preceded(opt(tag(" ")), rest),
    );
    match parts.parse(line) {
        Ok((_, (name, value))) => Header { name, value },
        Err(_) => Header {
            name: b"",
            value: line,
        },
    }
}

/// One line without its ending; the last line of a cut block may lack it.
fn line(ending: Ending) -> impl Fn(&[u8]) -> IResult<&[u8], &[u8], ()> {
    move |input| alt((whole_line(ending), rest)).parse(input)
}

/// One line with its ending, which is taken off.
#[inline]
fn whole_line(ending: Ending) -> impl Fn(&[u8]) -> IResult<&[u8], &[u8], ()> {
    move |input| {
        let end = memchr_iter(b'\n', input)
            .find_map(|at| match ending {
                Ending::Lf => Some(at),
                Ending::CrLf => at.checked_sub(1).filter(|&cr| input.get(cr) == Some(&b'\r')),
            })
            .ok_or(nom::Err::Error(()))?;
        let (value, behind) = input.split_at(end);
        Ok((behind.get(ending.bytes().len()..).unwrap_or_default(), value))
    }
}

/// The value of a header that must stand here under exactly this name, its line complete.
///
/// Exactly one space stands behind the colon, as Asterisk writes it in front of empty values too; demanding it keeps what
/// fits into a short name small.
///
/// This is what the hot path consists of, so it compares in place instead of combining parsers.
#[inline]
pub(crate) fn header<'a>(
    ending: Ending,
    name: &'static [u8],
) -> impl Fn(&'a [u8]) -> IResult<&'a [u8], &'a [u8], ()> {
    move |input| {
        let behind = input
            .strip_prefix(name)
            .and_then(|behind| behind.strip_prefix(b": "));
        whole_line(ending)(behind.ok_or(nom::Err::Error(()))?)
    }
}

/// How many lines of `block` begin with `start`.
pub(crate) fn lines_that_begin(block: &[u8], start: &[u8], ending: Ending) -> usize {
    memmem::find_iter(block, start)
        .filter(|&at| {
            at == 0
                || block
                    .get(..at)
                    .is_some_and(|before| before.ends_with(ending.bytes()))
        })
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(bytes: &[u8]) -> Frame<'_> {
        Frame::new(bytes, Ending::CrLf, Shape::Block, Next::Unknown)
    }

    #[test]
    fn headers_keep_their_order_and_their_duplicates() {
        let frame = block(b"Event: X\r\nA: 1\r\nB:\r\nA:  2\r\nno colon\r\n");
        let seen: Vec<_> = frame.headers().map(|h| (h.name, h.value)).collect();
        assert_eq!(
            seen,
            [
                (&b"Event"[..], &b"X"[..]),
                (b"A", b"1"),
                (b"B", b""),
                (b"A", b" 2"),
                (b"", b"no colon")
            ]
        );
    }

    #[test]
    fn only_the_connections_own_ending_ends_a_line() {
        let frame = block(b"Event: X\r\nA: 1\nRemoteAddress: 2\rC: 3\r\n");
        assert_eq!(frame.first(b"A"), Some(&b"1\nRemoteAddress: 2\rC: 3"[..]));
        assert_eq!(frame.first(b"RemoteAddress"), None);
    }

    #[test]
    fn blocks_are_classified_by_their_first_line() {
        assert_eq!(block(b"Event: TestEvent\r\n").class(), Class::OtherEvent);
        assert_eq!(block(b"Event: Shutdown\r\n").class(), Class::Shutdown);
        assert_eq!(block(b"Event: FullyBooted\r\n").class(), Class::FullyBooted);
        assert_eq!(
            block(b"SessionID: x\r\nEvent: FailedACL\r\n").class(),
            Class::Fragment
        );
        assert_eq!(
            block(b"Event: FailedACL\r\n").class(),
            Class::SecurityEvent(Kind::FailedAcl)
        );
    }

    #[test]
    fn a_server_writes_a_space_behind_the_colon() {
        assert_eq!(block(b"Event:FailedACL\r\n").class(), Class::Fragment);
        assert_eq!(block(b"Response:Success\r\n").class(), Class::Fragment);
    }

    #[test]
    fn a_pong_is_ours_only_with_our_id() {
        let frame = block(b"Response: Success\r\nActionID: p-7\r\nPing: Pong\r\n");
        let Class::Response(response) = frame.class() else {
            panic!("a response");
        };
        assert!(response.is_success() && response.is_pong("p-7"));
        assert!(!response.is_pong("p-8"));
        let forged = block(b"Response: Success\r\nPing: Pong\r\n");
        assert!(matches!(forged.class(), Class::Response(r) if !r.is_pong("p-7")));
    }

    #[test]
    fn lines_are_counted_only_where_they_begin() {
        let text = b"SessionID: a SessionID: b\r\nx\nSessionID: c\r\nSessionID: d\r\n";
        assert_eq!(lines_that_begin(text, b"SessionID:", Ending::CrLf), 2);
    }
}
