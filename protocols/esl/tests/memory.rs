//! A frame of three megabytes costs less than one of memory. A program of its own, so that nothing else is counted.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

use std::fs;

use bytes::BytesMut;
use ringfence_esl::{EslCodec, Mapped, Mapper};
use ringfence_event::Cause;
use tokio_util::codec::Decoder;

/// What one unauthenticated request made FreeSWITCH write: a User-Agent of 1 MB of 0xff, each `%FF` in the event.
const AGENT: usize = 3_000_000;
/// What reading it may cost, in bytes.
const MOST: u64 = 1_000_000;
/// What a socket brings at once.
const PIECE: usize = 64 * 1024;

/// The most memory that was ever resident since [`forget_peak`], in bytes.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Makes what is resident now the peak.
fn forget_peak() {
    fs::write("/proc/self/clear_refs", "5").unwrap();
}

/// An attempt whose agent is `agent` bytes long, written piece by piece so that it is nowhere held as a whole.
fn pieces(agent: usize, mut each: impl FnMut(&[u8])) {
    let before = "Event-Subclass: sofia%3A%3Aregister_attempt\nEvent-Name: CUSTOM\nEvent-Sequence: 766\nprofile-name: internal\n\
         from-user: 1000\nfrom-host: tenant-a.example\nnetwork-ip: 192.0.2.9\nnetwork-port: 57269\nusername: 1000\n\
         realm: tenant-a.example\nuser-agent: ";
    let behind = "\nauth-result: FORBIDDEN\n\n";
    let length = before.len() + agent + behind.len();
    each(format!("Content-Length: {length}\nContent-Type: text/event-plain\n\n{before}").as_bytes());
    let some = b"%FF".repeat(PIECE / 3);
    let mut left = agent;
    while left > 0 {
        let count = left.min(some.len());
        each(&some[..count]);
        left -= count;
    }
    each(behind.as_bytes());
}

/// Reads `frames` attempts on one connection; each must be understood in spite of its size.
fn read(frames: usize, agent: usize) {
    let (mut codec, mut mapper, mut buffer) =
        (EslCodec::new(), Mapper::new(), BytesMut::with_capacity(PIECE));
    let mut told = 0;
    for _ in 0..frames {
        pieces(agent, |piece| {
            buffer.extend_from_slice(piece);
            while let Some(block) = codec.decode(&mut buffer).unwrap() {
                let Mapped::Event(event) = mapper.map(&block.frame()) else {
                    panic!("not understood");
                };
                assert_eq!(event.cause, Cause::WrongPassword);
                assert_eq!(event.peer.addr().to_string(), "192.0.2.9");
                told += 1;
            }
        });
    }
    assert_eq!(told, frames);
}

#[test]
fn a_frame_of_three_megabytes_costs_less_than_one() {
    // What the program itself needs is resident before it is measured.
    read(1, 100);
    forget_peak();
    let before = peak();
    // A body held whole shows up here: the measure itself works.
    let whole = b"%FF".repeat(AGENT / 3);
    assert!(peak() - before >= whole.len() as u64 * 9 / 10);
    drop(whole);
    forget_peak();
    let before = peak();
    read(20, AGENT);
    let grown = peak() - before;
    assert!(grown < MOST, "{grown} bytes for frames of {AGENT}");
}
