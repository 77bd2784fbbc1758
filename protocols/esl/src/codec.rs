//! The frames as a tokio-util codec: cheap, shared pieces of the read buffer in, commands out.

use std::io;

use bytes::{Bytes, BytesMut};
use thiserror::Error;
use tokio_util::codec::{Decoder, Encoder};

use crate::command::Command;
use crate::condense::{Condenser, MAX_KEPT};
use crate::frame::{Frame, Kind};
use crate::head::{FramingError, Head, MAX_HEAD, MAX_LINE};

/// One frame with its bytes, which are shared with the read buffer and not copied unless the body was very large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    kind: Kind,
    head: Bytes,
    body: Bytes,
    cut: bool,
}

impl Block {
    /// The view over its bytes.
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(self.kind, &self.head, &self.body, self.cut)
    }
}

/// Why a connection ends.
#[derive(Debug, Error)]
pub enum EslError {
    /// What was sent is no frame; reconnect.
    #[error(transparent)]
    Framing(#[from] FramingError),
    /// The transport failed; reconnect.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Where in a frame the codec stands.
#[derive(Clone, Debug)]
enum State {
    /// In the headers, of which this many bytes are whole lines that were read.
    Head { read: usize, head: Head },
    /// In a body that is kept whole.
    Body { kind: Kind, head: Bytes, length: usize },
    /// In a body of which little is kept.
    Large {
        kind: Kind,
        head: Bytes,
        condenser: Condenser,
    },
    /// Behind an error: nothing is read any more.
    Broken(FramingError),
}

impl State {
    fn start() -> Self {
        Self::Head {
            read: 0,
            head: Head::default(),
        }
    }
}

/// Decodes what FreeSWITCH sends into [`Block`]s and writes commands.
///
/// A body of any size is read by its length; more than [`MAX_KEPT`] bytes of one are never held. The first framing error
/// is the last thing it says.
#[derive(Clone, Debug)]
pub struct EslCodec {
    state: State,
}

impl Default for EslCodec {
    fn default() -> Self {
        Self::new()
    }
}

impl EslCodec {
    /// A codec for a new connection.
    pub fn new() -> Self {
        Self {
            state: State::start(),
        }
    }

    fn advance(&mut self, buffer: &mut BytesMut) -> Result<Option<Block>, FramingError> {
        loop {
            match &mut self.state {
                State::Broken(error) => return Err(*error),
                State::Head { read, head } => {
                    let Some((kind, length)) = read_head(buffer, read, head)? else {
                        return Ok(None);
                    };
                    let mut lines = buffer.split_to(*read);
                    lines.truncate(read.saturating_sub(1));
                    let head = lines.freeze();
                    self.state = match usize::try_from(length) {
                        Ok(length) if length <= MAX_KEPT => State::Body { kind, head, length },
                        _ => State::Large {
                            kind,
                            head,
                            condenser: Condenser::new(length, kind == Kind::EventPlain),
                        },
                    };
                }
                State::Body { kind, head, length } => {
                    if buffer.len() < *length {
                        return Ok(None);
                    }
                    let block = Block {
                        kind: *kind,
                        head: std::mem::take(head),
                        body: buffer.split_to(*length).freeze(),
                        cut: false,
                    };
                    self.state = State::start();
                    return Ok(Some(block));
                }
                State::Large {
                    kind,
                    head,
                    condenser,
                } => {
                    let count = condenser.take(buffer);
                    drop(buffer.split_to(count));
                    let Some((body, cut)) = condenser.finish() else {
                        return Ok(None);
                    };
                    let block = Block {
                        kind: *kind,
                        head: std::mem::take(head),
                        body: body.into(),
                        cut,
                    };
                    self.state = State::start();
                    return Ok(Some(block));
                }
            }
        }
    }

    fn guarded(&mut self, buffer: &mut BytesMut) -> Result<Option<Block>, FramingError> {
        self.advance(buffer)
            .inspect_err(|error| self.state = State::Broken(*error))
    }
}

/// Reads whole header lines; kind and body length once the empty line is there, which `read` then counts, too.
fn read_head(buffer: &[u8], read: &mut usize, head: &mut Head) -> Result<Option<(Kind, u64)>, FramingError> {
    if *read == 0
        && let Some((count, length)) = usual_head(buffer)
    {
        *read = count;
        return Ok(Some((Kind::EventPlain, length)));
    }
    loop {
        let rest = buffer.get(*read..).unwrap_or_default();
        let Some(end) = memchr::memchr(b'\n', rest) else {
            let too_long = rest.len() > MAX_LINE;
            return if too_long {
                Err(FramingError::TooLong)
            } else {
                Ok(None)
            };
        };
        *read += end + 1;
        if end > MAX_LINE || *read > MAX_HEAD {
            return Err(FramingError::TooLong);
        }
        if end == 0 {
            return head.finish().map(Some);
        }
        head.add(rest.get(..end).unwrap_or_default())?;
    }
}

/// How many bytes the headers of an event have, and the length of its body, when they stand as FreeSWITCH always writes them.
fn usual_head(buffer: &[u8]) -> Option<(usize, u64)> {
    const LENGTH: &[u8] = b"Content-Length: ";
    let rest = buffer.strip_prefix(LENGTH)?;
    // more digits than these are for the long way to refuse
    let digits = rest
        .iter()
        .take(8)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let (number, rest) = rest.split_at_checked(digits)?;
    rest.strip_prefix(b"\nContent-Type: text/event-plain\n\n")?;
    let number = crate::head::number(number).filter(|_| digits > 0)?;
    Some((
        LENGTH.len() + digits + b"\nContent-Type: text/event-plain\n\n".len(),
        number,
    ))
}

impl Decoder for EslCodec {
    type Item = Block;
    type Error = EslError;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Block>, EslError> {
        Ok(self.guarded(buffer)?)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Block>, EslError> {
        if let Some(block) = self.guarded(buffer)? {
            return Ok(Some(block));
        }
        if buffer.is_empty() && matches!(self.state, State::Head { .. }) {
            return Ok(None);
        }
        buffer.clear();
        self.state = State::Broken(FramingError::Truncated);
        Err(FramingError::Truncated.into())
    }
}

impl Encoder<Command> for EslCodec {
    type Error = EslError;

    fn encode(&mut self, command: Command, buffer: &mut BytesMut) -> Result<(), EslError> {
        buffer.extend_from_slice(command.as_ref());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(stream: &[u8]) -> FramingError {
        let (mut codec, mut buffer) = (EslCodec::new(), BytesMut::from(stream));
        loop {
            match codec.decode_eof(&mut buffer) {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no error"),
                Err(EslError::Framing(error)) => return error,
                Err(EslError::Io(error)) => panic!("{error}"),
            }
        }
    }

    #[test]
    fn a_body_is_as_long_as_it_says() {
        let stream = b"Content-Type: auth/request\n\nContent-Length: 6\nContent-Type: api/response\n\nab\n\ncdContent-";
        let (mut codec, mut buffer) = (EslCodec::new(), BytesMut::from(&stream[..]));
        let request = codec.decode(&mut buffer).unwrap().unwrap();
        assert_eq!(request.frame().kind(), Kind::AuthRequest);
        let answer = codec.decode(&mut buffer).unwrap().unwrap();
        assert_eq!(answer.frame().body(), b"ab\n\ncd");
        assert!(codec.decode(&mut buffer).unwrap().is_none());
        assert!(codec.decode_eof(&mut buffer).is_err());
    }

    #[test]
    fn usual_headers_are_read_as_any_others() {
        let frames: [&[u8]; 6] = [
            b"Content-Length: 12\nContent-Type: text/event-plain\n\n",
            b"Content-Type: text/event-plain\nContent-Length: 12\n\n",
            b"Content-Length:12\nContent-Type: text/event-plain\n\n",
            b"Content-Length: 000000012\nContent-Type: text/event-plain\n\n",
            b"Content-Length: 12\nX: y\nContent-Type: text/event-plain\n\n",
            b"Content-Length: 12\nContent-Type: text/event-plain\nX: y\n\n",
        ];
        for head in frames {
            let stream = [head, b"Event-Name: X", b"Content-Type: auth/request\n\n"].concat();
            let stream = stream.strip_suffix(b"XContent-Type: auth/request\n\n").unwrap();
            let (mut codec, mut buffer) = (EslCodec::new(), BytesMut::from(stream));
            let block = codec.decode(&mut buffer).unwrap().unwrap();
            assert_eq!(block.frame().kind(), Kind::EventPlain);
            assert_eq!(block.frame().body(), b"Event-Name: ");
            assert_eq!(
                block.frame().header(b"Content-Type"),
                Some(&b"text/event-plain"[..])
            );
            assert!(buffer.is_empty());
        }
        for wrong in ["", "x", "-1", "99999999999999999999"] {
            let head = format!("Content-Length: {wrong}\nContent-Type: text/event-plain\n\n");
            assert!(
                matches!(error(head.as_bytes()), FramingError::Length { .. }),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_large_body_is_drained_in_bounded_memory() {
        let body = [&b"a: "[..], &vec![b'x'; 3_000_000], b"\nb: c\n\n"].concat();
        let mut stream = format!(
            "Content-Length: {}\nContent-Type: text/event-plain\n\n",
            body.len()
        )
        .into_bytes();
        stream.extend_from_slice(&body);
        stream.extend_from_slice(b"Content-Type: auth/request\n\n");
        let (mut codec, mut buffer, mut blocks) = (EslCodec::new(), BytesMut::new(), Vec::new());
        for piece in stream.chunks(1448) {
            buffer.extend_from_slice(piece);
            while let Some(block) = codec.decode(&mut buffer).unwrap() {
                blocks.push(block);
            }
            assert!(buffer.len() <= 1448);
        }
        assert_eq!(blocks.len(), 2);
        assert!(blocks[0].frame().body().ends_with(b"\nb: c\n\n"));
        assert!(blocks[0].frame().body().len() < 5000);
    }

    #[test]
    fn the_first_error_is_the_last_word() {
        let mut buffer = BytesMut::from(&b"HTTP/1.1 400 Bad Request\r\n"[..]);
        let mut codec = EslCodec::new();
        assert!(codec.decode(&mut buffer).is_err());
        buffer.extend_from_slice(b"Content-Type: auth/request\n\n");
        assert!(codec.decode(&mut buffer).is_err());
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_says_so() {
        assert_eq!(error(b"Content-Ty"), FramingError::Truncated);
        assert_eq!(
            error(b"Content-Type: log/data\nContent-Length: 9\n\nabc"),
            FramingError::Truncated
        );
        assert_eq!(error(&vec![b'a'; MAX_LINE + 1]), FramingError::TooLong);
        assert_eq!(error(&b"a: b\n".repeat(20_000)), FramingError::TooLong);
    }
}
