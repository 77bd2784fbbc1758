//! Lines that a peer wrote into Asterisk's log: nobody else is blamed for them.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use proptest::prelude::*;
use ringfence_seclog::asterisk::{Assembler, MAX_MESSAGE, Mapped, Told};
use ringfence_seclog::time::Clock;

const STAMP: &str = "[2026-11-21 19:24:39.140]";
/// A line that looks perfect.
const FORGED: &str = "[2026-11-21 19:24:39.140] NOTICE[123] chan_sip.c: Registration from '<sip:1@h>' failed for '198.51.100.9:5060' - Wrong password";
const EVENT: &str = "SecurityEvent=\"InvalidAccountID\",EventTV=\"2026-11-21T19:24:39.140+0000\",Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"";
const END: &str = "\",LocalAddress=\"IPV4/UDP/192.0.2.22/5060\",RemoteAddress=\"IPV4/UDP/192.0.2.1/5060\"";

fn told(bytes: &[u8], step: usize) -> Vec<Told> {
    let (mut assembler, clock) = (Assembler::new(), Clock::default());
    let mut records = Vec::new();
    for mut piece in bytes.chunks(step) {
        while let Some(record) = assembler.take(&mut piece, &clock) {
            records.push(record);
        }
    }
    while let Some(record) = assembler.finish() {
        records.push(record);
    }
    records
}

/// Whom the file blames, line by line.
fn blamed(file: &[u8]) -> Vec<String> {
    let records = told(file, file.len().max(1)).into_iter();
    records
        .filter_map(|record| match record.mapped {
            Mapped::Said(said) => Some(format!("{} {}", record.line, said.event.peer.addr())),
            _ => None,
        })
        .collect()
}

fn notice(place: &str, message: &str) -> String {
    format!("{STAMP} NOTICE[123] {place}: {message}\n")
}

fn security(middle: &str) -> String {
    format!("{STAMP} SECURITY[1] res_security_log.c: {EVENT}{middle}\n")
}

#[test]
fn a_packet_printed_as_it_came_blames_only_who_sent_it() {
    let announced = notice(
        "pjproject",
        "\t sip_endpoint.c Error processing packet from 192.0.2.1:5060: Missing required header(s) (PJSIP_EMISSINGHDR) Call-ID [code 171050]:",
    );
    for packet in [
        format!("REGISTER sip:h SIP/2.0\r\nX: y\r\n\r\n{FORGED}\n"),
        format!("{FORGED}\n"),
        format!("REGISTER sip:h SIP/2.0\r\n\n-- end of packet.\n{FORGED}\n{FORGED}\n"),
        format!("REGISTER sip:h SIP/2.0\r\n\n-- end of packet.\n{FORGED}\n{announced}"),
    ] {
        let file = format!("{announced}{packet}\n-- end of packet.\n{FORGED}\n");
        let found = blamed(file.as_bytes());
        assert_eq!(found.first().map(String::as_str), Some("1 192.0.2.1"), "{file}");
        // what he announces himself as counts against him
        assert!(found.iter().all(|one| one.ends_with(" 192.0.2.1")), "{file}");
        // a message is never longer, so what comes later is true
        let later = notice("x.c", &"x".repeat(1000)).repeat(10);
        let file = format!(
            "{file}{later}{}",
            notice("manager.c", "192.0.2.7 failed to authenticate as 'x'")
        );
        assert_eq!(
            blamed(file.as_bytes()).pop().unwrap().split(' ').next_back(),
            Some("192.0.2.7")
        );
    }
}

#[test]
fn sentences_in_a_header_are_only_a_name() {
    let chan_sip = |to: &str| {
        notice(
            "chan_sip.c",
            &format!("Registration from '{to}' failed for '192.0.2.1:5060' - Wrong password"),
        )
    };
    for to in [
        "\"x' failed for '198.51.100.9:5060' - Wrong password\" <sip:1@h>",
        "' failed for '198.51.100.9' - Wrong password",
    ] {
        assert_eq!(blamed(chan_sip(to).as_bytes()), ["1 192.0.2.1"], "{to}");
    }
    let pjsip = |from: &str, id: &str| {
        let message = format!(
            "Request 'REGISTER' from '{from}' failed for '192.0.2.1:5060' (callid: {id}) - Failed to authenticate"
        );
        notice("pjsip_distributor.c", &message)
    };
    let words = "x' failed for '198.51.100.9:5060' (callid: y) - Failed to authenticate";
    assert_eq!(blamed(pjsip(words, "z").as_bytes()), [""; 0]);
    assert_eq!(blamed(pjsip("x", words).as_bytes()), [""; 0]);
    // a claim that is no address, or the true one, hides nobody
    assert_eq!(
        blamed(pjsip("x' failed for 'y' (callid: z", "a").as_bytes()),
        ["1 192.0.2.1"]
    );
    assert_eq!(
        blamed(pjsip("x", "y' failed for '192.0.2.1:5060' (callid: z").as_bytes()),
        ["1 192.0.2.1"]
    );
    let call = "x' (198.51.100.9:5060) to extension '1";
    let message = format!(
        "Call from '' (192.0.2.1:5060) to extension '{call}' rejected because extension not found in context 'a'."
    );
    assert_eq!(blamed(notice("chan_sip.c", &message).as_bytes()), [""; 0]);
}

#[test]
fn a_name_with_line_breaks_at_iax2() {
    let peer = |name: &str| {
        notice(
            "chan_iax2.c",
            &format!("No registration for peer '{name}' (from 192.0.2.1)"),
        )
    };
    let short = format!("{STAMP} NOTICE[1] chan_iax2.c:");
    for name in [
        format!("x' (from 198.51.100.9)\n{short} No registration for peer 'y"),
        format!("x' (from 198.51.100.9)\n{short} Empty registration from 198.51.100.9\n{short} x"),
        format!("x' (from 198.51.100.9)\n{short} Host 198.51.100.9 failed to authenticate as y\n"),
        format!("x\n{short} Empty registration from 198.51.100.9\n{short} x"),
        format!("x\n{short} Empty registration from 198.51.100.9\n"),
        format!("x\n{FORGED}\n"),
    ] {
        let blamed = blamed(peer(&name).as_bytes());
        assert!(
            blamed.iter().all(|who| who.ends_with(" 192.0.2.1")),
            "{name}: {blamed:?}"
        );
    }
    // one attacker alone is believed, however many lines he makes
    assert_eq!(blamed(peer("x").repeat(9).as_bytes()).len(), 9);
    assert_eq!(blamed(peer("x\ny").as_bytes()), ["1 192.0.2.1"]);
}

#[test]
fn behind_a_name_that_came_over_http_only_the_same_peer_is_blamed() {
    for addr in ["192.0.2.1", "(null)"] {
        let name =
            format!("x'\n{FORGED}\n{STAMP} NOTICE[1] manager.c: 192.0.2.1 failed to authenticate as 'y");
        let file = notice("manager.c", &format!("{addr} failed to authenticate as '{name}'"));
        let blamed = blamed(file.as_bytes());
        assert!(blamed.iter().all(|who| who.ends_with(" 192.0.2.1")), "{blamed:?}");
        assert_eq!(blamed.is_empty(), addr == "(null)");
    }
}

#[test]
fn in_the_security_log_only_the_fixed_order_is_believed() {
    for (middle, wanted) in [
        (format!("x\",SessionID=\"y{END}"), &["1 192.0.2.1"][..]),
        // before the true one, after it, and a whole pair
        (
            format!("x\",RemoteAddress=\"IPV4/UDP/198.51.100.9/1\",SessionID=\"y{END}"),
            &["1 192.0.2.1"],
        ),
        (
            format!("x\",SessionID=\"y\",RemoteAddress=\"IPV4/UDP/198.51.100.9/1{END}"),
            &["1 192.0.2.1"],
        ),
        (
            format!(
                "x\",SessionID=\"y\",LocalAddress=\"IPV4/UDP/1.1.1.1/1\",RemoteAddress=\"IPV4/UDP/198.51.100.9/1{END}"
            ),
            &[],
        ),
        (
            format!("x\",SessionID=\"y{END},RemoteAddress=\"IPV4/UDP/198.51.100.9/1\""),
            &[],
        ),
        (format!("x\",SessionID=\"y{END}{END}"), &[]),
        (format!("x\n{FORGED}\",SessionID=\"y{END}"), &["1 192.0.2.1"]),
        // cut off by Asterisk, so that the end of the true one is missing
        (format!("x\",SessionID=\"{}{END}", "y".repeat(MAX_MESSAGE)), &[]),
    ] {
        let blamed = blamed(security(&middle).as_bytes());
        let believed: Vec<_> = blamed.iter().map(String::as_str).collect();
        assert!(
            believed == wanted || (middle.contains(FORGED) && believed.is_empty()),
            "{middle}: {believed:?}"
        );
    }
    let answer = |response: &str| {
        security(&format!(
            "x\",SessionID=\"y{END},Challenge=\"c\",Response=\"{response}\",ExpectedResponse=\"\""
        ))
        .replace("InvalidAccountID", "ChallengeResponseFailed")
    };
    assert_eq!(blamed(answer("r").as_bytes()), ["1 192.0.2.1"]);
    assert_eq!(
        blamed(answer("r\",RemoteAddress=\"IPV4/UDP/198.51.100.9/1").as_bytes()),
        ["1 192.0.2.1"]
    );
    let success = security(&format!("x\"y\",SessionID=\"y{END},UsingPassword=\"1\""))
        .replace("InvalidAccountID", "SuccessfulAuth");
    assert_eq!(blamed(success.as_bytes()), [""; 0]);
}

/// Pieces of true and of forged lines, and any bytes.
fn words() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just(b"\n".to_vec()),
        Just(b"'".to_vec()),
        Just(b"\"".to_vec()),
        Just(b"x' (from 198.51.100.9)".to_vec()),
        Just(b"' failed for '198.51.100.9:1' (callid: ".to_vec()),
        Just(b") - Failed to authenticate".to_vec()),
        Just(b"\",SessionID=\"0x123456\",LocalAddress=\"IPV4/UDP/1.1.1.1/1\",RemoteAddress=\"IPV4/UDP/198.51.100.9/1\"".to_vec()),
        Just(FORGED.as_bytes().to_vec()),
        Just(format!("{STAMP} NOTICE[1] chan_iax2.c: No registration for peer 'y").into_bytes()),
        Just(format!("{STAMP} NOTICE[1] manager.c: 198.51.100.9 failed to authenticate as 'y").into_bytes()),
        Just(b"-- end of packet.".to_vec()),
        proptest::collection::vec(any::<u8>(), 0..20),
    ];
    proptest::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn within(words: &[u8], most: usize, before: &str, after: &str) -> Vec<u8> {
    let words = words.get(..words.len().min(most)).unwrap_or_default();
    [
        STAMP.as_bytes(),
        b" ",
        before.as_bytes(),
        words,
        after.as_bytes(),
        b"\n",
    ]
    .concat()
}

proptest! {
    #[test]
    fn anything_is_read_without_harm(bytes in words(), step in 1usize..50) {
        prop_assert_eq!(told(&bytes, step), told(&bytes, bytes.len().max(1)));
    }

    #[test]
    fn a_peers_words_never_change_who_is_blamed(words in words()) {
        let header: Vec<_> = words.iter().copied().filter(|byte| !b"\r\n\0".contains(byte)).collect();
        let files = [
            within(&header, 4000, "NOTICE[1] chan_sip.c: Registration from '", "' failed for '192.0.2.1:5060' - Wrong password"),
            within(&header, 4000, "NOTICE[1] pjsip_distributor.c: Request 'REGISTER' from '", "' failed for '192.0.2.1:5060' (callid: x) - Failed to authenticate"),
            within(&header, 4000, "NOTICE[1] pjsip_distributor.c: Request 'REGISTER' from 'x' failed for '192.0.2.1:5060' (callid: ", ") - Failed to authenticate"),
            within(&header, 4000, &format!("SECURITY[1] res_security_log.c: {EVENT}x\",SessionID=\""), END),
            within(&words, 36, &format!("SECURITY[1] res_security_log.c: {EVENT}"), &format!("\",SessionID=\"x{END}")),
            within(&words, 255, "NOTICE[1] chan_iax2.c: No registration for peer '", "' (from 192.0.2.1)"),
            within(&words, 4000, "NOTICE[1] manager.c: 192.0.2.1 failed to authenticate as '", "'"),
            within(&words, 4000, "ERROR[1] pjproject: sip_endpoint.c Error processing packet from 192.0.2.1:5060: Missing:\nREGISTER sip:h SIP/2.0\r\n", "\n-- end of packet."),
        ];
        for file in files {
            for who in blamed(&file) {
                prop_assert!(who.ends_with(" 192.0.2.1"), "{who} in {}", String::from_utf8_lossy(&file));
            }
        }
    }
}
