//! Requests of phones that need a password.

use std::net::SocketAddr;

use super::super::frames::{Block, Event, LogRecord};
use super::warning;

/// What `register_attempt` says came out of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthResult {
    /// The password was wrong, or right and refused all the same.
    Forbidden,
    /// The nonce was unknown or too old, or the header made no sense.
    Stale,
    /// The password was right.
    Renewed,
    /// The password was right, in a digest without qop.
    Success,
}

impl AuthResult {
    fn name(self) -> &'static str {
        match self {
            Self::Forbidden => "FORBIDDEN",
            Self::Stale => "STALE",
            Self::Renewed => "RENEWED",
            Self::Success => "SUCCESS",
        }
    }
}

/// A SIP request that needs a password, as the events about it tell it.
#[derive(Clone, Debug)]
pub struct Try {
    /// Where it comes from.
    pub peer: SocketAddr,
    /// The profile that got it.
    pub profile: String,
    /// Who says to be calling: the From user and the digest's user name.
    pub user: String,
    /// The domain of every URI and of the digest.
    pub domain: String,
    /// The number an INVITE is for; without one it is a REGISTER.
    pub number: Option<String>,
    /// The Call-ID.
    pub call_id: String,
    /// The User-Agent; absent if empty.
    pub agent: Vec<u8>,
    /// What the Contact says the transport is: `UDP`, `TCP`, `TLS`.
    pub transport: &'static str,
    /// Seconds; 300 is what an INVITE has.
    pub expires: u32,
}

impl Try {
    /// A REGISTER over UDP to the profile `internal`.
    pub fn register(peer: SocketAddr, user: &str, domain: &str, call_id: &str) -> Self {
        Self {
            peer,
            profile: "internal".to_owned(),
            user: user.to_owned(),
            domain: domain.to_owned(),
            number: None,
            call_id: call_id.to_owned(),
            agent: b"Lab-UA/1.0".to_vec(),
            transport: "UDP",
            expires: 60,
        }
    }

    /// An INVITE over UDP to the profile `internal`.
    pub fn invite(peer: SocketAddr, user: &str, domain: &str, number: &str, call_id: &str) -> Self {
        Self {
            number: Some(number.to_owned()),
            expires: 300,
            ..Self::register(peer, user, domain, call_id)
        }
    }

    /// `sofia::pre_register`: it was challenged.
    pub fn pre_register(&self) -> Event {
        self.agent_of(self.who(sofia("pre_register", 1810), false))
    }

    /// `sofia::register_attempt`: its answer to the challenge was judged.
    pub fn register_attempt(&self, result: AuthResult) -> Event {
        let user = match result {
            AuthResult::Stale => "unknown",
            _ => &self.user,
        };
        let event = self
            .who(sofia("register_attempt", 1606), false)
            .with("username", user)
            .with("realm", &self.domain);
        self.agent_of(event).with("auth-result", result.name())
    }

    /// `sofia::register_failure`: it was refused.
    pub fn register_failure(&self) -> Event {
        let event = sofia("register_failure", 1792)
            .with("profile-name", &self.profile)
            .with("to-user", self.to())
            .with("to-host", &self.domain)
            .with("network-ip", self.peer.ip().to_string());
        self.agent_of(event)
            .with("profile-name", &self.profile)
            .with("network-port", self.peer.port().to_string())
            .with("registration-type", self.method())
    }

    /// `sofia::register`: the phone is registered.
    pub fn registered(&self) -> Event {
        let event = self
            .who(sofia("register", 2059), true)
            .with("username", &self.user)
            .with("realm", &self.domain);
        self.agent_of(event)
            .with("sip_number_alias", &self.user)
            .with("sip_auth_username", &self.user)
            .with("sip_auth_realm", &self.domain)
            .with("number_alias", &self.user)
            .with("user_name", &self.user)
            .with("domain_name", &self.domain)
            .with("user_context", "default")
            .with("accountcode", &self.user)
    }

    /// The line of the log that goes with [`pre_register`](Self::pre_register).
    pub fn challenge_log(&self) -> LogRecord {
        self.log("challenge", 1842)
    }

    /// The line of the log that goes with [`register_failure`](Self::register_failure).
    pub fn failure_log(&self) -> LogRecord {
        self.log("failure", 1787)
    }

    /// Everything FreeSWITCH says about a request with a wrong password.
    pub fn wrong_password(&self) -> Vec<Block> {
        vec![
            self.challenge_log().into(),
            self.pre_register().into(),
            self.failure_log().into(),
            self.register_attempt(AuthResult::Forbidden).into(),
            self.register_failure().into(),
        ]
    }

    /// Everything FreeSWITCH says about a REGISTER with the right password.
    pub fn right_password(&self) -> Vec<Block> {
        vec![
            self.challenge_log().into(),
            self.pre_register().into(),
            self.register_attempt(AuthResult::Renewed).into(),
            self.registered().into(),
        ]
    }

    fn to(&self) -> &str {
        self.number.as_deref().unwrap_or(&self.user)
    }

    fn method(&self) -> &'static str {
        if self.number.is_some() {
            "INVITE"
        } else {
            "REGISTER"
        }
    }

    /// The headers that tell who it was; from and to are swapped, as in FreeSWITCH.
    fn who(&self, event: Event, presence: bool) -> Event {
        let transport = match self.transport {
            "UDP" => String::new(),
            other => format!(";transport={}", other.to_ascii_lowercase()),
        };
        event
            .with("profile-name", &self.profile)
            .with("from-user", self.to())
            .with("from-host", &self.domain)
            .with("presence-hosts", if presence { "n/a" } else { "" })
            .with("contact", format!("\"\" <sip:lab@{}{transport}>", self.peer))
            .with("call-id", &self.call_id)
            .with("rpid", "unknown")
            .with("status", format!("Registered({})", self.transport))
            .with("expires", self.expires.to_string())
            .with("to-user", &self.user)
            .with("to-host", &self.domain)
            .with("network-ip", self.peer.ip().to_string())
            .with("network-port", self.peer.port().to_string())
    }

    fn agent_of(&self, event: Event) -> Event {
        event.with("user-agent", &self.agent)
    }

    fn log(&self, what: &str, line: u32) -> LogRecord {
        warning(
            ("sofia_reg.c", "sofia_reg_handle_register_token", line),
            0,
            format!(
                "SIP auth {what} ({}) on sofia profile '{}' for [{}@{}] from ip {}",
                self.method(),
                self.profile,
                self.to(),
                self.domain,
                self.peer.ip()
            ),
        )
    }
}

fn sofia(subclass: &str, line: u32) -> Event {
    Event::custom(
        format!("sofia::{subclass}"),
        ("sofia_reg.c", "sofia_reg_handle_register_token", line),
    )
}
