//! What each event says of whom, where the recordings of real servers have no example.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use ringfence_esl::{Counts, Frame, Kind, Mapped, Mapper, Suspicion};
use ringfence_event::{Cause, Proof, SecurityEvent};

fn map(mapper: &mut Mapper, subclass: &str, headers: &str) -> Mapped {
    let body = format!("Event-Subclass: {subclass}\nEvent-Name: CUSTOM\n{headers}\n\n");
    mapper.map(&Frame::new(Kind::EventPlain, b"", body.as_bytes(), false))
}

fn event(mapped: Mapped) -> SecurityEvent {
    match mapped {
        Mapped::Event(event) => Some(event),
        _ => None,
    }
    .unwrap()
}

const FAILURE: &str = "sofia%3A%3Aregister_failure";
const ATTEMPT: &str = "sofia%3A%3Aregister_attempt";

#[test]
fn a_failure_without_its_attempt_counts_alone() {
    let mut mapper = Mapper::new();
    let headers = "to-user: 1000\nto-host: a.example\nnetwork-ip: 192.0.2.1\nregistration-type: REGISTER";
    let event = event(map(&mut mapper, FAILURE, headers));
    assert_eq!((event.cause, event.proof), (Cause::WrongPassword, Proof::None));
    assert_eq!(
        (event.account.as_bytes(), event.tenant.as_bytes()),
        (&b"1000"[..], &b"a.example"[..])
    );
}

#[test]
fn a_failure_of_a_call_alone_names_no_account() {
    let mut mapper = Mapper::new();
    let headers = "to-user: 9196\nnetwork-ip: 192.0.2.1\nregistration-type: INVITE";
    assert!(event(map(&mut mapper, FAILURE, headers)).account.is_empty());
}

#[test]
fn an_attempt_and_its_failure_are_one() {
    let mut mapper = Mapper::new();
    let attempt = "Event-Sequence: 7\nnetwork-ip: 192.0.2.1\nnetwork-port: 5060\nusername: 1000\nauth-result: FORBIDDEN";
    let failure = "Event-Sequence: 8\nnetwork-ip: 192.0.2.1\nnetwork-port: 5060\nregistration-type: REGISTER";
    assert_eq!(
        event(map(&mut mapper, ATTEMPT, attempt)).account.as_bytes(),
        b"1000"
    );
    assert_eq!(map(&mut mapper, FAILURE, failure), Mapped::Other);
    assert_eq!(
        event(map(&mut mapper, FAILURE, &failure.replace("5060", "5061")))
            .peer
            .port(),
        5061
    );
}

#[test]
fn what_a_client_made_up_or_contradicts_itself_blames_nobody() {
    let mut mapper = Mapper::new();
    let forged = "Command: sendevent%20CUSTOM\nnetwork-ip: 192.0.2.9\nregistration-type: REGISTER";
    assert_eq!(
        map(&mut mapper, FAILURE, forged),
        Mapped::Suspicious(Suspicion::Forged)
    );
    let twice = "network-ip: 192.0.2.9\nnetwork-ip: 192.0.2.1\nregistration-type: REGISTER";
    assert_eq!(
        map(&mut mapper, FAILURE, twice),
        Mapped::Suspicious(Suspicion::Contradictory)
    );
    assert_eq!(
        mapper.counts(),
        Counts {
            forged: 1,
            contradictory: 1
        }
    );
}

#[test]
fn without_an_address_nobody_is_blamed() {
    let mut mapper = Mapper::new();
    for ip in [
        "",
        "network-ip: ",
        "network-ip: pbx.example",
        "network-ip: 192.0.2.1%0A",
    ] {
        assert_eq!(map(&mut mapper, FAILURE, ip), Mapped::Other, "{ip}");
    }
    assert_eq!(
        map(&mut mapper, "sofia%3A%3Awrong_call_state", "network_port: 0"),
        Mapped::Other
    );
}

#[test]
fn a_call_that_somebody_let_in_is_no_probe() {
    let mut mapper = Mapper::new();
    let probe = "Event-Name: CHANNEL_HANGUP_COMPLETE\nHangup-Cause: NO_ROUTE_DESTINATION\nCall-Direction: inbound\n\
        Caller-Destination-Number: 900972599\nvariable_sip_network_ip: 192.0.2.1\n";
    let mut say = |body: &str, cut| mapper.map(&Frame::new(Kind::EventPlain, b"", body.as_bytes(), cut));
    let event = event(say(&format!("{probe}\n"), false));
    assert_eq!(
        (event.cause, event.account.as_bytes()),
        (Cause::UnknownExtension, &b"900972599"[..])
    );
    assert_eq!(
        say(&format!("{probe}variable_sip_authorized: true\n\n"), false),
        Mapped::Other
    );
    assert_eq!(
        say(&format!("{probe}\n"), true),
        Mapped::Other,
        "the rest is not known"
    );
    let profile = format!("{probe}variable_sofia_profile_name: external\n\n");
    assert!(matches!(say(&profile, true), Mapped::Event(_)));
    assert_eq!(
        say(
            &profile.replace(
                "variable_sofia",
                "variable_sip_acl_authed_by: domains\nvariable_sofia"
            ),
            true
        ),
        Mapped::Other
    );
    assert_eq!(say(&probe.replace("inbound", "outbound"), false), Mapped::Other);
}
