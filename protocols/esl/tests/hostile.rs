//! What a peer can do with the values it chooses, and the server by losing, mixing and cutting events.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test's helpers fail the test"
)]

use bytes::BytesMut;
use proptest::prelude::*;
use ringfence_esl::{Counts, EslCodec, Frame, Kind, Mapped, Mapper};
use ringfence_event::{Cause, SecurityEvent};
use tokio_util::codec::Decoder;

/// An address that never sent a packet.
const BYSTANDER: &str = "198.51.100.66";

/// One header of an event: what FreeSWITCH says, or what a peer chose.
#[derive(Clone, Copy)]
enum Value {
    Server(&'static str),
    Peer,
}
use Value::{Peer, Server};

/// In the order in which FreeSWITCH sends them, behind the headers that all events have.
const ATTEMPT: [(&str, Value); 16] = [
    ("profile-name", Server("internal")),
    ("from-user", Peer),
    ("from-host", Peer),
    ("contact", Peer),
    ("call-id", Peer),
    ("rpid", Peer),
    ("status", Peer),
    ("expires", Peer),
    ("to-user", Peer),
    ("to-host", Peer),
    ("network-ip", Server("192.0.2.1")),
    ("network-port", Server("5066")),
    ("username", Peer),
    ("realm", Peer),
    ("user-agent", Peer),
    ("auth-result", Server("FORBIDDEN")),
];
const FAILURE: [(&str, Value); 8] = [
    ("profile-name", Server("internal")),
    ("to-user", Peer),
    ("to-host", Peer),
    ("network-ip", Server("192.0.2.1")),
    ("user-agent", Peer),
    ("profile-name", Server("internal")),
    ("network-port", Server("5066")),
    ("registration-type", Server("REGISTER")),
];
/// A challenge is an attempt without an answer.
const CHALLENGE: [usize; 13] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 14];

fn frame(
    subclass: &str,
    sequence: u64,
    headers: &[(&str, Value)],
    value: impl Fn(&str) -> Vec<u8>,
) -> Vec<u8> {
    let mut body = format!(
        "Event-Subclass: sofia%3A%3A{subclass}\nEvent-Name: CUSTOM\nCore-UUID: 9e1195c0\nFreeSWITCH-Hostname: pbx\n\
         Event-Date-Timestamp: 1795289700909824\nEvent-Calling-File: sofia_reg.c\nEvent-Sequence: {sequence}\n"
    )
    .into_bytes();
    for (name, said) in headers {
        body.extend_from_slice(format!("{name}: ").as_bytes());
        match said {
            Server(text) => body.extend_from_slice(text.as_bytes()),
            Peer => body.extend(value(name)),
        }
        body.push(b'\n');
    }
    body.push(b'\n');
    framed(&body)
}

fn framed(body: &[u8]) -> Vec<u8> {
    let head = format!(
        "Content-Length: {}\nContent-Type: text/event-plain\n\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A challenge, a refused attempt and its failure.
fn login(value: impl Fn(&str) -> Vec<u8> + Copy) -> [Vec<u8>; 3] {
    let challenge = CHALLENGE.map(|at| ATTEMPT[at]);
    [
        frame("pre_register", 1, &challenge, value),
        frame("register_attempt", 2, &ATTEMPT, value),
        frame("register_failure", 3, &FAILURE, value),
    ]
}

fn read(stream: &[u8]) -> (Vec<SecurityEvent>, Counts) {
    let (mut codec, mut mapper, mut buffer) = (EslCodec::new(), Mapper::new(), BytesMut::new());
    let mut events = Vec::new();
    for piece in stream.chunks(1448) {
        buffer.extend_from_slice(piece);
        while let Some(block) = codec.decode(&mut buffer).unwrap() {
            if let Mapped::Event(event) = mapper.map(&block.frame()) {
                events.push(event);
            }
        }
    }
    (events, mapper.counts())
}

fn said(stream: &[u8]) -> Vec<SecurityEvent> {
    let (events, counts) = read(stream);
    assert_eq!(counts, Counts::default());
    events
}

/// Cause, address and port of each event.
fn blamed(events: &[SecurityEvent]) -> Vec<(Cause, String, u16)> {
    events
        .iter()
        .map(|event| (event.cause, event.peer.addr().to_string(), event.peer.port()))
        .collect()
}

fn challenged_and_refused() -> Vec<(Cause, String, u16)> {
    let one = |cause| (cause, "192.0.2.1".to_owned(), 5066);
    vec![one(Cause::Challenged), one(Cause::WrongPassword)]
}

#[test]
fn no_value_is_large_enough_to_hide_a_failure_or_to_tell_it_twice() {
    let chosen: Vec<_> = ATTEMPT
        .iter()
        .filter(|(_, value)| matches!(value, Peer))
        .map(|(name, _)| *name)
        .collect();
    for large in &chosen {
        let stream = login(|name| vec![b'x'; if name == *large { 300_000 } else { 5 }]).concat();
        assert_eq!(blamed(&said(&stream)), challenged_and_refused(), "{large}");
    }
    for length in [4_000, 5_000, 10_000, 100_000] {
        let stream = login(|_| vec![b'x'; length]).concat();
        assert_eq!(blamed(&said(&stream)), challenged_and_refused(), "{length}");
    }
}

#[test]
fn a_large_event_is_told_when_its_other_half_is_lost() {
    for lost in [1, 2] {
        let mut frames = login(|_| b"%FF".repeat(50_000)).to_vec();
        frames.remove(lost);
        assert_eq!(
            blamed(&said(&frames.concat())),
            challenged_and_refused(),
            "{lost}"
        );
    }
}

#[test]
fn a_value_that_is_cut_starts_no_line() {
    // wherever the cut falls, also inside of an escape
    for shift in 0..40 {
        let text = format!("%0A%0Anetwork-ip: {BYSTANDER}%0Anetwork_ip: {BYSTANDER}%0D%0A");
        let stream = login(|_| [&b"z".repeat(shift), &*text.repeat(2_000).into_bytes()].concat()).concat();
        assert_eq!(blamed(&said(&stream)), challenged_and_refused(), "{shift}");
    }
}

#[test]
fn what_stands_behind_the_headers_is_never_read_however_large_the_event_is() {
    let fake = format!("\nnetwork-ip: {BYSTANDER}\nauth-result: FORBIDDEN\nregistration-type: REGISTER\n\n");
    for padding in [0, 100_000] {
        let headers = format!(
            "Event-Subclass: sofia%3A%3Aregister_failure\nEvent-Name: CUSTOM\nto-user: {}\n",
            "x".repeat(padding)
        );
        let stream = framed(&[headers.as_bytes(), fake.as_bytes()].concat());
        assert_eq!(said(&stream), [], "{padding}");
    }
}

/// FreeSWITCH writes the command in front of what the client says, and its own headers behind it.
#[test]
fn an_event_that_a_client_made_up_is_known_however_large_it_is() {
    let body = format!(
        "Event-Subclass: sofia%3A%3Aregister_failure\nCommand: sendevent%20CUSTOM{}\nEvent-Name: CUSTOM\n\
         network-ip: {BYSTANDER}\n{}Event-Calling-File: mod_event_socket.c\n\n",
        "x".repeat(70_000),
        "pad: x\n".repeat(20_000)
    );
    let (events, counts) = read(&framed(body.as_bytes()));
    assert_eq!((events.len(), counts.forged), (0, 1));
}

/// Headers of its own that a caller adds (`variable_sip_h_…`) stand behind its profile.
#[test]
fn a_probe_is_not_hidden_by_making_its_event_large() {
    let told = |marks: &str, user: usize, added: usize| {
        let caller = "x".repeat(user);
        let pad = format!("variable_sip_h_X-Pad: {}\n", "x".repeat(10_000)).repeat(added);
        let body = format!(
            "Event-Name: CHANNEL_HANGUP_COMPLETE\nHangup-Cause: NO_ROUTE_DESTINATION\nCall-Direction: inbound\n\
             Caller-Username: {caller}\nCaller-Caller-ID-Name: {caller}\nCaller-Caller-ID-Number: {caller}\n\
             Caller-ANI: {caller}\nCaller-Destination-Number: 900972599\nvariable_sip_network_ip: 192.0.2.1\n\
             variable_sip_network_port: 5066\n{marks}variable_sofia_profile_name: external\n{pad}\n"
        );
        blamed(&said(&framed(body.as_bytes())))
    };
    let probe = [(Cause::UnknownExtension, "192.0.2.1".to_owned(), 5066)];
    for (user, added) in [(10, 0), (10, 7), (10, 100), (40_000, 0), (40_000, 100)] {
        assert_eq!(told("", user, added), probe, "{user} {added}");
        assert_eq!(told("variable_sip_authorized: true\n", user, added), []);
    }
}

/// mod_verto makes variables of a call out of its client's `userVariables`, names as they come, line feeds included.
#[test]
fn a_call_of_verto_blames_nobody() {
    let call = |source: &str, injected: &str| {
        let body = format!(
            "Event-Name: CHANNEL_HANGUP_COMPLETE\nCall-Direction: inbound\nCaller-Destination-Number: 900972599\n{source}\
             Hangup-Cause: NO_ROUTE_DESTINATION\nvariable_verto_profile_name: default\n{injected}\
             variable_sip_network_ip: {BYSTANDER}\n\n"
        );
        read(&framed(body.as_bytes())).0.len()
    };
    assert_eq!(call("Caller-Source: mod_sofia\n", ""), 1);
    for injected in ["", "variable_x\nCaller-Source: mod_sofia\n"] {
        assert_eq!(call("Caller-Source: mod_verto\n", injected), 0, "{injected}");
        assert_eq!(call("Caller-Source: mod_loopback\n", injected), 0, "{injected}");
    }
}

/// Of one address and port, at two profiles at once: what is lost of one is not made up by the other.
#[test]
fn two_profiles_do_not_pair() {
    let at = |profile: &'static str, sequence, subclass, headers: &[(&'static str, Value)]| {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| {
                (
                    *name,
                    if *name == "profile-name" {
                        Server(profile)
                    } else {
                        *value
                    },
                )
            })
            .collect();
        frame(subclass, sequence, &headers, |_| b"1000".to_vec())
    };
    let attempt = |profile, sequence| at(profile, sequence, "register_attempt", &ATTEMPT);
    let failure = |profile, sequence| at(profile, sequence, "register_failure", &FAILURE);
    let profiles = |frames: &[Vec<u8>]| -> Vec<_> {
        let events = said(&frames.concat());
        events.iter().map(|event| event.profile.to_string()).collect()
    };
    let (a, b) = ("internal", "external");
    let both = [attempt(a, 1), attempt(b, 2), failure(a, 3), failure(b, 4)];
    assert_eq!(profiles(&both), [a, b]);
    assert_eq!(profiles(&[attempt(a, 1), failure(b, 4)]), [a, b]);
    assert_eq!(profiles(&[failure(b, 4), attempt(a, 1)]), [b, a]);
}

#[derive(Clone, Copy, Debug)]
struct Try {
    peer: u8,
    profile: bool,
    lost: Option<bool>,
    swapped: bool,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = (
        0_u8..3,
        any::<bool>(),
        proptest::option::of(any::<bool>()),
        any::<bool>(),
    )
        .prop_map(|(peer, profile, lost, swapped)| Try {
            peer,
            profile,
            lost,
            swapped,
        });
    proptest::collection::vec(one, 0..40)
}

proptest! {
    /// Address and port are soon used again, events are late or lost. No try is told twice; and one is missed only where two
    /// tries of the same peer at the same profile lost opposite halves.
    #[test]
    fn a_try_is_never_told_twice(tries in tries()) {
        let mut mapper = Mapper::new();
        let mut told = [0_usize; 3];
        let mut made = [0_usize; 3];
        let mut halves_lost = [0_usize; 3];
        for (number, one) in tries.iter().enumerate() {
            let peer = usize::from(one.peer);
            made[peer] += 1;
            halves_lost[peer] += usize::from(one.lost.is_some());
            let event = |failure: bool| {
                let (kind, sequence) = if failure { ("failure", 2 * number + 2) } else { ("attempt", 2 * number + 1) };
                format!(
                    "Event-Subclass: sofia%3A%3Aregister_{kind}\nEvent-Name: CUSTOM\nEvent-Sequence: {sequence}\n\
                     Event-Date-Timestamp: 1795289700909824\nprofile-name: {}\nnetwork-ip: 192.0.2.{}\nnetwork-port: 5066\n\
                     auth-result: FORBIDDEN\nregistration-type: REGISTER\n\n",
                    one.profile, one.peer,
                )
            };
            let order = if one.swapped { [true, false] } else { [false, true] };
            for failure in order.into_iter().filter(|failure| Some(*failure) != one.lost) {
                let body = event(failure);
                let frame = Frame::new(Kind::EventPlain, b"", body.as_bytes(), false);
                if let Mapped::Event(event) = mapper.map(&frame) {
                    prop_assert_eq!(event.peer.addr().to_string(), format!("192.0.2.{}", one.peer));
                    told[peer] += 1;
                }
            }
        }
        for peer in 0..3 {
            prop_assert!(told[peer] <= made[peer]);
            prop_assert!(told[peer] + halves_lost[peer] / 2 >= made[peer]);
        }
    }
}
