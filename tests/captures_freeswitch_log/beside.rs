//! The logs beside the event socket: one try is one attempt, whichever of them tells of it.

use std::collections::{BTreeMap, BTreeSet};

use ringfence::cli::recording::Format;
use ringfence::engine::{Engine, Policy, Target, Verdict};
use ringfence_event::{Cause, SecurityEvent, SourceId, Span};
use ringfence_seclog::freeswitch::Layout;

use super::{Where, events, recordings, said, with_events};

/// What only one of the two tells. Challenges are left out: no log says which of them were answered.
const ONLY: [&str; 18] = [
    // access lists: mod_fail2ban is not told of them, and the socket gives no line of a level below warning
    "esl_acl_deny socket, not f2b: 127.0.0.2 management 1",
    "invite_acl_deny socket, not f2b: 127.0.0.9 auth 1",
    "invite_acl_only_deny fslog, not socket: 127.0.0.9 auth 1",
    // the profile logs no authentication
    "invite_badpw-quiet socket, not fslog: 127.0.0.2 auth 1",
    "register_acl_deny socket, not f2b: 127.0.0.9 auth 1",
    "register_badpw-quiet socket, not fslog: 127.0.0.2 auth 1",
    // the account succeeds after it, which only the socket tells
    "register_forced_domain f2b, not socket: 127.0.0.2 auth 1",
    "register_forced_domain fslog, not socket: 127.0.0.2 auth 1",
    "register_unknown_user-quiet socket, not fslog: 127.0.0.2 auth 1",
    "verto_acl_deny fslog, not socket: 127.0.0.9 auth 1",
    // mod_verto writes no line about a wrong password
    "verto_badpw socket, not f2b: 127.0.0.2 auth 1",
    "verto_badpw socket, not fslog: 127.0.0.2 auth 1",
    "verto_badpw-ipv6 socket, not f2b: ::1 auth 1",
    "verto_badpw-ipv6 socket, not fslog: ::1 auth 1",
    "verto_nopasswd socket, not f2b: 127.0.0.2 auth 1",
    "verto_nopasswd socket, not fslog: 127.0.0.2 auth 1",
    "verto_unknown socket, not f2b: 127.0.0.2 auth 1",
    "verto_unknown socket, not fslog: 127.0.0.2 auth 1",
];

/// Refusals of access lists that only the log tells of.
const LOG_TELLS_MORE: [&str; 2] = ["invite_acl_only_deny", "verto_acl_deny"];

/// A login and a refusal of the same account within a millisecond: where the log tells of the refusal before the socket tells of
/// the login, that forgives it.
const FORGIVEN: &str = "register_maxreg";

/// Their recordings of the socket hold megabytes and are not kept.
const WITHOUT_EVENTS: [&str; 2] = ["hostile_huge_tcp", "hostile_long"];

/// Answers whose name in the digest is not that of the request: the socket leaves their challenges open, a log says that they
/// were answered.
const OTHER_NAMES: [&str; 2] = ["hostile_auth", "hostile_auth_nomatch"];

/// What the engine counts in the end where nothing is banned, and whom it bans as it is built.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Decided {
    /// Address, jail and count.
    counts: BTreeSet<String>,
    unanswered: BTreeMap<String, u64>,
    banned: BTreeSet<String>,
}

fn decided(events: &[SecurityEvent]) -> Decided {
    let mut decided = Decided::default();
    let mut patient = Policy::default();
    for jail in &mut patient.jails {
        jail.maxretry = 900;
        jail.findtime = Span::from_secs(3600);
    }
    let mut engines = [Engine::new(patient, 7), Engine::new(Policy::default(), 7)];
    let mut out = Vec::new();
    for engine in &mut engines {
        engine.watch_together(vec![vec![SourceId(0), SourceId(1), SourceId(2)]]);
        out.clear();
        for event in events {
            engine.observe(event.at.unwrap(), event, &mut out);
        }
    }
    let Some(end) = events.last().and_then(|event| event.at) else {
        return decided;
    };
    for addr in events.iter().map(|event| event.peer.addr()) {
        for count in engines[0].dossier(end, addr).counts {
            if count.count == 0 {
                continue;
            }
            if count.jail == "flood" {
                decided.unanswered.insert(addr.to_string(), count.count.into());
            } else {
                decided
                    .counts
                    .insert(format!("{addr} {} {}", count.jail, count.count));
            }
        }
    }
    for verdict in &out {
        if let Verdict::Ban(ban) = verdict
            && let Target::Address(addr) = ban.target
        {
            decided.banned.insert(format!("{addr} {}", ban.jail));
        }
    }
    decided
}

fn from(source: u16, events: Vec<SecurityEvent>) -> Vec<SecurityEvent> {
    let mut events = events;
    for event in &mut events {
        event.source = SourceId(source);
    }
    events
}

/// All in the order of time; of two at the same moment the one of the earlier list comes first.
fn merged(lists: &[&[SecurityEvent]]) -> Vec<SecurityEvent> {
    let mut all = lists.concat();
    all.sort_by_key(|event| event.at);
    all
}

/// One try is one attempt, whoever tells of it and in whichever order.
#[test]
fn the_event_socket_and_the_logs_tell_of_the_same_attempts() {
    let mut logs: BTreeMap<String, [Vec<SecurityEvent>; 2]> = BTreeMap::new();
    for (scenario, place, bytes) in recordings() {
        let Where::File(layout) = place else { continue };
        let events = said(place, &bytes).into_iter().map(|said| said.event);
        // the source leaves them out, too: no line says that one was answered rightly
        let events = events.filter(|event| event.cause != Cause::Challenged).collect();
        let voice = usize::from(layout == Layout::Fail2ban);
        logs.entry(scenario).or_default()[voice] = from([1, 2][voice], events);
    }
    let (mut only, mut banned, mut compared) = (BTreeSet::new(), BTreeSet::new(), 0);
    for (scenario, [log, fail2ban]) in &logs {
        if WITHOUT_EVENTS.contains(&scenario.as_str()) {
            continue;
        }
        let told = events(&with_events(scenario), Format::Esl).into_iter();
        let socket = from(0, told.map(|(_, event)| event).collect());
        let wanted = decided(&socket);
        for (file, events) in [("fslog", log), ("f2b", fail2ban)] {
            let alone = decided(events);
            for more in wanted.counts.difference(&alone.counts) {
                only.insert(format!("{scenario} socket, not {file}: {more}"));
            }
            for more in alone.counts.difference(&wanted.counts) {
                only.insert(format!("{scenario} {file}, not socket: {more}"));
            }
            compared += alone.counts.intersection(&wanted.counts).count();
        }
        let (socket, log, fail2ban) = (&socket[..], &log[..], &fail2ban[..]);
        let more = LOG_TELLS_MORE.contains(&scenario.as_str());
        for together in [
            &[socket, log][..],
            &[log, socket],
            &[socket, fail2ban],
            &[fail2ban, socket],
            &[socket, log, fail2ban],
            &[fail2ban, log, socket],
            &[log, socket, fail2ban],
        ] {
            let both = decided(&merged(together));
            if more && together.contains(&log) {
                assert_eq!(both.counts, decided(log).counts, "{scenario}");
            } else if scenario != FORGIVEN || together[0] == socket {
                assert_eq!(both.counts, wanted.counts, "{scenario}");
            } else {
                assert!(both.counts.is_subset(&wanted.counts), "{scenario}: {both:?}");
            }
            assert_eq!(both.banned, wanted.banned, "{scenario}");
            if OTHER_NAMES.contains(&scenario.as_str()) {
                assert!(both.unanswered <= wanted.unanswered, "{scenario}: {both:?}");
            } else {
                assert_eq!(both.unanswered, wanted.unanswered, "{scenario}");
            }
        }
        // the two files together are one log
        let files = decided(&merged(&[log, fail2ban]));
        let each = decided(log).counts.len().max(decided(fail2ban).counts.len());
        assert_eq!(files.counts.len(), each, "{scenario}: {files:?}");
        banned.extend(wanted.banned);
    }
    assert_eq!(only, ONLY.iter().map(|row| (*row).to_owned()).collect());
    assert_eq!(
        banned,
        BTreeSet::from(["127.0.0.2 auth".to_owned(), "127.0.0.2 flood".to_owned()])
    );
    assert!(compared > 50, "{compared}");
}
