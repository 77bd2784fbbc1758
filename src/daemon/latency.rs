//! How long the latest bans took, from the wire to the kernel.

use std::time::Duration;

/// Samples kept.
const SAMPLES: usize = 512;

/// The latest latencies, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latency {
    samples: Vec<u32>,
    next: usize,
}

impl Latency {
    /// Adds a measurement; the oldest goes when there are more than 512.
    pub fn add(&mut self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        if self.samples.len() < SAMPLES {
            self.samples.push(micros);
        } else if let Some(oldest) = self.samples.get_mut(self.next) {
            *oldest = micros;
            self.next = (self.next + 1) % SAMPLES;
        }
    }

    /// Median and 99th percentile in microseconds; `None` before the first measurement.
    pub fn percentiles(&self) -> Option<(u32, u32)> {
        let mut sorted = self.samples.clone();
        sorted.sort_unstable();
        let at =
            |percent: usize| sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1)));
        Some((*at(50)?, *at(99)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_latest() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentiles(), None);
        for _ in 0..SAMPLES {
            latency.add(Duration::from_secs(1));
        }
        for micros in 0..SAMPLES as u64 {
            latency.add(Duration::from_micros(micros));
        }
        assert_eq!(latency.percentiles(), Some((256, 506)));
    }
}
