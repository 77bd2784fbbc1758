//! `captures/freeswitch/scenarios.txt`: what each recording must say.

use std::collections::BTreeMap;
use std::fmt;

use ringfence_event::{SecurityEvent, Text};

/// What must be said of one try.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Outcome {
    pub service: String,
    pub cause: String,
    pub address: String,
    pub port_known: bool,
    pub account: Vec<u8>,
    pub tenant: Vec<u8>,
    pub domain: Vec<u8>,
    pub profile: Vec<u8>,
}

impl Outcome {
    /// What the program says; long texts are bounded, in the table by [`Outcome::bounded`].
    pub fn of(event: &SecurityEvent) -> Self {
        Self {
            service: event.service.name().to_owned(),
            cause: event.cause.name().to_owned(),
            address: event.peer.addr().to_string(),
            port_known: event.peer.port() != 0,
            account: event.account.as_bytes().to_vec(),
            tenant: event.tenant.as_bytes().to_vec(),
            domain: event.domain.as_bytes().to_vec(),
            profile: event.profile.as_bytes().to_vec(),
        }
    }

    /// As [`Outcome`], with each text as the program's vocabulary holds it.
    pub fn bounded(&self) -> Self {
        self.with_texts(|text| Text::new(text).as_bytes().to_vec())
    }

    /// As [`Outcome`], with each text changed.
    pub fn with_texts(&self, change: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        Self {
            account: change(&self.account),
            tenant: change(&self.tenant),
            domain: change(&self.domain),
            profile: change(&self.profile),
            ..self.clone()
        }
    }
}

/// How often each outcome is said.
pub type Outcomes = BTreeMap<Outcome, usize>;

/// Counts equal outcomes.
pub fn counted(outcomes: impl IntoIterator<Item = Outcome>) -> Outcomes {
    let mut counts = Outcomes::new();
    for outcome in outcomes {
        *counts.entry(outcome).or_default() += 1;
    }
    counts
}

/// The lines of one scenario.
#[derive(Clone, Debug, Default)]
pub struct Scenario {
    /// What a connection with the security events alone hears.
    pub narrow: Outcomes,
    /// What a connection with all events hears.
    pub plain: Outcomes,
    silent: bool,
}

/// Reads the table.
pub fn scenarios() -> BTreeMap<String, Scenario> {
    let mut table: BTreeMap<String, Scenario> = BTreeMap::new();
    let lines = include_str!("../captures/freeswitch/scenarios.txt").lines();
    for line in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, rest) = line.split_once(' ').unwrap();
        let fresh = !table.contains_key(name);
        let scenario = table.entry(name.to_owned()).or_default();
        if let Some(reason) = rest.strip_prefix("silent: ") {
            assert!(fresh && !reason.is_empty(), "{line}");
            scenario.silent = true;
            continue;
        }
        assert!(!scenario.silent, "{line}");
        let (columns, texts) = rest.split_once('[').unwrap();
        let columns: Vec<_> = columns.split_whitespace().collect();
        let [count, service, cause, address, port] = columns[..] else {
            panic!("{line}");
        };
        let (texts, last) = texts.rsplit_once(']').unwrap();
        let texts: Vec<_> = texts.split("] [").map(unescaped).collect();
        let [account, tenant, domain, profile] = texts.try_into().unwrap();
        let outcome = Outcome {
            service: service.to_owned(),
            cause: cause.to_owned(),
            address: address.to_owned(),
            port_known: port == "port",
            account,
            tenant,
            domain,
            profile,
        };
        let count = count.parse().unwrap();
        match last {
            "" => assert_eq!(scenario.narrow.insert(outcome.clone(), count), None, "{line}"),
            " plain" => {}
            _ => panic!("{line}"),
        }
        assert_eq!(scenario.plain.insert(outcome, count), None, "{line}");
    }
    table
}

/// The bytes of a text with `\xNN` in it.
fn unescaped(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        let (digits, behind) = piece.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(behind.as_bytes());
    }
    bytes
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let port = if self.port_known { "port" } else { "-" };
        write!(f, "{} {} {} {port}", self.service, self.cause, self.address)?;
        for text in [&self.account, &self.tenant, &self.domain, &self.profile] {
            write!(f, " [{}]", text.escape_ascii())?;
        }
        Ok(())
    }
}

/// Fails with the lines that differ.
pub fn assert_same(name: &str, said: &Outcomes, expected: &Outcomes) {
    let differ = |one: &Outcomes, other: &Outcomes| -> Vec<String> {
        one.iter()
            .filter(|(outcome, count)| other.get(outcome) != Some(count))
            .map(|(outcome, count)| format!("{count} {outcome}"))
            .collect()
    };
    let (surplus, missing) = (differ(said, expected), differ(expected, said));
    assert!(
        surplus.is_empty() && missing.is_empty(),
        "{name} says {surplus:#?} instead of {missing:#?}"
    );
}
