//! The splitter as a tokio-util codec: cheap, shared pieces of the read buffer in, actions out.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::action::Outgoing;
use crate::frame::{Ending, Frame, Next, Shape};
use crate::split::{Cut, Splitter};

/// One frame with its bytes, which are shared with the read buffer and not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    bytes: Bytes,
    ending: Ending,
    shape: Shape,
    next: Next,
}

impl Block {
    /// The view over its bytes.
    pub fn frame(&self) -> Frame<'_> {
        Frame::new(&self.bytes, self.ending, self.shape, self.next)
    }

    /// How many bytes its lines have.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether it has no bytes: an oversized block's were thrown away.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// Decodes what Asterisk sends into [`Block`]s and writes actions.
///
/// Decoding never fails: what is no frame comes out as one of another [`Shape`], and what is too large is thrown away and
/// counted, since a connection that an attacker can end is a blind one. Errors are those of the transport.
#[derive(Clone, Debug, Default)]
pub struct AmiCodec {
    splitter: Splitter,
}

impl AmiCodec {
    /// A codec for a new connection.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many blocks were larger than [`crate::MAX_BLOCK`].
    pub fn oversized(&self) -> u64 {
        self.splitter.oversized()
    }

    fn take(
        &mut self,
        buffer: &mut BytesMut,
        mut cut: impl FnMut(&mut Splitter, &[u8]) -> Cut,
    ) -> Option<Block> {
        loop {
            match cut(&mut self.splitter, buffer) {
                Cut::More => return None,
                Cut::Discard(count) => drop(buffer.split_to(count)),
                Cut::Frame {
                    content,
                    whole,
                    ending,
                    shape,
                    next,
                } => {
                    let mut bytes = buffer.split_to(whole);
                    bytes.truncate(content);
                    return Some(Block {
                        bytes: bytes.freeze(),
                        ending,
                        shape,
                        next,
                    });
                }
            }
        }
    }
}

impl Decoder for AmiCodec {
    type Item = Block;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> Result<Option<Block>, io::Error> {
        Ok(self.take(buffer, Splitter::cut))
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> Result<Option<Block>, io::Error> {
        Ok(self.take(buffer, Splitter::finish))
    }
}

impl Encoder<Outgoing> for AmiCodec {
    type Error = io::Error;

    fn encode(&mut self, action: Outgoing, buffer: &mut BytesMut) -> Result<(), io::Error> {
        buffer.extend_from_slice(action.as_ref());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::action::Action;

    #[test]
    fn frames_share_the_read_buffer() {
        let mut buffer = BytesMut::from(&b"Asterisk Call Manager/11.0.0\r\n\r\nEvent: X\r\n\r\nEve"[..]);
        let mut codec = AmiCodec::new();
        let banner = codec.decode(&mut buffer).unwrap().unwrap();
        assert_eq!(banner.frame().shape(), Shape::Greeting);
        let event = codec.decode(&mut buffer).unwrap().unwrap();
        assert_eq!(event.frame().bytes(), b"Event: X\r\n");
        assert_eq!(event.frame().next(), Next::Intact);
        assert!(codec.decode(&mut buffer).unwrap().is_none());
        assert_eq!(&buffer[..], b"Eve");
        let rest = codec.decode_eof(&mut buffer).unwrap().unwrap();
        assert_eq!(rest.frame().shape(), Shape::Truncated);
    }

    #[test]
    fn actions_are_written_as_they_are() {
        let mut buffer = BytesMut::new();
        AmiCodec::new()
            .encode(Action::ping("p-1").unwrap(), &mut buffer)
            .unwrap();
        assert_eq!(&buffer[..], b"Action: Ping\r\nActionID: p-1\r\n\r\n");
    }
}
