//! Who the server is: its Core-UUID, the number of its next event, the time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::shared::lock;

/// What is the same in every event of one moment.
#[derive(Clone, Debug)]
pub(super) struct Stamp {
    pub(super) core_uuid: String,
    pub(super) host: &'static str,
    /// `2026-11-21 19:35:00`, in local time.
    pub(super) local: String,
    /// `Sat, 21 Nov 2026 19:35:00 GMT`.
    pub(super) gmt: String,
    /// Microseconds since 1970.
    pub(super) micros: i64,
}

impl Stamp {
    /// The microseconds of the second.
    pub(super) fn fraction(&self) -> i64 {
        self.micros.rem_euclid(1_000_000)
    }
}

/// The node's name for itself.
pub(super) const HOST: &str = "vm";

#[derive(Debug)]
pub(super) struct Node {
    core_uuid: Mutex<String>,
    sequence: AtomicU64,
}

impl Node {
    pub(super) fn new() -> Self {
        Self {
            core_uuid: Mutex::new(uuid()),
            sequence: AtomicU64::new(0),
        }
    }

    /// Another process: a new Core-UUID, events counted from 1 again.
    pub(super) fn restart(&self) {
        *lock(&self.core_uuid) = uuid();
        self.sequence.store(0, Ordering::Relaxed);
    }

    pub(super) fn core_uuid(&self) -> String {
        lock(&self.core_uuid).clone()
    }

    /// The number of an event that is fired now.
    pub(super) fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn stamp(&self) -> Stamp {
        let now = Zoned::now();
        Stamp {
            core_uuid: self.core_uuid(),
            host: HOST,
            local: now.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            gmt: now
                .with_time_zone(TimeZone::UTC)
                .strftime("%a, %d %b %Y %H:%M:%S GMT")
                .to_string(),
            micros: now.timestamp().as_microsecond(),
        }
    }
}

/// A UUID unlike every other of this process and, by the time, of the others.
pub(super) fn uuid() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let seed = format!("{} {} {count}", std::process::id(), Zoned::now().timestamp());
    let hash = crate::sip::md5(&seed);
    let (variant, rest) = (&hash[16..19], &hash[20..32]);
    format!(
        "{}-{}-4{}-a{variant}-{rest}",
        &hash[..8],
        &hash[8..12],
        &hash[13..16]
    )
}
