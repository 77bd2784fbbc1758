//! Every line of Asterisk that says something of a peer, from 1.4 to 22, with each thing that may stand before it; and the
//! lines that somebody else wrote.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use ringfence_event::Moment;
use ringfence_seclog::asterisk::{Assembler, Mapped, looks_like};
use ringfence_seclog::time::Clock;

/// 2026-12-25
const NOW: Clock = Clock {
    offset: 0,
    now: Some(Moment::from_millis(1_798_156_800_000)),
};
const STAMP: &str = "[2026-11-21 19:24:39.140]";

fn mapped(file: &str) -> Vec<(u64, Mapped)> {
    let (mut assembler, mut bytes) = (Assembler::new(), file.as_bytes());
    let mut records = Vec::new();
    while let Some(record) = assembler.take(&mut bytes, &NOW) {
        records.push((record.line, record.mapped));
    }
    while let Some(record) = assembler.finish() {
        records.push((record.line, record.mapped));
    }
    records
}

/// Line and judgement of each record that says something: service, cause, address and port, account; `?` for a doubtful one.
fn told(file: &str) -> Vec<String> {
    let judge = |(line, mapped)| match mapped {
        Mapped::Other => None,
        Mapped::Doubtful => Some(format!("{line} ?")),
        Mapped::Said(said) | Mapped::Claimed(said) => {
            let event = said.event;
            let (addr, port) = (event.peer.addr(), event.peer.port());
            let (service, cause) = (event.service.name(), event.cause.name());
            Some(format!(
                "{line} {service} {cause} {addr} {port} [{}]",
                event.account
            ))
        }
    };
    mapped(file).into_iter().filter_map(judge).collect()
}

/// What one line says, written as the messages file has it.
fn line(place: &str, message: &str) -> String {
    told(&format!("{STAMP} NOTICE[123] {place}: {message}\n")).join("; ")
}

#[test]
fn chan_sip() {
    let register = "Registration from '\"x\" <sip:alice@192.0.2.22>' failed for '192.0.2.1:5060' - ";
    for (reason, cause) in [
        ("Wrong password", "wrong-password"),
        ("Wrong Password", "wrong-password"),
        ("No matching peer found", "unknown-account"),
        ("Username/auth name mismatch", "wrong-password"),
        ("Device does not match ACL", "acl-denied"),
        ("Peer is not supposed to register", "acl-denied"),
        ("ACL error (permit/deny)", "acl-denied"),
        ("Not a local domain", "refused"),
        (
            "Device not configured to use this transport type",
            "bad-transport",
        ),
    ] {
        let wanted = format!("1 chan-sip {cause} 192.0.2.1 5060 [alice]");
        assert_eq!(
            line("chan_sip.c", &format!("{register}{reason}")),
            wanted,
            "{reason}"
        );
    }
    for (message, wanted) in [
        // without a port, as 1.4 and 1.6 write it, and IPv6
        (
            "Registration from '<sip:1@h>' failed for '192.0.2.1' - Wrong password",
            "1 chan-sip wrong-password 192.0.2.1 0 [1]",
        ),
        (
            "Registration from '<sip:1@h>' failed for '[2001:db8::1]:5060' - Wrong password",
            "1 chan-sip wrong-password 2001:db8::1 5060 [1]",
        ),
        (
            "Registration from '<sip:1@h>' failed for '192.0.2.1:5060' - Sunshine",
            "",
        ),
        (
            "Call from 'alice' (192.0.2.1:5060) to extension '900' rejected because extension not found in context 'internal'.",
            "1 chan-sip unknown-extension 192.0.2.1 5060 []",
        ),
        (
            "Call from '' (192.0.2.1:5060) to extension '9'0' rejected because extension not found in context 'default'.",
            "1 chan-sip unknown-extension 192.0.2.1 5060 []",
        ),
        (
            "Call from '' to extension '900' rejected because extension not found.",
            "",
        ),
        (
            "Unknown SIP command 'FOO' from '192.0.2.1:5060'",
            "1 chan-sip malformed 192.0.2.1 5060 []",
        ),
        (
            "Rejecting TCP/TLS packet from '192.0.2.1:5060' because way too large: 70000",
            "1 chan-sip malformed 192.0.2.1 5060 []",
        ),
        (
            "Rejecting unknown SIP connection from 192.0.2.1",
            "1 chan-sip refused 192.0.2.1 0 []",
        ),
        (
            "hacking attempt detected '192.0.2.1'",
            "1 chan-sip scanner 192.0.2.1 0 []",
        ),
    ] {
        assert_eq!(line("chan_sip.c", message), wanted, "{message}");
    }
}

#[test]
fn what_only_the_caller_claims_is_marked() {
    for (message, wanted) in [
        (
            "Failed to authenticate device <sip:1001@198.51.100.9>;tag=x for INVITE, code = -1",
            "wrong-password 198.51.100.9 0 [1001]",
        ),
        (
            "Failed to authenticate user \"x\" <sip:1001@198.51.100.9>;tag=x",
            "wrong-password 198.51.100.9 0 [1001]",
        ),
        (
            "Sending fake auth rejection for device 100<sip:100@198.51.100.9>;tag=x",
            "unknown-account 198.51.100.9 0 [100]",
        ),
        (
            "Sending fake auth rejection for user <sip:100@198.51.100.9:5060>;tag=x",
            "unknown-account 198.51.100.9 5060 [100]",
        ),
        (
            "Domain '198.51.100.9:5060' disallowed by contact ACL (violating IP 198.51.100.9)",
            "acl-denied 198.51.100.9 0 []",
        ),
    ] {
        let file = format!("{STAMP} NOTICE[123][C-00000001] chan_sip.c: {message}\n");
        assert!(
            mapped(&file)
                .iter()
                .all(|(_, mapped)| matches!(mapped, Mapped::Claimed(_))),
            "{message}"
        );
        assert_eq!(told(&file), [format!("1 chan-sip {wanted}")]);
    }
    let file = format!(
        "{STAMP} WARNING[1] res_pjsip_acl.c: Incoming SIP message from 198.51.100.9:0 did not pass ACL test\n"
    );
    assert!(matches!(mapped(&file)[..], [(1, Mapped::Claimed(_))]));
}

#[test]
fn pjsip() {
    let request = "Request 'REGISTER' from '<sip:alice@h>' failed for '192.0.2.1:5060' (callid: x@y) - ";
    for (reason, cause) in [
        ("No matching endpoint found", "unknown-account"),
        (
            "No matching endpoint found after 5 tries in 2.310 ms",
            "unknown-account",
        ),
        ("Not match Endpoint ACL", "acl-denied"),
        ("Not match Endpoint Contact ACL", "acl-denied"),
        ("Failed to authenticate", "wrong-password"),
        ("Error to authenticate", "wrong-password"),
    ] {
        let message = format!("{request}{reason}");
        let wanted = format!("1 pjsip {cause} 192.0.2.1 5060 [alice]");
        assert_eq!(
            line("res_pjsip/pjsip_distributor.c", &message),
            wanted,
            "{reason}"
        );
    }
    let call = " to extension '900' rejected because extension not found in context 'public'.";
    for (peer, wanted) in [
        ("UDP:192.0.2.1:5060", "192.0.2.1 5060"),
        ("TCP:192.0.2.1:5060", "192.0.2.1 5060"),
        ("TLS:192.0.2.1:5061", "192.0.2.1 5061"),
        ("WS:192.0.2.1:8088", "192.0.2.1 8088"),
        ("WSS:[2001:db8::1]:8089", "2001:db8::1 8089"),
    ] {
        let wanted = format!("1 pjsip unknown-extension {wanted} [alice]");
        assert_eq!(
            line("res_pjsip_session.c", &format!(" alice: Call ({peer}){call}")),
            wanted
        );
    }
    for (place, message, wanted) in [
        (
            "res_pjsip_acl.c",
            "Incoming SIP message from 192.0.2.1:5060 did not pass ACL test",
            "acl-denied 192.0.2.1 5060 []",
        ),
        (
            "res_pjsip_registrar.c",
            "AOR '' not found for endpoint 'alice' (192.0.2.1:5060)",
            "after-auth 192.0.2.1 5060 [alice]",
        ),
        (
            "res_pjsip_registrar.c",
            "Endpoint 'alice' (192.0.2.1:5060) has no configured AORs",
            "after-auth 192.0.2.1 5060 [alice]",
        ),
        (
            "res_pjsip_registrar.c",
            "Registration attempt from endpoint 'alice' (2001:db8::1:5060) to AOR 'alice' will exceed max contacts of 1",
            "after-auth 2001:db8::1 5060 [alice]",
        ),
        (
            "pjproject",
            "\t       sip_transport.c Dropping 336 bytes packet from UDP 192.0.2.1:5060 : PJSIP syntax error",
            "malformed 192.0.2.1 5060 []",
        ),
    ] {
        assert_eq!(line(place, message), format!("1 pjsip {wanted}"), "{message}");
    }
}

#[test]
fn iax2_manager_and_http() {
    for (place, message, wanted) in [
        (
            "chan_iax2.c",
            "No registration for peer 'x' (from 192.0.2.1)",
            "iax2 unknown-account 192.0.2.1 0 [x]",
        ),
        (
            "chan_iax2.c",
            "Peer 'x' is not dynamic (from 192.0.2.1)",
            "iax2 acl-denied 192.0.2.1 0 [x]",
        ),
        (
            "chan_iax2.c",
            "Host 192.0.2.1 failed MD5 authentication for 'x' (aa != bb)",
            "iax2 wrong-password 192.0.2.1 0 [x]",
        ),
        (
            "chan_iax2.c",
            "Host 192.0.2.1 did not provide proper plaintext password for 'x'",
            "iax2 wrong-password 192.0.2.1 0 [x]",
        ),
        (
            "chan_iax2.c",
            "Host 192.0.2.1 denied access to register peer 'x'",
            "iax2 acl-denied 192.0.2.1 0 [x]",
        ),
        (
            "chan_iax2.c",
            "Host 192.0.2.1:4569 failed to authenticate as x",
            "iax2 wrong-password 192.0.2.1 4569 [x]",
        ),
        (
            "chan_iax2.c",
            "Empty registration from 192.0.2.1",
            "iax2 malformed 192.0.2.1 0 []",
        ),
        (
            "chan_iax2.c",
            "Rejected connect attempt from 192.0.2.1:4569, request '9@internal' does not exist",
            "iax2 unknown-extension 192.0.2.1 4569 []",
        ),
        (
            "chan_iax2.c",
            "Rejected connect attempt from 192.0.2.1:4569, who was trying to reach '9@internal'",
            "iax2 refused 192.0.2.1 4569 []",
        ),
        (
            "chan_iax2.c",
            "Address 192.0.2.1:4569 failed CallToken hash inspection",
            "iax2 malformed 192.0.2.1 4569 []",
        ),
        (
            "manager.c",
            "192.0.2.1 failed to authenticate as 'x'",
            "ami wrong-password 192.0.2.1 0 [x]",
        ),
        (
            "manager.c",
            "Host 192.0.2.1 failed to authenticate as 'x'",
            "ami wrong-password 192.0.2.1 0 [x]",
        ),
        (
            "manager.c",
            "192.0.2.1 tried to authenticate with nonexistent user 'x'",
            "ami unknown-account 192.0.2.1 0 [x]",
        ),
        (
            "manager.c",
            "2001:db8::1 failed to pass IP ACL as 'x'",
            "ami acl-denied 2001:db8::1 0 [x]",
        ),
        (
            "res_http_websocket.c",
            "WebSocket connection from '192.0.2.1:5060' could not be accepted - did not request WebSocket",
            "http refused 192.0.2.1 5060 []",
        ),
    ] {
        assert_eq!(line(place, message), format!("1 {wanted}"), "{message}");
    }
    assert_eq!(line("manager.c", "(null) failed to authenticate as 'x'"), "");
}

/// The same sentence behind everything that may stand before it, and when it was.
#[test]
fn every_prefix() {
    let said = "Registration from '<sip:1@h>' failed for '192.0.2.1:5060' - Wrong password";
    let at = Some(1_795_289_079_000);
    for (before, after, wanted) in [
        ("[2026-11-21 19:24:39] NOTICE[123] chan_sip.c: ", "", at),
        (
            "[2026-11-21 19:24:39] NOTICE[123][C-00000001]: chan_sip.c:28999 handle_request_register: ",
            "",
            at,
        ),
        (
            "[2026-11-21T19:24:39+0000] NOTICE[123] chan_sip.c:28999 handle_request_register: ",
            "",
            at,
        ),
        ("[Nov 21 19:24:39] NOTICE[123] chan_sip.c: ", "", at),
        ("[1795289079.000] NOTICE[123] chan_sip.c: ", "", at),
        (
            "NOTICE[123]: chan_sip.c:15855 handle_request_register: ",
            "",
            None,
        ),
        (
            "Nov 21 19:24:39 pbx asterisk[3432]: NOTICE[3432]: chan_sip.c:28999 in handle_request_register: ",
            "",
            at,
        ),
        (
            "<141>Nov 21 19:24:39 pbx asterisk[3432]: NOTICE[3432][C-1]: chan_sip.c:28999 in handle_request_register: ",
            "",
            at,
        ),
        (
            "<141>1 2026-11-21T19:24:39Z pbx asterisk 3432 - - NOTICE[3432]: chan_sip.c: ",
            "",
            at,
        ),
        (
            "2026-11-21T20:24:39.000000+01:00 pbx asterisk[3432]: NOTICE[3432]: chan_sip.c: ",
            "",
            at,
        ),
        (
            "Nov 21 19:24:39 pbx asterisk[3432]: [Nov 21 19:24:39] NOTICE[3432]: chan_sip.c:28999 f: ",
            "",
            at,
        ),
        (
            "[Nov 21 19:24:39] \x1b[1;33mNOTICE\x1b[0m[123]: \x1b[1;37mchan_sip.c\x1b[0m:\x1b[1;37m28999\x1b[0m \x1b[1;37mhandle_request_register\x1b[0m: ",
            "",
            at,
        ),
        (
            "{\"log\":\"[Nov 21 19:24:39] NOTICE[1]: chan_sip.c:28999 f: ",
            "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T19:24:40.1Z\"}",
            at,
        ),
        (
            "{\"log\":\"NOTICE[1]: chan_sip.c:28999 f: ",
            "\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T19:24:39.0Z\"}",
            at,
        ),
    ] {
        let file = format!("{before}{said}{after}\n");
        assert!(looks_like(file.as_bytes()), "{before}");
        assert_eq!(
            told(&file),
            ["1 chan-sip wrong-password 192.0.2.1 5060 [1]"],
            "{before}"
        );
        let records = mapped(&file);
        let [(_, Mapped::Said(said))] = &records[..] else {
            unreachable!("one record")
        };
        assert_eq!(said.event.at.map(Moment::as_millis), wanted, "{before}");
    }
    for before in [
        "Nov 21 19:24:39 pbx sshd[3]: NOTICE[1]: chan_sip.c: ",
        " [2026-11-21 19:24:39] NOTICE[1] chan_sip.c: ",
        "[2026-11-21 19:24:39] VERBOSE[1] chan_sip.c: ",
        "[2026-11-21 19:24:39] NOTICE[1] Ext. 100: ",
    ] {
        assert_eq!(told(&format!("{before}{said}\n")), [""; 0], "{before}");
    }
}

#[test]
fn the_security_log_in_both_forms_of_its_time() {
    for time in ["2026-11-21T16:24:39.140-0300", "1795289079-140999"] {
        let event = format!(
            "SecurityEvent=\"InvalidPassword\",EventTV=\"{time}\",Severity=\"Error\",Service=\"SIP\",EventVersion=\"2\",AccountID=\"x\",\
             SessionID=\"0x7f0820016cf0\",LocalAddress=\"IPV4/UDP/192.0.2.16/5160\",RemoteAddress=\"IPV4/UDP/192.0.2.1/5060\",\
             Challenge=\"7ec9d785\",ReceivedChallenge=\"7ec9d785\",ReceivedHash=\"c487\""
        );
        for before in [
            "[Nov 21 19:24:39] SECURITY[22422] res_security_log.c: ",
            "Nov 21 19:24:39 pbx asterisk[1]: SECURITY[22422]: res_security_log.c:114 in security_event_stasis_cb: ",
        ] {
            let records = mapped(&format!("{before}{event}\n"));
            let [(1, Mapped::Said(said))] = &records[..] else {
                unreachable!("one record: {records:?}")
            };
            assert_eq!(said.event.at.map(Moment::as_millis), Some(1_795_289_079_140));
            assert_eq!(said.event.proof.name(), "answered");
        }
        assert_eq!(line("chan_sip.c", &event), "", "another file can't tell so");
    }
}
