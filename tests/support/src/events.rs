//! Security events as Asterisk 22 writes them to its manager interface, for servers and benches that play one.

use std::net::SocketAddr;

use jiff::Zoned;

/// The present time as Asterisk writes it in `EventTV`.
pub fn now() -> String {
    Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%z").to_string()
}

/// A SIP login that failed: the challenge, and the wrong answer to it.
pub fn wrong_password(at: &str, account: &str, call_id: &str, peer: SocketAddr) -> String {
    let mut text = challenge_sent(at, account, call_id, peer);
    text.push_str(&event(
        "ChallengeResponseFailed",
        "Error",
        "PJSIP",
        at,
        account,
        call_id,
        &sip(peer),
    ));
    text.push_str("Challenge: 1795289077/ca1bca771b631c412be86f56e048f6ab\r\n");
    text.push_str("Response: badd5ce6655681acffef4c2e5596a72b\r\nExpectedResponse: \r\n\r\n");
    text
}

/// A SIP request that was asked for its password.
pub fn challenge_sent(at: &str, account: &str, call_id: &str, peer: SocketAddr) -> String {
    event(
        "ChallengeSent",
        "Informational",
        "PJSIP",
        at,
        account,
        call_id,
        &sip(peer),
    ) + "Challenge: \r\n\r\n"
}

/// A SIP login with the right password.
pub fn registered(at: &str, account: &str, call_id: &str, peer: SocketAddr) -> String {
    challenge_sent(at, account, call_id, peer)
        + &event(
            "SuccessfulAuth",
            "Informational",
            "PJSIP",
            at,
            account,
            call_id,
            &sip(peer),
        )
        + "UsingPassword: 1\r\n\r\n"
}

/// A login at the manager interface itself, as the client that logged in sees it.
pub fn manager_login(at: &str, username: &str, peer: SocketAddr) -> String {
    let addresses = format!(
        "LocalAddress: IPV4/TCP/0.0.0.0/5038\r\nRemoteAddress: IPV4/TCP/{}/{}\r\n",
        peer.ip(),
        peer.port()
    );
    event(
        "SuccessfulAuth",
        "Informational",
        "AMI",
        at,
        username,
        "0x7f112c002a40",
        &addresses,
    ) + &format!("UsingPassword: 0\r\nSessionTV: {at}\r\n\r\n")
}

fn sip(peer: SocketAddr) -> String {
    let (family, local) = match peer {
        SocketAddr::V4(_) => ("IPV4", "192.0.2.22"),
        SocketAddr::V6(_) => ("IPV6", "2001:db8:22::22"),
    };
    let (ip, port) = (peer.ip(), peer.port());
    format!("LocalAddress: {family}/UDP/{local}/5060\r\nRemoteAddress: {family}/UDP/{ip}/{port}\r\n")
}

fn event(
    name: &str,
    severity: &str,
    service: &str,
    at: &str,
    account: &str,
    session: &str,
    addresses: &str,
) -> String {
    format!(
        "Event: {name}\r\nPrivilege: security,all\r\nEventTV: {at}\r\nSeverity: {severity}\r\nService: {service}\r\n\
         EventVersion: 1\r\nAccountID: {account}\r\nSessionID: {session}\r\n{addresses}"
    )
}
