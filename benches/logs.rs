//! How fast Asterisk's logs are read. `cargo bench --bench logs`; with `--make` the log is only made, with `--once` it is read
//! a single time, for counting instructions.
#![allow(clippy::cast_precision_loss, reason = "figures for people")]

use std::fmt::Write as _;

use ringfence::clock::Stopwatch;
use ringfence_seclog::asterisk::{Assembler, Mapped};
use ringfence_seclog::time::Clock;

const LINES: u32 = 500_000;
/// Bytes handed over at a time, as a log file is read.
const READ: usize = 64 * 1024;

fn main() {
    let only = |name: &str| std::env::args().any(|arg| arg == name);
    let log = log();
    if only("--make") {
        return;
    }
    let rounds = if only("--once") { 1 } else { 10 };
    let mut said = 0;
    let start = Stopwatch::start();
    for _ in 0..rounds {
        said = read(log.as_bytes());
    }
    let seconds = start.elapsed().as_secs_f64() / f64::from(rounds);
    println!("read {LINES} lines, {} bytes, {said} statements", log.len());
    println!("{:.2} million lines a second", f64::from(LINES) / seconds / 1e6);
}

fn read(log: &[u8]) -> u64 {
    let (mut assembler, clock) = (Assembler::new(), Clock::default());
    let mut said = 0;
    for mut piece in log.chunks(READ) {
        while let Some(record) = assembler.take(&mut piece, &clock) {
            said += u64::from(matches!(record.mapped, Mapped::Said(_)));
        }
    }
    said
}

/// A `full` log in which four of ten lines are of the security log.
fn log() -> String {
    let mut log = String::new();
    for n in 0..LINES {
        let (second, milli, peer) = (n / 1000 % 60, n % 1000, n % 250);
        let _ = write!(log, "[2026-11-21 19:24:{second:02}.{milli:03}] ");
        let _ = match n % 10 {
            0 | 5 => writeln!(
                log,
                "SECURITY[21920] res_security_log.c: SecurityEvent=\"ChallengeSent\",EventTV=\"2026-11-21T19:24:{second:02}.{milli:03}+0000\",\
                 Severity=\"Informational\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"alice\",SessionID=\"call-{n}\",\
                 LocalAddress=\"IPV4/UDP/192.0.2.22/5060\",RemoteAddress=\"IPV4/UDP/198.51.100.{peer}/5060\",Challenge=\"\""
            ),
            2 | 7 => writeln!(
                log,
                "SECURITY[21920] res_security_log.c: SecurityEvent=\"SuccessfulAuth\",EventTV=\"2026-11-21T19:24:{second:02}.{milli:03}+0000\",\
                 Severity=\"Informational\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"alice\",SessionID=\"call-{n}\",\
                 LocalAddress=\"IPV4/UDP/192.0.2.22/5060\",RemoteAddress=\"IPV4/UDP/198.51.100.{peer}/5060\",UsingPassword=\"1\""
            ),
            9 => writeln!(
                log,
                "NOTICE[21841] res_pjsip/pjsip_distributor.c: Request 'REGISTER' from '<sip:9999@192.0.2.22>' failed for \
                 '192.0.2.{peer}:46254' (callid: call-{n}) - No matching endpoint found"
            ),
            _ => writeln!(
                log,
                "VERBOSE[21841][C-{n:08x}] pbx.c: Executing [100@internal:{n}] Dial(\"PJSIP/alice-{n:08x}\", \"PJSIP/bob,30\") in new stack"
            ),
        };
    }
    log
}
