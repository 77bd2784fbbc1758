//! Events and log records as FreeSWITCH 1.11 fires them, with the header order, the repetitions and the swapped users of
//! the real ones.

mod sip;

use std::net::{IpAddr, SocketAddr};

use jiff::Zoned;

pub use sip::{AuthResult, Try};

use super::frames::{Block, Event, LogRecord, Origin};
use super::node::uuid;

/// The end of a call that was let in, header by header, with the values encoded already.
const HANGUP_COMPLETE: &str = include_str!("hangup_complete.txt");

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
