//! What the tests of the store share; each uses a part.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ringfence::engine::{Ban, Evidence, EvidenceEvent, LiftReason, Target, Verdict};
use ringfence::store::{Restored, Store, StoreSettings};
use ringfence_event::{Cause, Moment, Proof, Service, Span, Transport};

/// The moment at which every story begins.
pub const NOW: Moment = Moment::from_millis(1_795_000_000_000);
/// How long the disk may take.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Seconds after [`NOW`].
pub fn after(secs: u64) -> Moment {
    NOW + Span::from_secs(secs)
}

/// A store in a folder of its own.
pub fn settings(folder: &Path) -> StoreSettings {
    StoreSettings {
        path: folder.join("state/ringfence.db"),
        ..StoreSettings::default()
    }
}

/// The address of that number.
pub fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0xc633_6400_u32.wrapping_add(number)))
}

/// A ban with evidence.
pub fn ban_of(target: Target, until: Moment, count: u32) -> Ban {
    let event = EvidenceEvent {
        at: NOW,
        cause: Cause::WrongPassword,
        service: Service::PjSip,
        source: 0,
        account: "alice\\x00".into(),
        tenant: "acme".into(),
        port: 5060,
        transport: Transport::Udp,
    };
    let evidence = Evidence {
        attempts: 5,
        proof: Proof::Answered,
        tenants: vec!["acme".into(), "beta.2".into()],
        events: vec![event; 3],
    };
    Ban {
        target,
        since: NOW,
        until,
        jail: "auth".into(),
        count,
        evidence,
    }
}

/// A ban of the address of that number.
pub fn ban(number: u32, until: Moment, count: u32) -> Ban {
    ban_of(Target::Address(address(number)), until, count)
}

/// The end of a ban.
pub fn lift(target: Target, reason: LiftReason) -> Verdict {
    Verdict::Lift { target, reason }
}

/// Opens a store; what it restores is in order.
pub fn open(settings: &StoreSettings, now: Moment) -> (Store, Restored) {
    let (store, mut restored) = Store::open(settings, now).unwrap();
    restored.bans.sort_by_key(|ban| ban.target);
    restored.memories.sort();
    (store, restored)
}

/// Who is banned.
pub fn targets(restored: &Restored) -> Vec<String> {
    restored.bans.iter().map(|ban| ban.target.to_string()).collect()
}

/// Runs this very test again as another process, in a role of its own.
pub fn again(test: &str, role: &str, folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env("STORE_TEST_ROLE", role)
        .env("STORE_TEST_FOLDER", folder);
    command
}

/// The role that [`again`] gave this process.
pub fn role() -> Option<(String, std::path::PathBuf)> {
    Some((
        std::env::var("STORE_TEST_ROLE").ok()?,
        std::env::var_os("STORE_TEST_FOLDER")?.into(),
    ))
}

/// How many files were moved aside.
pub fn damaged_files(settings: &StoreSettings) -> usize {
    let names = fs::read_dir(settings.path.parent().unwrap()).unwrap();
    names
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .contains(".corrupt-2026")
        })
        .count()
}
