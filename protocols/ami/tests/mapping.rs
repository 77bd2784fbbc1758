//! What each security event means, and which are not believed.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use ringfence_ami::{AmiCodec, Mapped, Mapper, Suspicion};
use ringfence_event::{Cause, Proof, SecurityEvent, Service, Transport};

use bytes::BytesMut;
use tokio_util::codec::Decoder;

const BANNER: &str = "Asterisk Call Manager/11.0.0\r\n";

/// Everything that comes of `stream` (behind a banner), fed in pieces of `step` bytes.
fn map_in_pieces(stream: &[u8], step: usize) -> (Vec<SecurityEvent>, Vec<Suspicion>) {
    let (mut codec, mut mapper, mut buffer) = (AmiCodec::new(), Mapper::new(), BytesMut::new());
    let (mut events, mut suspicions) = (Vec::new(), Vec::new());
    for piece in [BANNER.as_bytes(), stream].concat().chunks(step) {
        buffer.extend_from_slice(piece);
        while let Some(block) = codec.decode(&mut buffer).unwrap() {
            match mapper.map(&block.frame()) {
                Mapped::Event(event) => events.push(event),
                Mapped::Suspicious(suspicion) => suspicions.push(suspicion),
                Mapped::Other => {}
            }
        }
    }
    (events, suspicions)
}

fn map(stream: &str) -> (Vec<SecurityEvent>, Vec<Suspicion>) {
    map_in_pieces(stream.as_bytes(), usize::MAX)
}

fn one(stream: &str) -> SecurityEvent {
    let (mut events, suspicions) = map(stream);
    assert!(
        events.len() == 1 && suspicions.is_empty(),
        "{events:?} {suspicions:?}"
    );
    events.remove(0)
}

/// A block as Asterisk writes it, `tail` being the lines behind `RemoteAddress`.
fn event(kind: &str, service: &str, account: &str, remote: &str, tail: &str) -> String {
    let session = if service == "PJSIP" {
        "call-1@phone"
    } else {
        "0x7f082007e710"
    };
    format!(
        "Event: {kind}\r\nPrivilege: security,all\r\nEventTV: 2026-11-21T19:24:39.140+0000\r\nSeverity: Error\r\n\
         Service: {service}\r\nEventVersion: 1\r\nAccountID: {account}\r\nSessionID: {session}\r\n\
         LocalAddress: IPV4/UDP/192.0.2.22/5060\r\nRemoteAddress: {remote}\r\n{tail}\r\n"
    )
}

const REMOTE: &str = "IPV4/UDP/192.0.2.101/5061";
const TCP: &str = "IPV4/TCP/192.0.2.101/5061";
const FAILED: &str = "Challenge: c\r\nResponse: r\r\nExpectedResponse: \r\n";

#[test]
fn a_wrong_password_at_pjsip() {
    let event = one(&event(
        "ChallengeResponseFailed",
        "PJSIP",
        "alice",
        REMOTE,
        FAILED,
    ));
    assert_eq!(event.cause, Cause::WrongPassword);
    assert_eq!(event.service, Service::PjSip);
    assert_eq!(
        (event.peer.addr().to_string(), event.peer.port()),
        ("192.0.2.101".into(), 5061)
    );
    assert_eq!(event.peer.transport(), Transport::Udp);
    assert_eq!(event.account.as_bytes(), b"alice");
    assert_eq!(event.dialogue.as_bytes(), b"call-1@phone");
    assert_eq!(
        event.proof,
        Proof::None,
        "one spoofed packet with an invented nonce makes such an event"
    );
    assert_eq!(event.at.unwrap().as_millis(), 1_795_289_079_140);
    assert_eq!(event.detail.as_bytes(), b"ChallengeResponseFailed");
}

/// event · service · AccountID · transport · lines behind `RemoteAddress` · cause · account · proof
const MEANINGS: &str = "
ChallengeSent           | PJSIP | <unknown> | UDP | Challenge:                      | challenged        |        | none
ChallengeResponseFailed | PJSIP | <unknown> | UDP | Challenge:;Response:;ExpectedResponse: | unknown-account |    | none
ChallengeResponseFailed | AMI   |           | TCP | Challenge:;Response:;ExpectedResponse: | wrong-password  |    | handshake
InvalidAccountID        | PJSIP | 9999      | UDP |                                 | unknown-account   | 9999   | none
InvalidAccountID        | AMI   | root      | TLS | SessionTV: x                    | unknown-account   | root   | handshake
SuccessfulAuth          | PJSIP | alice     | UDP | UsingPassword: 1                | succeeded         | alice  | answered
SuccessfulAuth          | PJSIP | alice     | UDP | UsingPassword: 0                | succeeded         | alice  | none
SuccessfulAuth          | PJSIP | alice     | WSS | UsingPassword: 1                | succeeded         | alice  | handshake
FailedACL               | PJSIP | alice     | UDP | ACLName: registrar_invalid      | after-auth        | alice  | none
FailedACL               | PJSIP | carol     | UDP | ACLName: not_match_endpoint_acl | acl-denied        | carol  | none
FailedACL               | SIP   | 100       | UDP | ACLName: no_extension_match     | unknown-extension |        | none
FailedACL               | SIP   | static    | UDP | ACLName: peer_not_dynamic       | acl-denied        | static | none
FailedACL               | AMI   | acluser   | TCP |                                 | acl-denied        | acluser | handshake
FailedACL               | TEST  | a         | UDP | Module: m;ACLName: b;SessionTV: x | acl-denied      | a      | none
RequestNotSupported     | PJSIP | trunk1    | UDP | RequestType: r                  | refused           | trunk1 | none
RequestNotAllowed       | AMI   |           | TCP | RequestType: r                  | refused           |        | handshake
RequestNotAllowed       | AMI   | monitor   | TCP | RequestType: r;SessionTV: x     | after-auth        | monitor | handshake
RequestNotAllowed       | TEST  | George    | UDP | RequestType: r;Module: m;SessionTV: x;RequestParams: p | refused | George | none
AuthMethodNotAllowed    | TEST  | a         | TCP | AuthMethod: m                   | refused           | a      | handshake
SessionLimit            | SIP   | 100       | UDP |                                 | limit             |        | none
SessionLimit            | AMI   |           | TCP | SessionTV: x                    | limit             |        | handshake
MemoryLimit             | PJSIP | a         | UDP |                                 | limit             | a      | none
LoadAverageLimit        | PJSIP | a         | UDP |                                 | limit             | a      | none
InvalidTransport        | SIP   | a         | UDP | AttemptedTransport: UDP         | bad-transport     | a      | none
UnexpectedAddress       | PJSIP | a         | UDP | ExpectedAddress: x              | acl-denied        | a      | none
InvalidPassword         | AMI   | monitor   | TCP | SessionTV: x                    | wrong-password    | monitor | handshake
";

#[test]
fn causes_accounts_and_proofs() {
    for line in MEANINGS.lines().filter(|line| !line.is_empty()) {
        let columns: Vec<_> = line.split('|').map(str::trim).collect();
        let [kind, service, account, transport, lines, cause, shown, proof] = columns[..] else {
            panic!("eight columns: {line}");
        };
        let remote = format!("IPV4/{transport}/192.0.2.101/5061");
        let mut tail = lines.replace(';', "\r\n");
        if !tail.is_empty() {
            tail.push_str("\r\n");
        }
        let event = one(&event(kind, service, account, &remote, &tail));
        let meaning = (event.cause.name(), event.account.to_string(), event.proof.name());
        assert_eq!(meaning, (cause, shown.to_owned(), proof), "{line}");
    }
}

#[test]
fn the_manager_refuses_a_bad_request_without_or_with_an_account() {
    let bad = |account: &str| {
        event("RequestBadFormat", "AMI", "", TCP, "")
            .replace("AccountID: \r\n", "")
            .replace(
                "5061\r\n",
                &format!("5061\r\nRequestType: Action: NONE\r\nSessionTV: x\r\nAccountID: {account}\r\n"),
            )
    };
    let before = one(&bad(""));
    assert_eq!(
        (before.cause, before.detail.to_string().as_str()),
        (Cause::Malformed, "RequestBadFormat Action: NONE")
    );
    assert!(
        before.dialogue.is_empty(),
        "the manager's session pointer is reused at once"
    );
    assert_eq!(one(&bad("readmost")).cause, Cause::AfterAuth);
}

#[test]
fn chan_sip_answers_prove_the_address_when_the_nonces_agree() {
    let password = |sent: &str, received: &str| {
        let tail = format!("Challenge: {sent}\r\nReceivedChallenge: {received}\r\nReceivedHash: h\r\n");
        one(&event("InvalidPassword", "SIP", "sipalice", REMOTE, &tail)).proof
    };
    assert_eq!(password("24c5e1cd", "24c5e1cd"), Proof::Answered);
    assert_eq!(password("24c5e1cd", "00000000"), Proof::None);
    assert_eq!(password("", ""), Proof::None);
}

#[test]
fn a_number_dialled_at_chan_sip_is_no_account() {
    let challenge = event(
        "ChallengeSent",
        "SIP",
        "sip:sipalice@192.0.2.16",
        REMOTE,
        "Challenge: 1\r\n",
    );
    let password = "Challenge: 1\r\nReceivedChallenge: 1\r\nReceivedHash: h\r\n";
    let failed = event("InvalidPassword", "SIP", "900441234567890", REMOTE, password);
    let (events, _) = map(&format!("{challenge}{failed}"));
    assert_eq!(events[0].account.as_bytes(), b"sipalice");
    assert!(events[1].account.is_empty());
    assert_eq!(events[1].detail.as_bytes(), b"InvalidPassword 900441234567890");

    // the same pointer, reused by a registration
    let challenge = event("ChallengeSent", "SIP", "sipalice", REMOTE, "Challenge: 1\r\n");
    let (events, _) = map(&format!(
        "{challenge}{}",
        event("InvalidPassword", "SIP", "sipalice", REMOTE, password)
    ));
    assert_eq!(events[1].account.as_bytes(), b"sipalice");
}

#[test]
fn the_servers_own_additions_are_accepted() {
    let plain = event("InvalidAccountID", "PJSIP", "9999", REMOTE, "");
    for added in [
        "Timestamp: 1795289079.140123\r\n",
        "SequenceNumber: 7\r\nFile: manager.c\r\nLine: 1\r\nFunc: f\r\n",
        "Timestamp: 1.2\r\nSequenceNumber: 7\r\nFile: manager.c\r\nLine: 1\r\nFunc: f\r\n",
        "SystemName: pbx\r\n",
    ] {
        let stream = plain.replace("security,all\r\n", &format!("security,all\r\n{added}"));
        assert_eq!(one(&stream).account.as_bytes(), b"9999", "{added}");
    }
}

#[test]
fn added_lines_are_part_of_the_name_when_only_one_address_is_possible() {
    let stream = event(
        "InvalidAccountID",
        "PJSIP",
        "x\r\nRemoteAddress: IPV4/UDP/8.8.8.8/1",
        REMOTE,
        "",
    );
    let event = one(&stream);
    assert_eq!(event.peer.addr().to_string(), "192.0.2.101");
    assert_eq!(
        event.account.to_string(),
        "x\\x0d\\x0aRemoteAddress: IPV4/UDP/8.8.8.8/1"
    );
    assert_eq!(event.detail.as_bytes(), b"InvalidAccountID with added lines");
}

#[test]
fn with_two_triples_nobody_is_blamed() {
    let fake = "x\r\nSessionID: s\r\nLocalAddress: IPV4/UDP/1.1.1.1/1\r\nRemoteAddress: IPV4/UDP/8.8.8.8/1";
    let stream = event("InvalidAccountID", "AMI", fake, TCP, "");
    assert_eq!(map(&stream), (vec![], vec![Suspicion::Broken]));
}

#[test]
fn a_block_that_an_injected_empty_line_ended_is_withheld() {
    let fake = "x\r\nSessionID: 0x7f082007e720\r\nLocalAddress: IPV4/TCP/1.1.1.1/1\r\nRemoteAddress: IPV4/TCP/8.8.8.8/1\r\n";
    let stream = event("InvalidAccountID", "AMI", fake, TCP, "");
    let (events, suspicions) = map(&stream);
    assert_eq!(
        (events, suspicions),
        (vec![], vec![Suspicion::Withheld, Suspicion::Broken])
    );
}

#[test]
fn a_success_that_was_injected_whole_frees_nobody() {
    let success = event(
        "SuccessfulAuth",
        "PJSIP",
        "alice",
        "IPV4/UDP/8.8.8.8/1",
        "UsingPassword: 1\r\n",
    );
    let forged = format!("x\r\n\r\n{}", success.strip_suffix("\r\n").unwrap());
    let stream = event("InvalidAccountID", "AMI", &forged, TCP, "");
    for step in [1, 7, 64, usize::MAX] {
        let (events, suspicions) = map_in_pieces(stream.as_bytes(), step);
        assert_eq!(events, [], "in pieces of {step}");
        assert_eq!(
            suspicions,
            [Suspicion::Broken, Suspicion::Withheld, Suspicion::Broken],
            "in pieces of {step}"
        );
    }
}

#[test]
fn a_tampered_event_does_not_silence_the_honest_failure_behind_it() {
    let cut = event(
        "InvalidAccountID",
        "PJSIP",
        "x\r\n\r\nEvent: SuccessfulAuth",
        REMOTE,
        "",
    );
    let failure = event("ChallengeResponseFailed", "PJSIP", "alice", REMOTE, FAILED);
    let (events, suspicions) = map(&format!("{cut}{failure}"));
    assert_eq!(suspicions, [Suspicion::Broken, Suspicion::Broken]);
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].cause, Cause::WrongPassword);
    let success = event("SuccessfulAuth", "PJSIP", "alice", REMOTE, "UsingPassword: 1\r\n");
    assert_eq!(
        map(&format!("{cut}{success}")).0.len(),
        1,
        "36 bytes hold no success, so a whole one behind them is genuine"
    );
}

#[test]
fn only_a_name_too_short_for_a_success_lets_the_success_behind_it_pass() {
    let success = event("SuccessfulAuth", "SIP", "bob", REMOTE, "UsingPassword: 1\r\n");
    let broken = |service| event("ChallengeSent", service, "x\r\n\r\ny", REMOTE, "Challenge: 1\r\n");
    let succeeds = |stream: &str| map(stream).0.iter().any(|event| event.cause == Cause::Succeeded);
    for service in ["PJSIP", "SIP"] {
        assert!(succeeds(&format!("{}{success}", broken(service))), "{service}");
    }
    for service in ["AMI", "IAX2", "TEST"] {
        assert!(!succeeds(&format!("{}{success}", broken(service))), "{service}");
        let (short, long) = (broken("SIP"), broken(service));
        assert!(
            !succeeds(&format!("{short}{long}{success}")),
            "a short one before vouches for nothing"
        );
        assert!(
            !succeeds(&format!("{long}{short}{success}")),
            "nor does one behind"
        );
    }
    let oversized = format!("Event: X\r\nA: {}\r\n\r\n", "v".repeat(300_000));
    for before in ["", &broken("SIP")] {
        let (events, _) = map(&format!("{before}{oversized}{success}"));
        assert_eq!(events, [], "an oversized block may have written it");
    }
    let failure = event("ChallengeResponseFailed", "PJSIP", "alice", REMOTE, FAILED);
    assert_eq!(
        map(&format!("{oversized}{failure}")).0.len(),
        1,
        "but blinds nobody"
    );
}

/// What chan_sip keeps of a name, in bytes; PJSIP keeps less.
const LONGEST_NAME: usize = 79;

#[test]
fn a_short_name_holds_no_success() {
    // every value empty, in front of the genuine triple that may follow; the line before it ended
    let head = "\r\n\r\nEvent: SuccessfulAuth\r\nPrivilege: security\r\nEventTV: \r\nSeverity: \r\nService: \r\n\
                EventVersion: \r\nAccountID: ";
    let forged = |head: &str| {
        let tail = "\r\nSessionID: s\r\nLocalAddress: IPV4/UDP/192.0.2.22/5060\r\nRemoteAddress: IPV4/UDP/192.0.2.101/5061\r\n\
                    UsingPassword: 1\r\n\r\n";
        !map(&format!("{}{tail}", head.trim_start())).0.is_empty()
    };
    assert!(forged(head), "a complete head");
    for at in 4..head.len() {
        assert!(
            !forged(&format!("{}{}", &head[..at], &head[at + 1..])),
            "byte {at} is needed"
        );
    }
    assert_eq!(head.len(), 109);
    let with_line_feeds = head.replace("\r\n", "\n").len();
    assert!(with_line_feeds > LONGEST_NAME, "{with_line_feeds}");
}

#[test]
fn a_short_name_holds_no_triple() {
    let locals = [
        "IPV6/WS/::/1",
        "IPV6/WS/::1/1",
        "IPV4/WS/0.0.0.0/1",
        "IPV4/WS/1.1.1.1/1",
    ];
    let remotes = [
        "IPV6/WS/::1/1",
        "IPV6/WS/2::/1",
        "IPV6/WS/::ffff:8.8.8.8/1",
        "IPV4/WS/8.8.8.8/1",
    ];
    // a read ends right behind the block that the name completed
    let blamed = |service: &str, name: &str| {
        let stream = event("InvalidAccountID", service, name, TCP, "");
        let cut = stream.find("\r\n\r\n").unwrap() + 4;
        let (events, _) = map(&stream[..cut]);
        events
            .into_iter()
            .next()
            .filter(|event| event.peer.addr().to_string() != "192.0.2.101")
    };
    let mut shortest = usize::MAX;
    for service in ["SIP", "AMI"] {
        for (local, remote) in locals
            .iter()
            .flat_map(|local| remotes.map(|remote| (local, remote)))
        {
            let name =
                format!("\r\nSessionID: 0x100000\r\nLocalAddress: {local}\r\nRemoteAddress: {remote}\r\n");
            assert_eq!(
                blamed(service, &name).unwrap().proof,
                Proof::Handshake,
                "{name:?}"
            );
            assert!(name.len() > LONGEST_NAME, "{} bytes: {name:?}", name.len());
            shortest = shortest.min(name.len());
        }
        // nothing can be left out of the shortest one
        let name =
            "\r\nSessionID: 0x100000\r\nLocalAddress: IPV6/WS/::/1\r\nRemoteAddress: IPV6/WS/::1/1\r\n";
        assert_eq!(name.len(), 81);
        for at in 0..name.len() {
            let name = format!("{}{}", &name[..at], &name[at + 1..]);
            assert_eq!(blamed(service, &name), None, "{name:?}");
        }
        let found = "\r\nSessionID:0x\r\nLocalAddress:IPV6/WS/::/1\r\nRemoteAddress:IPV4/WS/8.8.8.8/1\r\n";
        assert_eq!((found.len(), blamed(service, found)), (76, None));
    }
    assert_eq!(shortest, 81);
}

#[test]
fn lines_out_of_order_missing_or_doubled_are_not_believed() {
    let good = event("ChallengeSent", "PJSIP", "alice", REMOTE, "Challenge: \r\n");
    assert_eq!(map(&good).0.len(), 1);
    for (from, to) in [
        ("Privilege: security,all\r\n", ""),
        ("Privilege: security,all\r\n", "Privilege: user,all\r\n"),
        ("EventTV: ", "Foo: "),
        (
            "Severity: Error\r\nService: PJSIP\r\n",
            "Service: PJSIP\r\nSeverity: Error\r\n",
        ),
        ("SessionID: call-1@phone\r\n", ""),
        ("IPV4/UDP/192.0.2.101/5061", "(null)"),
        ("IPV4/UDP/192.0.2.101/5061", "IPV4/UDP/0.0.0.0/5061"),
        (
            "LocalAddress: IPV4/UDP/192.0.2.22/5060\r\n",
            "LocalAddress: here\r\n",
        ),
        ("SessionID:", "SessionID: a\r\nSessionID:"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        assert_eq!(map(&bad).0, [], "{from} -> {to}");
    }
}

#[test]
fn other_events_and_foreign_bytes_are_skipped() {
    let stream = "Event: TestEvent\r\nPrivilege: reporting,all\r\nRemoteAddress: IPV4/UDP/8.8.8.8/1\r\n\r\n\r\n\r\n\
                  Response: Success\r\nPing: Pong\r\n\r\n";
    assert_eq!(map(stream), (vec![], vec![]));
    let odd = event("InvalidAccountID", "PJSIP", "a\nb\rc\0d\x1be", REMOTE, "");
    let odd = odd.replace("c\0", "c\0\u{85}\u{2028}");
    assert_eq!(
        one(&odd).account.as_bytes(),
        "a\nb\rc\0\u{85}\u{2028}d\x1be".as_bytes()
    );
}
