//! Events and log records as FreeSWITCH 1.11 fires them, with the header order, the repetitions and the swapped users of
//! the real ones.

use std::net::{IpAddr, SocketAddr};

use jiff::Zoned;

use super::frames::{Block, Event, LogRecord, Origin};
use super::node::uuid;

/// The end of a call that was let in, header by header, with the values encoded already.
const HANGUP_COMPLETE: &str = include_str!("hangup_complete.txt");

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

/// A REGISTER with a wrong password: what FreeSWITCH says about one guess.
pub fn brute_force_try(peer: SocketAddr, user: &str, domain: &str, call_id: &str) -> Vec<Block> {
    Try::register(peer, user, domain, call_id).wrong_password()
}

/// The same with a User-Agent of 1 MB of bytes that are no text: three frames of 3 MB each.
pub fn huge_try(peer: SocketAddr, user: &str, domain: &str, call_id: &str) -> Vec<Block> {
    Try {
        agent: vec![0xff; 1024 * 1024],
        transport: "TCP",
        ..Try::register(peer, user, domain, call_id)
    }
    .wrong_password()
}

/// A REGISTER with the right password.
pub fn login(peer: SocketAddr, user: &str, domain: &str, call_id: &str) -> Vec<Block> {
    Try::register(peer, user, domain, call_id).right_password()
}

/// `sofia::wrong_call_state`: an INVITE that ignored its challenge, ten seconds later.
pub fn wrong_call_state(peer: SocketAddr, user: &str) -> Event {
    Event::custom("sofia::wrong_call_state", ("mod_sofia.c", "sofia_on_hangup", 672))
        .with("from_user", user)
        .with("network_ip", peer.ip().to_string())
        .with("network_port", peer.port().to_string())
}

/// `verto::login` of `user@domain`.
pub fn verto_login(peer: SocketAddr, login: &str, success: bool) -> Event {
    let event = Event::custom("verto::login", ("mod_verto.c", "login_fire_custom_event", 993))
        .with(
            "verto_profile_name",
            if peer.is_ipv4() { "verto-v4" } else { "verto-v6" },
        )
        .with("verto_client_address", peer.to_string())
        .with("verto_login", login);
    if success {
        event
            .with("verto_sessid", "11111111-2222-3333-4444-555555555555")
            .with("verto_success", "1")
            .with("verto_result_txt", "Logged in")
    } else {
        event
            .with("verto_success", "0")
            .with("verto_result_txt", "Authentication Failure")
    }
}

/// `CHANNEL_HANGUP_COMPLETE`, in full size, of a call that the profile `external` let in without a password.
pub fn hangup_complete(peer: SocketAddr, user: &str, domain: &str, number: &str, cause: &str) -> Event {
    let now = Zoned::now();
    let micros = now.timestamp().as_microsecond();
    let q850 = match cause {
        "UNALLOCATED_NUMBER" => 1,
        "NO_ROUTE_DESTINATION" => 3,
        "NORMAL_CLEARING" => 16,
        "USER_BUSY" => 17,
        "CALL_REJECTED" => 21,
        "INVALID_NUMBER_FORMAT" => 28,
        _ => 0,
    };
    let values = [
        ("{cause}", cause.to_owned()),
        ("{user}", user.to_owned()),
        ("{domain}", domain.to_owned()),
        ("{number}", number.to_owned()),
        ("{uuid}", uuid()),
        ("{call-id}", format!("{}@lab", &uuid()[..8])),
        ("{ip}", peer.ip().to_string()),
        ("{port}", peer.port().to_string()),
        ("{agent}", "sipcli/v1.8".to_owned()),
        ("{session}", "9".to_owned()),
        ("{q850}", q850.to_string()),
        ("{micros}", micros.to_string()),
        ("{seconds}", now.timestamp().as_second().to_string()),
        ("{stamp}", now.strftime("%Y-%m-%d %H:%M:%S").to_string()),
    ];
    let origin = (
        "switch_core_state_machine.c",
        "switch_core_session_reporting_state",
        943,
    );
    let mut event = Event::new("CHANNEL_HANGUP_COMPLETE", origin);
    for line in HANGUP_COMPLETE.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        event = event.with(name, fill(value, &values));
    }
    event
}

/// `sofia::gateway_state`: `REGISTER`, `REGED`, `DOWN` and the like, and where its registrar is.
pub fn gateway_state(gateway: &str, state: &str, registrar: Option<SocketAddr>) -> Event {
    let origin = ("sofia_reg.c", "sofia_reg_fire_custom_gateway_state_event", 156);
    let event = Event::custom("sofia::gateway_state", origin)
        .with("Gateway", gateway)
        .with("State", state)
        .with("Ping-Status", if state == "DOWN" { "DOWN" } else { "UP" })
        .with(
            "Register-Network-IP",
            registrar.map_or(String::new(), |at| at.ip().to_string()),
        )
        .with(
            "Register-Network-Port",
            registrar.map_or(String::new(), |at| at.port().to_string()),
        );
    if state == "REGISTER" {
        event.with("Phrase", "OK").with("Status", "200")
    } else {
        event
    }
}

/// `HEARTBEAT`, which comes every 20 seconds.
pub fn heartbeat() -> Event {
    let up = "0 years, 0 days, 0 hours, 8 minutes, 39 seconds, 673 milliseconds, 362 microseconds";
    [
        ("Event-Info", "System Ready"),
        ("Up-Time", up),
        ("FreeSWITCH-Version", "1.11.3-dev~64bit"),
        ("Uptime-msec", "519673"),
        ("Session-Count", "0"),
        ("Max-Sessions", "1000"),
        ("Session-Per-Sec", "30"),
        ("Session-Per-Sec-Last", "0"),
        ("Session-Per-Sec-Max", "2"),
        ("Session-Per-Sec-FiveMin", "2"),
        ("Session-Since-Startup", "18"),
        ("Session-Peak-Max", "2"),
        ("Session-Peak-FiveMin", "2"),
        ("Idle-CPU", "90.966667"),
    ]
    .into_iter()
    .fold(
        Event::new("HEARTBEAT", ("switch_core.c", "send_heartbeat", 95)),
        |event, (name, value)| event.with(name, value),
    )
}

/// The log's line about a REGISTER that an access list refused.
pub fn register_acl(ip: IpAddr, list: &str) -> LogRecord {
    warning(
        ("sofia_reg.c", "sofia_reg_handle_sip_i_register", 2406),
        0,
        format!("IP {ip} Rejected by register acl \"{list}\""),
    )
}

/// The log's line about an INVITE that an access list refused.
pub fn inbound_acl(ip: IpAddr, list: &str) -> LogRecord {
    warning(
        ("sofia.c", "sofia_handle_sip_i_invite", 10679),
        0,
        format!("IP {ip} Rejected by acl \"{list}\""),
    )
}

/// The log's line about a connection to the event socket that its access list refused.
pub fn esl_acl(ip: IpAddr) -> LogRecord {
    warning(
        ("mod_event_socket.c", "listener_run", 2682),
        3,
        format!("IP {ip} Rejected by acl \"esl-acl\""),
    )
}

/// `API`: a command was run.
pub(super) fn api(command: &str, argument: &str) -> Event {
    Event::new("API", ("switch_loadable_module.c", "switch_api_execute", 3140))
        .with("API-Command", command)
        .with("API-Command-Argument", argument)
}

/// `BACKGROUND_JOB`: the answer to `bgapi`.
pub(super) fn background_job(id: &str, command: &str, argument: &str, body: &str) -> Event {
    Event::new("BACKGROUND_JOB", ("mod_event_socket.c", "api_exec", 1580))
        .with("Job-UUID", id)
        .with("Job-Command", command)
        .with("Job-Command-Arg", argument)
        .body(body)
}

fn sofia(subclass: &str, line: u32) -> Event {
    Event::custom(
        format!("sofia::{subclass}"),
        ("sofia_reg.c", "sofia_reg_handle_register_token", line),
    )
}

fn warning(origin: Origin, channel: u8, text: String) -> LogRecord {
    LogRecord {
        level: 4,
        channel,
        origin,
        text: text.into_bytes(),
    }
}

/// Replaces the names in braces by their values; what a value holds is not looked at again.
fn fill(template: &str, values: &[(&str, String)]) -> String {
    let (mut filled, mut rest) = (String::new(), template);
    while let Some(at) = rest.find('{') {
        filled.push_str(&rest[..at]);
        rest = &rest[at..];
        let (name, value) = values
            .iter()
            .find(|(name, _)| rest.starts_with(name))
            .expect("a name of the template");
        filled.push_str(value);
        rest = &rest[name.len()..];
    }
    filled + rest
}
