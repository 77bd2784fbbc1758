//! Which record is which statement, and which is none.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use ringfence_event::{Cause, Moment, Proof, SecurityEvent, Service, Transport};
use ringfence_seclog::freeswitch::{Civil, Kind, Record, Said, map, map_at, map_log_data};

fn in_file(message: &str) -> Option<Said> {
    let record = format!("2026-11-21 19:34:22.269825 62.10% [WARNING] {message}\n");
    map(&Record::read(record.as_bytes())?, None)
}

fn on_socket(file: &str, message: &str) -> Option<Said> {
    let body = format!("2026-11-21 19:34:22.269825 62.10% [WARNING] {file}:1842 {message}\n");
    map_log_data(file.as_bytes(), b"function", body.as_bytes())
}

/// What an event says, without its time.
fn columns(said: &Said) -> (Kind, Service, Cause, String, Transport, Proof) {
    let SecurityEvent {
        service,
        cause,
        peer,
        proof,
        ..
    } = said.event;
    let addr = std::net::SocketAddr::new(peer.addr(), peer.port()).to_string();
    (said.kind, service, cause, addr, peer.transport(), proof)
}

/// Account, tenant, domain, profile, detail.
fn texts(said: &Said) -> [String; 5] {
    let event = &said.event;
    [
        event.account,
        event.tenant,
        event.domain,
        event.profile,
        event.detail,
    ]
    .map(|text| text.to_string())
}

const FAILURE: &str =
    "SIP auth failure (REGISTER) on sofia profile 'internal' for [1000@a.example] from ip 192.0.2.1";

type Sentence = (
    &'static str,
    &'static str,
    Kind,
    Service,
    Cause,
    &'static str,
    Transport,
    Proof,
);

/// Who writes it, what, and what it says.
fn sentences() -> [Sentence; 9] {
    let unknown = Transport::Unknown;
    [
        (
            "sofia_reg.c",
            FAILURE,
            Kind::Failure,
            Service::Sofia,
            Cause::WrongPassword,
            "192.0.2.1:0",
            unknown,
            Proof::None,
        ),
        (
            "sofia_reg.c",
            "SIP auth challenge (INVITE) on sofia profile 'x' for [9@a] from ip 2001:db8::1",
            Kind::Challenge,
            Service::Sofia,
            Cause::Challenged,
            "[2001:db8::1]:0",
            unknown,
            Proof::None,
        ),
        (
            "sofia_reg.c",
            "IP 192.0.2.1 Rejected by register acl \"lan\"",
            Kind::RegisterAcl,
            Service::Sofia,
            Cause::AclDenied,
            "192.0.2.1:0",
            unknown,
            Proof::None,
        ),
        (
            "sofia_reg.c",
            "IP 192.0.2.1 Rejected by user acl [lan] and no proxy acl present",
            Kind::UserAcl,
            Service::Sofia,
            Cause::AclDenied,
            "192.0.2.1:0",
            unknown,
            Proof::None,
        ),
        (
            "sofia_reg.c",
            "Can not do authorization without a complete header in REGISTER request from 192.0.2.1:5066",
            Kind::Incomplete,
            Service::Sofia,
            Cause::Malformed,
            "192.0.2.1:5066",
            unknown,
            Proof::None,
        ),
        (
            "sofia.c",
            "IP 192.0.2.1 Rejected by acl \"lan\"",
            Kind::CallAcl,
            Service::Sofia,
            Cause::AclDenied,
            "192.0.2.1:0",
            unknown,
            Proof::None,
        ),
        (
            "sofia.c",
            "IP/Port 192.0.2.1 5066 Rejected by acls and auth-calls-acl-only flag is set, rejecting call",
            Kind::CallAclOnly,
            Service::Sofia,
            Cause::AclDenied,
            "192.0.2.1:5066",
            unknown,
            Proof::None,
        ),
        (
            "mod_event_socket.c",
            "IP 192.0.2.1 Rejected by acl \"lan\"",
            Kind::EslAcl,
            Service::Esl,
            Cause::AclDenied,
            "192.0.2.1:0",
            Transport::Tcp,
            Proof::Handshake,
        ),
        (
            "mod_verto.c",
            "[2001:db8::1]:7 Client Connect from 2001:db8::1:7 refused by ACL lan",
            Kind::VertoAcl,
            Service::Verto,
            Cause::AclDenied,
            "[2001:db8::1]:7",
            Transport::Tcp,
            Proof::Handshake,
        ),
    ]
}

#[test]
fn every_sentence_is_a_statement() {
    for (file, message, kind, service, cause, addr, transport, proof) in sentences() {
        let wanted = (kind, service, cause, addr.to_owned(), transport, proof);
        assert_eq!(columns(&on_socket(file, message).unwrap()), wanted, "{message}");
        assert_eq!(
            columns(&in_file(&format!("{file}:7 {message}")).unwrap()),
            wanted,
            "{message}"
        );
        // Nothing may follow, and nobody else may say it.
        assert_eq!(on_socket(file, &format!("{message} ")), None, "{message}");
        assert_eq!(on_socket("mod_dptools.c", message), None, "{message}");
        assert_eq!(in_file(&format!("mod_dptools.c:1 {message}")), None, "{message}");
        assert_eq!(in_file(message), None, "{message}");
    }
}

#[test]
fn names_are_split_where_that_is_certain() {
    let name = |name: &str| {
        let message =
            format!("SIP auth failure (REGISTER) on sofia profile 'in' for [{name}] from ip 192.0.2.1");
        texts(&on_socket("sofia_reg.c", &message).unwrap())
    };
    let detail = "SIP auth failure (REGISTER)";
    assert_eq!(
        name("1000@a.example"),
        ["1000", "a.example", "a.example", "in", detail]
    );
    assert_eq!(
        name("1]@x@[2001:db8::1]"),
        ["1]@x", "[2001:db8::1]", "[2001:db8::1]", "in", detail]
    );
    for uncertain in [
        "",
        "1000",
        "1000@",
        "1000@a b",
        "1000@a] from ip 198.51.100.9",
        "1@a\r\n b",
    ] {
        assert_eq!(name(uncertain), ["", "", "", "in", detail], "{uncertain}");
    }
}

#[test]
fn a_dialled_number_is_no_account() {
    let message = "SIP auth failure (INVITE) on sofia profile 'in' for [9196@a.example] from ip 192.0.2.1";
    assert_eq!(
        texts(&on_socket("sofia_reg.c", message).unwrap()),
        ["", "a.example", "a.example", "in", "SIP auth failure (INVITE)"]
    );
}

#[test]
fn nothing_else_blames_anybody() {
    for message in [
        "Can't find user [1000@a.example] from 192.0.2.1",
        "SIP auth failure (REGISTER) due to reaching max allowed registrations.  Count: 1",
        "SIP auth failure (REGISTER) due to user-agent-filter.  Filter \"x\" User-Agent \"' for [1@a] from ip 192.0.2.1",
        "SIP auth failure (REGISTER) on sofia profile 'in' for [1@a] from ip host.example",
        "SIP auth failure (REGISTER) on sofia profile 'in' for [1@a] from ip 192.0.2.1:5060",
        "SIP auth failure (REGISTER) on sofia profile 'in' for [1@a from ip 192.0.2.1",
        "SIP auth failure (OPTIONS) on sofia profile 'in' for [1@a] from ip 192.0.2.1",
        " SIP auth failure (REGISTER) on sofia profile 'in' for [1@a] from ip 192.0.2.1",
        "IP 192.0.2.1 Rejected by user acl [lan]",
        "IP x Rejected by register acl \"lan\"",
        "IP 192.0.2.1 Rejected by acl \"lan\"",
    ] {
        assert_eq!(on_socket("sofia_reg.c", message), None, "{message}");
    }
}

#[test]
fn what_the_socket_says_of_the_origin_is_believed() {
    let acl = "IP 192.0.2.1 Rejected by acl \"lan\"";
    let body = format!("2026-11-21 19:34:22.269825 [WARNING] sofia.c:1 {acl}\n");
    let said = map_log_data(b"mod_event_socket.c", b"listener_run", body.as_bytes()).unwrap();
    assert_eq!(said.kind, Kind::EslAcl);
    assert_eq!(
        map_log_data(b"mod_dptools.c", b"log_function", body.as_bytes()),
        None
    );
}

#[test]
fn a_file_has_older_forms_too() {
    let kind = |record: &str| map(&Record::read(record.as_bytes())?, None).map(|said| said.kind);
    let stamp = "2013-12-31 17:39:54.767815";
    assert_eq!(
        kind(&format!("{stamp} [WARNING] sofia_reg.c:1533 {FAILURE}\n")),
        Some(Kind::Failure)
    );
    assert_eq!(
        kind(&format!("{stamp} [WARN] [SOFIA] {FAILURE}\n")),
        Some(Kind::Failure)
    );
    assert_eq!(kind(&format!("{stamp} [WARNING] [OTHER] {FAILURE}\n")), None);
    assert_eq!(
        kind(&format!(
            "\x1b[35m{stamp} [WARNING] sofia_reg.c:1533 {FAILURE}\x1b[0m\n"
        )),
        Some(Kind::Failure)
    );
    // A line of a call may be a line of what its peer sent.
    let uuid = "6561abb9-f137-4288-87ae-4f8e80cd505b";
    assert_eq!(
        kind(&format!("{uuid} {stamp} [WARNING] sofia_reg.c:1533 {FAILURE}\n")),
        None
    );
}

#[test]
fn the_time_is_the_hosts_own() {
    let body = format!("2026-11-21 19:34:22.269825 [WARNING] sofia_reg.c:1 {FAILURE}\n");
    let record = Record::read(body.as_bytes()).unwrap();
    let civil = Civil {
        year: 2026,
        month: 11,
        day: 21,
        hour: 19,
        minute: 34,
        second: 22,
        micros: 269_825,
    };
    assert_eq!(record.time(), Some(civil));
    let at = |offset| map_at(&record, None, offset).unwrap().event.at;
    assert_eq!(at(0), Some(Moment::from_millis(1_795_289_662_269)));
    assert_eq!(at(-10_800), Some(Moment::from_millis(1_795_300_462_269)));
}
