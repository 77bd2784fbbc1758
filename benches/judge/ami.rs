//! The AMI: what Asterisk 22 sends.

use std::fmt::Write as _;
use std::hint::black_box;

use bytes::BytesMut;
use ringfence::engine::{Engine, Verdict};
use ringfence_ami::{AmiCodec, Mapped, Mapper};
use ringfence_event::{Moment, Span};
use tokio_util::codec::Decoder;

use super::{PEERS, READ};

/// Feeds the recording in pieces as a socket would, and judges every event.
pub fn pass(recording: &[u8], engine: &mut Engine, start: Moment) -> u32 {
    let (mut codec, mut mapper, mut buffer) = (AmiCodec::new(), Mapper::new(), BytesMut::with_capacity(READ));
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
                judged += 1;
            }
        }
        black_box(&verdicts);
        verdicts.clear();
    }
    judged
}

/// What Asterisk 22 sends for wrong passwords, successes and unknown accounts, from many addresses.
pub fn recording(events: u32) -> Vec<u8> {
    let mut text = String::from("Asterisk Call Manager/11.0.0\r\n");
    for n in 0..events / 2 {
        let peer = n.wrapping_mul(2_654_435_761) % PEERS;
        let address = format!("10.{}.{}.{}", peer >> 16, (peer >> 8) & 255, peer & 255);
        let (account, call) = (
            format!("{}", 1000 + peer % 5000),
            format!("{n:08x}{:08x}@{address}", n ^ 0x5a5a_5a5a),
        );
        event(
            &mut text,
            "ChallengeSent",
            "Informational",
            &account,
            &call,
            &address,
            "Challenge: \r\n",
        );
        match n % 3 {
            0 => event(
                &mut text,
                "SuccessfulAuth",
                "Informational",
                &account,
                &call,
                &address,
                "UsingPassword: 1\r\n",
            ),
            _ => event(
                &mut text,
                "ChallengeResponseFailed",
                "Error",
                &account,
                &call,
                &address,
                "Challenge: 1795289077/ca1bca771b631c412be86f56e048f6ab\r\nResponse: badd5ce6655681acffef4c2e5596a72b\r\n\
                 ExpectedResponse: \r\n",
            ),
        }
    }
    text.into_bytes()
}

fn event(
    text: &mut String,
    name: &str,
    severity: &str,
    account: &str,
    call: &str,
    address: &str,
    tail: &str,
) {
    write!(
        text,
        "Event: {name}\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T19:24:37.051+0000\r\nSeverity: {severity}\r\n\
         Service: PJSIP\r\nEventVersion: 1\r\nAccountID: {account}\r\nSessionID: {call}\r\n\
         LocalAddress: IPV4/UDP/192.0.2.22/5060\r\nRemoteAddress: IPV4/UDP/{address}/5060\r\n{tail}\r\n"
    )
    .unwrap();
}
