//! What PBXes write of a peer that failed.

use std::net::SocketAddr;

/// A `register_attempt` that was refused, with the headers that FreeSWITCH 1.11 gives it.
pub(crate) fn refused_attempt(n: u32, peer: SocketAddr) -> String {
    let (ip, port, sequence) = (peer.ip(), peer.port(), 1000 + n);
    let event = format!(
        "Event-Subclass: sofia%3A%3Aregister_attempt\nEvent-Name: CUSTOM\n\
         Core-UUID: 9e1195c0-ab9a-4e32-a88d-9ad7d7686e68\nFreeSWITCH-Hostname: vm\nFreeSWITCH-Switchname: vm\n\
         FreeSWITCH-IPv4: 192.0.2.2\nFreeSWITCH-IPv6: fd00%3A%3A2\nEvent-Date-Local: 2026-11-21%2019%3A36%3A23\n\
         Event-Date-GMT: Sat,%2021%20Nov%202026%2019%3A36%3A23%20GMT\nEvent-Date-Timestamp: 1795289783649824\n\
         Event-Calling-File: sofia_reg.c\nEvent-Calling-Function: sofia_reg_handle_register_token\n\
         Event-Calling-Line-Number: 1606\nEvent-Sequence: {sequence}\nprofile-name: internal\nfrom-user: 1000\n\
         from-host: tenant-a.example\ncontact: %22%22%20%3Csip%3Alab%40{ip}%3A{port}%3E\ncall-id: single-{n}%40lab\n\
         rpid: unknown\nstatus: Registered(UDP)\nexpires: 60\nto-user: 1000\nto-host: tenant-a.example\n\
         network-ip: {ip}\nnetwork-port: {port}\nusername: 1000\nrealm: tenant-a.example\nuser-agent: Lab-UA/1.0\n\
         auth-result: FORBIDDEN\n\n"
    );
    format!(
        "Content-Length: {}\nContent-Type: text/event-plain\n\n{event}",
        event.len()
    )
}

/// A line of Asterisk's messages, written at `now`, in UTC as `2026-11-21T19:24:39.140Z`.
pub(crate) fn failed_line(now: &str, n: u32, peer: SocketAddr) -> String {
    let now = now.trim_end_matches('Z');
    format!(
        "[{now}+0000] NOTICE[4242] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:alice@192.0.2.2>' \
         failed for '{peer}' (callid: single-{n}) - Failed to authenticate\n"
    )
}
