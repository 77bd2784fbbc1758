//! A manager connection that sends anything, cut anywhere: frames, login and events.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ringfence_ami::{AmiCodec, Auth, Credentials, Login, Mapped, Mapper};
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

/// The frames of `stream`, fed `length` bytes at a time; each is judged as the daemon would.
fn frames(stream: &[u8], length: usize) -> Vec<Vec<u8>> {
    let (mut codec, mut mapper, mut buffer) = (AmiCodec::new(), Mapper::new(), BytesMut::new());
    let mut login = Login::new(Credentials::new("ringfence", "secret", Auth::Md5), "id");
    let mut frames = Vec::new();
    let mut take = |block: ringfence_ami::Block| {
        let frame = block.frame();
        // A refused login is an answer like any other here.
        let _ = login.step(&frame);
        frames.push(frame.bytes().to_vec());
        if let Mapped::Event(event) = mapper.map(&frame) {
            let _ = format!("{event:?}");
        }
    };
    for piece in stream.chunks(length) {
        buffer.extend_from_slice(piece);
        while let Some(block) = codec.decode(&mut buffer).expect("no input is an error") {
            take(block);
        }
    }
    while let Some(block) = codec.decode_eof(&mut buffer).expect("no input is an error") {
        take(block);
    }
    frames
}
