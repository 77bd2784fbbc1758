//! Logs as servers write them, the same at every run: four of ten lines tell of a peer.

use std::fmt::Write as _;

/// A `full` log of Asterisk: three of ten lines are of the security log, one is a NOTICE of a refusal, six tell of no peer.
pub fn asterisk(lines: u32) -> String {
    let mut log = String::new();
    for n in 0..lines {
        let (second, milli, peer) = (n / 1000 % 60, n % 1000, n % 250);
        let _ = write!(log, "[2026-11-21 19:24:{second:02}.{milli:03}] ");
        let event = |event: &str, severity: &str| {
            format!(
                "SECURITY[21920] res_security_log.c: SecurityEvent=\"{event}\",EventTV=\"2026-11-21T19:24:{second:02}.{milli:03}+0000\",\
                 Severity=\"{severity}\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"alice\",SessionID=\"5f8qj4frj4akh{n}\",\
                 LocalAddress=\"IPV4/UDP/192.0.2.22/5060\",RemoteAddress=\"IPV4/UDP/198.51.100.{peer}/5060\""
            )
        };
        let _ = match n % 10 {
            0 => writeln!(log, "{},Challenge=\"\"", event("ChallengeSent", "Informational")),
            2 => writeln!(
                log,
                "{},UsingPassword=\"1\"",
                event("SuccessfulAuth", "Informational")
            ),
            5 => writeln!(
                log,
                "{},Challenge=\"1795289079/8ad0ab34dd6dc3ec93db9b7fae11d1d8\",Response=\"6233dd2d5b77da57c39314ce601e37fa\",\
                 ExpectedResponse=\"\"",
                event("ChallengeResponseFailed", "Error")
            ),
            7 => writeln!(
                log,
                "NOTICE[21841] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:9999@192.0.2.22>' failed for \
                 '198.51.100.{peer}:46254' (callid: 5f8qj4frj4akh{n}) - No matching endpoint found"
            ),
            3 => writeln!(
                log,
                "NOTICE[21841] res_pjsip_exten_state.c: Endpoint 'alice': extension {n} does not exist in context 'internal'"
            ),
            8 => writeln!(
                log,
                "WARNING[21841][C-{n:08x}] chan_sip.c:4127 retrans_pkt: Retransmission timeout reached on transmission \
                 5f8qj4frj4akh{n} for seqno 102 (Critical Response)"
            ),
            _ => writeln!(
                log,
                "VERBOSE[21841][C-{n:08x}] pbx.c: Executing [100@internal:{n}] Dial(\"PJSIP/alice-{n:08x}\", \"PJSIP/bob,30\") in new stack"
            ),
        };
    }
    log
}

/// A log of FreeSWITCH: two of ten lines tell of a challenge, two of a refusal, six of a call.
pub fn freeswitch(lines: u32) -> String {
    let mut log = String::new();
    for n in 0..lines {
        let (second, micro, peer) = (n / 1000 % 60, n % 1000 * 1000, n % 250);
        let stamp = format!("2026-11-21 19:24:{second:02}.{micro:06} 97.93%");
        let _ = match n % 10 {
            0 | 5 => writeln!(
                log,
                "{stamp} [WARNING] sofia_reg.c:1842 SIP auth challenge (REGISTER) on sofia profile 'internal' for \
                 [{n}@a.example] from ip 198.51.100.{peer}"
            ),
            1 | 6 => writeln!(
                log,
                "{stamp} [WARNING] sofia_reg.c:1787 SIP auth failure (REGISTER) on sofia profile 'internal' for \
                 [{n}@a.example] from ip 198.51.100.{peer}"
            ),
            3 => writeln!(
                log,
                "{stamp} [DEBUG] switch_core_state_machine.c:598 (sofia/internal/{n}@a.example) Running State Change CS_NEW (Cur 1 Tot {n})"
            ),
            8 => writeln!(
                log,
                "{n:08x}-f137-4288-87ae-4f8e80cd505b {stamp} [NOTICE] switch_channel.c:1142 New Channel sofia/internal/{n}@a.example \
                 [{n:08x}-f137-4288-87ae-4f8e80cd505b]"
            ),
            _ => writeln!(
                log,
                "{n:08x}-f137-4288-87ae-4f8e80cd505b {stamp} [DEBUG] sofia.c:7493 Channel sofia/internal/{n}@a.example entering state \
                 [received][100]"
            ),
        };
    }
    log
}
