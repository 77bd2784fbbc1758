//! Measures how many security events a second one core splits and maps: `cargo run --release -p ringfence-ami --features
//! codec --example speed`. A number as argument maps that many, for counting instructions under callgrind.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::cast_precision_loss,
    reason = "a measurement prints"
)]

use std::hint::black_box;
use std::time::Instant;

use bytes::BytesMut;
use ringfence_ami::{AmiCodec, Mapped, Mapper};
use tokio_util::codec::Decoder;

fn main() {
    let count = std::env::args()
        .nth(1)
        .map_or(2_000_000, |number| number.parse().unwrap());
    let event = b"Event: ChallengeResponseFailed\r\nPrivilege: security,all\r\n\
        EventTV: 2026-11-21T19:24:39.140+0000\r\nSeverity: Error\r\nService: PJSIP\r\nEventVersion: 1\r\n\
        AccountID: alice\r\nSessionID: 5f8qj4frj4akh018n2kh\r\nLocalAddress: IPV4/UDP/192.0.2.22/5060\r\n\
        RemoteAddress: IPV4/UDP/192.0.2.101/47117\r\nChallenge: 1795289079/8ad0ab34dd6dc3ec93db9b7fae11d1d8\r\n\
        Response: 6233dd2d5b77da57c39314ce601e37fa\r\nExpectedResponse: \r\n\r\n";
    // about what one read of a busy socket returns
    let per_read = 64 * 1024 / event.len();
    let read = event.repeat(per_read);
    let (mut codec, mut mapper) = (AmiCodec::new(), Mapper::new());
    let mut buffer = BytesMut::from(&b"Asterisk Call Manager/11.0.0\r\n"[..]);
    let (mut frames, mut events, mut fed) = (0usize, 0usize, 0usize);
    let start = Instant::now();
    while fed < count {
        buffer.extend_from_slice(&read);
        fed += per_read;
        while let Some(block) = codec.decode(&mut buffer).unwrap() {
            frames += 1;
            if let Mapped::Event(event) = black_box(mapper.map(&block.frame())) {
                events += usize::from(event.peer.port() == 47117);
            }
        }
    }
    let took = start.elapsed();
    let nanos = took.as_nanos() as f64 / events as f64;
    println!(
        "{frames} frames of {} bytes, {events} events, {nanos:.0} ns each",
        event.len()
    );

    // one event of 120 kB that arrives byte by byte
    let long = [
        &b"Event: UserEvent\r\nData: "[..],
        &b"v".repeat(120_000),
        b"\r\n\r\n",
    ]
    .concat();
    let start = Instant::now();
    for byte in &long {
        buffer.extend_from_slice(&[*byte]);
        black_box(codec.decode(&mut buffer).unwrap());
    }
    println!(
        "120 kB byte by byte: {:.1} ms",
        start.elapsed().as_secs_f64() * 1000.0
    );
}
