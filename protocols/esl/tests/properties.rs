//! What holds for any bytes at all.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use bytes::BytesMut;
use proptest::prelude::*;
use ringfence_esl::{Block, EslCodec, Mapped, Mapper, decode};
use tokio_util::codec::Decoder;

/// Frames and mapped results of `stream`, fed in pieces, and how it ended.
fn run(stream: &[u8], length: usize) -> (Vec<Block>, Vec<Mapped>, Option<String>) {
    let (mut codec, mut mapper, mut buffer) = (EslCodec::new(), Mapper::new(), BytesMut::new());
    let (mut blocks, mut results) = (Vec::new(), Vec::new());
    for piece in stream.chunks(length) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(block)) => {
                    results.push(mapper.map(&block.frame()));
                    blocks.push(block);
                }
                Ok(None) => break,
                Err(error) => return (blocks, results, Some(error.to_string())),
            }
        }
    }
    let end = codec.decode_eof(&mut buffer).err();
    (blocks, results, end.map(|error| error.to_string()))
}

fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\n".to_vec()),
        2 => Just(b"Content-Type: text/event-plain\n".to_vec()),
        1 => Just(b"Content-Type: auth/request\n\n".to_vec()),
        2 => (0_u32..80).prop_map(|n| format!("Content-Length: {n}\n").into_bytes()),
        1 => Just(b"Content-Length: 70000\nContent-Type: text/event-plain\n\n".to_vec()),
        2 => Just(b"Event-Name: CUSTOM\nEvent-Subclass: sofia%3A%3Aregister_failure\n".to_vec()),
        2 => Just(b"network-ip: 192.0.2.1\n".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
        1 => Just(vec![b'x'; 30_000]),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_how_the_network_cut_the_stream(stream in hostile(), length in 1_usize..3000) {
        prop_assert_eq!(run(&stream, stream.len().max(1)), run(&stream, length));
    }

    #[test]
    fn no_value_of_a_user_agent_blames_another_address(agent in proptest::collection::vec(any::<u8>(), 0..300)) {
        // FreeSWITCH writes a line feed in a value as %0A, so no value has a raw one.
        let agent: Vec<u8> = agent.into_iter().map(|byte| if byte == b'\n' { b'%' } else { byte }).collect();
        let body = [
            b"Event-Subclass: sofia%3A%3Aregister_failure\nEvent-Name: CUSTOM\nto-user: 1000\nnetwork-ip: 192.0.2.1\n\
              user-agent: ".as_slice(),
            &agent,
            b"\nregistration-type: REGISTER\n\n",
        ]
        .concat();
        let head = format!("Content-Length: {}\nContent-Type: text/event-plain\n\n", body.len());
        let (_, results, end) = run(&[head.as_bytes(), &body].concat(), 1448);
        prop_assert_eq!(end, None);
        let [Mapped::Event(event)] = &results[..] else {
            return Err(TestCaseError::fail(format!("{results:?}")));
        };
        prop_assert_eq!(event.peer.addr().to_string(), "192.0.2.1");
        prop_assert_eq!(event.account.as_bytes(), b"1000");
    }

    #[test]
    fn decoding_never_lengthens(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(decode(&value).len() <= value.len());
    }
}
