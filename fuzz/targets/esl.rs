//! An event socket that sends anything, cut anywhere: frames, login and events.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ringfence_esl::{Block, Credentials, EslCodec, Login, Mapped, Mapper, Wanted};
use tokio_util::codec::Decoder;

fuzz_target!(|input: &[u8]| {
    let Some((&piece, stream)) = input.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    let pieces = frames(stream, usize::from(piece) + 1);
    assert_eq!(
        whole, pieces,
        "the frames depend on how the network cut the stream"
    );
});

/// The frames of `stream`, fed `length` bytes at a time, each judged as the daemon would, and the error that ended it.
fn frames(stream: &[u8], length: usize) -> (Vec<Block>, Option<String>) {
    let (mut codec, mut mapper, mut buffer) = (EslCodec::new(), Mapper::new(), BytesMut::new());
    let mut login = Login::new(Credentials::password("secret"), Wanted { log: true });
    let mut frames = Vec::new();
    let mut take = |block: Block| {
        // A refused login is an answer like any other here.
        let _ = login.step(&block.frame());
        if let Mapped::Event(event) = mapper.map(&block.frame()) {
            let _ = format!("{event:?}");
        }
        frames.push(block);
    };
    for piece in stream.chunks(length) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(block)) => take(block),
                Ok(None) => break,
                Err(error) => return (frames, Some(error.to_string())),
            }
        }
    }
    let end = codec.decode_eof(&mut buffer).err();
    (frames, end.map(|error| error.to_string()))
}
