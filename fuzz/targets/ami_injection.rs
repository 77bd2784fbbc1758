//! A name of any bytes, as long as PJSIP and chan_sip keep one: nobody but its sender is blamed, and nobody is freed.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use ringfence_ami::{AmiCodec, Mapped, Mapper};
use ringfence_event::Cause;
use tokio_util::codec::Decoder;

fn event(kind: &str, service: &str, account: &[u8], session: &[u8], tail: &[u8]) -> Vec<u8> {
    let head = format!(
        "Event: {kind}\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T19:24:39.140+0000\r\nSeverity: Error\r\n\
         Service: {service}\r\nEventVersion: 1\r\nAccountID: "
    );
    let addresses =
        "\r\nLocalAddress: IPV4/UDP/192.0.2.22/5060\r\nRemoteAddress: IPV4/UDP/192.0.2.101/5061\r\n"
            .as_bytes();
    [
        head.as_bytes(),
        account,
        b"\r\nSessionID: ",
        session,
        addresses,
        tail,
        b"\r\n",
    ]
    .concat()
}

fuzz_target!(|input: (bool, &[u8], &[u8], &[u8])| {
    let (chan_sip, account, session, answer) = input;
    let (service, kept) = if chan_sip { ("SIP", 79) } else { ("PJSIP", 36) };
    let account = account.get(..kept).unwrap_or(account);
    // no SIP parser lets a line break into a Call-ID or into the parts of an Authorization header
    let one_line = |value: &[u8]| -> Vec<u8> { value.iter().copied().filter(|b| *b != b'\n').collect() };
    let session = if chan_sip {
        b"0x7f082007e710".to_vec()
    } else {
        one_line(session)
    };
    let failed = [
        b"Challenge: c\r\nResponse: ",
        &one_line(answer)[..],
        b"\r\nExpectedResponse: \r\n",
    ]
    .concat();
    let mut buffer = BytesMut::from(&b"Asterisk Call Manager/11.0.0\r\n"[..]);
    for (kind, tail) in [
        ("InvalidAccountID", &b""[..]),
        ("ChallengeSent", b"Challenge: \r\n"),
        ("ChallengeResponseFailed", &failed),
        ("InvalidAccountID", b""),
    ] {
        buffer.extend_from_slice(&event(kind, service, account, &session, tail));
    }
    let (mut codec, mut mapper) = (AmiCodec::new(), Mapper::new());
    while let Some(block) = codec.decode(&mut buffer).unwrap() {
        if let Mapped::Event(event) = mapper.map(&block.frame()) {
            assert_eq!(event.peer.addr().to_string(), "192.0.2.101");
            assert_ne!(event.cause, Cause::Succeeded);
        }
    }
});
