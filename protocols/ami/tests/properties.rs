//! What holds for any bytes at all.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use bytes::BytesMut;
use proptest::prelude::*;
use ringfence_ami::{Action, AmiCodec, Mapped, Mapper, event_time, peer};
use ringfence_event::SecurityEvent;
use tokio_util::codec::{Decoder, Encoder};

/// Frames and mapped results of `stream`, fed in pieces whose lengths repeat.
fn run(stream: &[u8], lengths: &[usize]) -> (Vec<Vec<u8>>, Vec<Mapped>) {
    let (mut codec, mut mapper, mut buffer) = (AmiCodec::new(), Mapper::new(), BytesMut::new());
    let (mut frames, mut results) = (Vec::new(), Vec::new());
    let mut left = stream;
    for &length in lengths.iter().cycle() {
        if left.is_empty() {
            break;
        }
        let (piece, behind) = left.split_at(length.min(left.len()));
        left = behind;
        buffer.extend_from_slice(piece);
        while let Some(block) = codec.decode(&mut buffer).unwrap() {
            frames.push(block.frame().bytes().to_vec());
            results.push(mapper.map(&block.frame()));
        }
    }
    while let Some(block) = codec.decode_eof(&mut buffer).unwrap() {
        frames.push(block.frame().bytes().to_vec());
        results.push(mapper.map(&block.frame()));
    }
    (frames, results)
}

fn events(stream: &[u8]) -> Vec<SecurityEvent> {
    let (_, results) = run(stream, &[stream.len()]);
    results
        .into_iter()
        .filter_map(|m| match m {
            Mapped::Event(event) => Some(event),
            _ => None,
        })
        .collect()
}

/// Bytes that an attacker would choose: whole lines of events, line ends, anything.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => Just(b"\r\n".to_vec()),
        1 => Just(b"\n".to_vec()),
        1 => Just(b"\r".to_vec()),
        1 => Just(b"Event: SuccessfulAuth\r\nPrivilege: security,all".to_vec()),
        1 => Just(b"Event: InvalidAccountID".to_vec()),
        1 => Just(b"Privilege: security,all".to_vec()),
        1 => Just(b"Response: Success".to_vec()),
        1 => Just(b"EventTV: 1-1\r\nSeverity: Error\r\nService: PJSIP\r\nEventVersion: 1".to_vec()),
        1 => Just(b"AccountID: y".to_vec()),
        2 => Just(b"SessionID: 0x100000".to_vec()),
        2 => Just(b"LocalAddress: IPV4/1.1.1.1/1".to_vec()),
        2 => Just(b"RemoteAddress: IPV4/8.8.8.8/1".to_vec()),
        1 => Just(b"RemoteAddress: IPV4/UDP/8.8.8.8/1".to_vec()),
        // the shortest whole triples: of PJSIP, of chan_sip and the manager
        3 => Just(b"\r\nSessionID: \r\nLocalAddress: IPV4/1.1.1.1/1\r\nRemoteAddress: IPV4/8.8.8.8/1\r\n".to_vec()),
        3 => Just(
            b"\r\nSessionID: 0x100000\r\nLocalAddress: IPV6/WS/::/1\r\nRemoteAddress: IPV4/WS/8.8.8.8/1\r\n".to_vec()
        ),
        1 => Just(b"Challenge: ".to_vec()),
        1 => Just(b"UsingPassword: 1".to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

fn event(kind: &str, service: &str, account: &[u8], session: &[u8], tail: &[u8]) -> Vec<u8> {
    let head = format!(
        "Event: {kind}\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T19:24:39.140+0000\r\nSeverity: Error\r\n\
         Service: {service}\r\nEventVersion: 1\r\nAccountID: "
    );
    let transport = if service == "AMI" { "TCP" } else { "UDP" };
    let addresses = format!(
        "\r\nLocalAddress: IPV4/{transport}/192.0.2.22/5060\r\nRemoteAddress: IPV4/{transport}/192.0.2.101/5061\r\n"
    );
    [
        head.as_bytes(),
        account,
        b"\r\nSessionID: ",
        session,
        addresses.as_bytes(),
        tail,
        b"\r\n",
    ]
    .concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_survived(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        hostile in hostile(),
        crlf in any::<bool>(),
    ) {
        let banner: &[u8] = if crlf { b"Asterisk Call Manager/5.0.4\r\n" } else { b"" };
        run(&[banner, &bytes, &hostile].concat(), &[bytes.len().max(1)]);
        peer(&bytes);
        event_time(&bytes);
    }

    #[test]
    fn where_the_reads_cut_changes_no_frame(
        pieces in proptest::collection::vec(hostile(), 0..6),
        crlf in any::<bool>(),
        lengths in proptest::collection::vec(1usize..80, 1..12),
    ) {
        let banner: &[u8] = if crlf { b"Asterisk Call Manager/5.0.4\r\n" } else { b"Asterisk Call Manager/5.0.4\n" };
        let mut stream = banner.to_vec();
        for piece in &pieces {
            stream.extend_from_slice(&event("InvalidAccountID", "PJSIP", piece, b"call", b""));
        }
        let (whole, _) = run(&stream, &[stream.len()]);
        prop_assert_eq!(run(&stream, &lengths).0, whole);
    }

    #[test]
    fn where_the_reads_cut_changes_no_event_of_an_untampered_stream(
        accounts in proptest::collection::vec("[a-z0-9<>:@/ ]{0,40}", 1..6),
        lengths in proptest::collection::vec(1usize..200, 1..12),
    ) {
        let mut stream = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
        for account in &accounts {
            stream.extend_from_slice(&event("InvalidAccountID", "PJSIP", account.as_bytes(), b"call", b""));
        }
        let whole = run(&stream, &[stream.len()]);
        prop_assert_eq!(whole.1.iter().filter(|m| matches!(m, Mapped::Event(_))).count(), accounts.len());
        prop_assert_eq!(run(&stream, &lengths), whole);
    }

    /// The names as far as each service keeps them: 36 bytes at PJSIP, 79 at chan_sip. The manager over HTTP keeps any (a name
    /// long enough to complete its own event and begin another can't be told from two real ones), so 88 there.
    #[test]
    fn no_account_and_no_session_changes_who_is_blamed(
        mut account in hostile(),
        session in proptest::collection::vec(any::<u8>(), 0..80),
        (service, reach) in prop_oneof![Just(("PJSIP", 36)), Just(("SIP", 79)), Just(("AMI", 88))],
        (kind, tail) in prop_oneof![
            Just(("InvalidAccountID", &b""[..])),
            Just(("InvalidPassword", &b"Challenge: \r\nReceivedChallenge: \r\nReceivedHash: \r\n"[..])),
            Just(("ChallengeSent", &b"Challenge: \r\n"[..])),
            Just(("SuccessfulAuth", &b"UsingPassword: 1\r\n"[..])),
        ],
    ) {
        account.truncate(reach);
        let session: Vec<u8> = if service == "PJSIP" {
            session.into_iter().filter(|b| *b != b'\n').collect()
        } else {
            b"0x7f082007e710".to_vec()
        };
        let mut stream = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
        stream.extend_from_slice(&event(kind, service, &account, &session, tail));
        stream.extend_from_slice(&event(kind, service, b"bob", b"0x7f082007e720", tail));
        for event in events(&stream) {
            prop_assert_eq!(event.peer.addr().to_string(), "192.0.2.101");
        }
    }

    #[test]
    fn a_tampered_name_is_never_a_success(mut account in hostile()) {
        account.truncate(150);
        let mut stream = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
        stream.extend_from_slice(&event("InvalidAccountID", "AMI", &account, b"0x7f082007e710", b""));
        for event in events(&stream) {
            prop_assert_ne!(event.cause, ringfence_event::Cause::Succeeded);
        }
    }

    /// Otherwise anybody could keep the phones' challenges open until their office is banned for a flood.
    #[test]
    fn no_short_name_hides_the_success_behind_it(
        mut account in hostile(),
        (service, reach) in prop_oneof![Just(("PJSIP", 36)), Just(("SIP", 79))],
        lengths in proptest::collection::vec(1usize..200, 1..12),
    ) {
        account.truncate(reach);
        let mut stream = b"Asterisk Call Manager/11.0.0\r\n".to_vec();
        stream.extend_from_slice(&event("ChallengeSent", service, &account, b"0x7f082007e710", b"Challenge: \r\n"));
        stream.extend_from_slice(&event("SuccessfulAuth", service, b"bob", b"0x7f082007e720", b"UsingPassword: 1\r\n"));
        for lengths in [&lengths[..], &[stream.len()]] {
            let (_, results) = run(&stream, lengths);
            let succeeded = |mapped: &Mapped| matches!(mapped, Mapped::Event(event)
                if event.cause == ringfence_event::Cause::Succeeded && event.account.as_bytes() == b"bob");
            prop_assert!(results.iter().any(succeeded), "{:?}", results);
        }
    }

    #[test]
    fn what_is_encoded_reads_back(name in "[A-Za-z]{1,12}", values in proptest::collection::vec("[ -~]{0,40}", 0..6)) {
        let mut action = Action::new(&name).unwrap();
        for value in &values {
            action = action.with("Header", value.as_bytes()).unwrap();
        }
        let mut buffer = BytesMut::from(&b"Asterisk Call Manager/11.0.0\r\n"[..]);
        let mut codec = AmiCodec::new();
        codec.encode(action.finish(), &mut buffer).unwrap();
        codec.decode(&mut buffer).unwrap().unwrap();
        let block = codec.decode(&mut buffer).unwrap().unwrap();
        let mut headers = block.frame().headers();
        let first = headers.next().unwrap();
        prop_assert_eq!((first.name, first.value), (&b"Action"[..], name.as_bytes()));
        for value in &values {
            prop_assert_eq!(headers.next().unwrap().value, value.as_bytes());
        }
        prop_assert!(headers.next().is_none() && buffer.is_empty());
    }
}
