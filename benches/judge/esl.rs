//! The event socket: the bytes of a recorded FreeSWITCH, with other addresses, users and Call-IDs in them.

use std::fmt::Write as _;
use std::hint::black_box;

use bytes::BytesMut;
use ringfence::engine::{Engine, Verdict};
use ringfence_esl::{EslCodec, Mapped, Mapper};
use ringfence_event::{Moment, Span};
use tokio_util::codec::Decoder;

use super::{PEERS, READ};

/// One wrong password at a real server: `pre_register`, `register_attempt`, `register_failure`.
const RECORDED: &str = include_str!("../../tests/captures/freeswitch/register_badpw.narrow.raw");

/// Feeds the recording in pieces as a socket would, and judges every event. The failure behind an attempt is recognised as its
/// other half and does not reach the engine; without the attempt each failure does.
pub fn pass(recording: &[u8], engine: &mut Engine, start: Moment) -> u32 {
    let (mut codec, mut mapper, mut buffer) = (EslCodec::new(), Mapper::new(), BytesMut::with_capacity(READ));
    let mut verdicts: Vec<Verdict> = Vec::new();
    let mut judged = 0;
    for piece in recording.chunks(READ) {
        buffer.extend_from_slice(piece);
        while let Some(block) = codec.decode(&mut buffer).unwrap() {
            if let Mapped::Event(event) = mapper.map(&block.frame()) {
                engine.observe(
                    start + Span::from_millis(u64::from(judged / 10)),
                    &event,
                    &mut verdicts,
                );
            }
            judged += 1;
        }
        black_box(&verdicts);
        verdicts.clear();
    }
    judged
}

/// Wrong passwords as they come: an attempt, then its failure.
pub fn attempts(events: u32) -> Vec<u8> {
    let (attempt, failure) = (recorded("register_attempt"), recorded("register_failure"));
    let mut text = String::new();
    for n in 0..events / 2 {
        frame(&mut text, &attempt, n, 2 * n);
        frame(&mut text, &failure, n, 2 * n + 1);
    }
    text.into_bytes()
}

/// Failures alone, each decided by the engine.
pub fn failures(events: u32) -> Vec<u8> {
    let failure = recorded("register_failure");
    let mut text = String::new();
    for n in 0..events {
        frame(&mut text, &failure, n, n);
    }
    text.into_bytes()
}

/// The headers of the recorded event of that subclass.
fn recorded(subclass: &str) -> Vec<(&'static str, &'static str)> {
    RECORDED
        .split("\n\n")
        .find(|part| part.contains(&format!("sofia%3A%3A{subclass}\n")))
        .unwrap()
        .lines()
        .map(|line| line.split_once(": ").unwrap())
        .collect()
}

/// The event again, from attacker `n`, as the `sequence`-th.
fn frame(text: &mut String, headers: &[(&str, &str)], n: u32, sequence: u32) {
    let peer = n.wrapping_mul(2_654_435_761) % PEERS;
    let address = format!("10.{}.{}.{}", peer >> 16, (peer >> 8) & 255, peer & 255);
    let (account, port) = (1000 + peer % 5000, 1024 + n % 60_000);
    let mut body = String::with_capacity(1024);
    for (name, value) in headers {
        match *name {
            "network-ip" => writeln!(body, "{name}: {address}"),
            "network-port" => writeln!(body, "{name}: {port}"),
            "from-user" | "to-user" | "username" => writeln!(body, "{name}: {account}"),
            "call-id" => writeln!(body, "{name}: {n:08x}{:012x}%40lab", n ^ 0x5a5a_5a5a),
            "contact" => writeln!(body, "{name}: %22%22%20%3Csip%3Alab%40{address}%3A{port}%3E"),
            "Event-Sequence" => writeln!(body, "{name}: {}", 764 + sequence),
            "Event-Date-Timestamp" => {
                writeln!(body, "{name}: {}", 1_795_289_700_909_824 + u64::from(n) * 100)
            }
            _ => writeln!(body, "{name}: {value}"),
        }
        .unwrap();
    }
    body.push('\n');
    write!(
        text,
        "Content-Length: {}\nContent-Type: text/event-plain\n\n{body}",
        body.len()
    )
    .unwrap();
}
