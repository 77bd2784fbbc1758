//! Enforces nothing: remembers what would be held and says what would be done.

use std::collections::BTreeMap;

use ringfence_event::{Moment, Span};

use super::{Clock, Fence, FenceError, Held, KernelOp, Proven, canonical};
use crate::engine::Target;

/// The dry run.
pub struct DryRun {
    clock: Clock,
    held: BTreeMap<Target, Moment>,
}

impl DryRun {
    /// Holds nothing. `clock` tells the time that passes, from whatever moment on.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            held: BTreeMap::new(),
        }
    }

    /// Lets go what has ended, as the kernel would.
    fn expire(&mut self) -> Moment {
        let now = (self.clock)();
        self.held.retain(|_, until| *until > now);
        now
    }
}

impl Fence for DryRun {
    fn name(&self) -> &'static str {
        "dry-run"
    }

    fn install(&mut self) -> Result<Proven, FenceError> {
        Ok(Proven {
            how: "dry run: nothing is enforced".to_owned(),
            gaps: vec!["no packet is dropped in a dry run".to_owned()],
        })
    }

    fn apply(&mut self, ops: &[KernelOp]) -> Result<(), FenceError> {
        let now = self.expire();
        for op in ops {
            match *op {
                KernelOp::Add { target, remaining } if remaining > Span::ZERO => {
                    tracing::info!(%target, "for" = %remaining, "dry run: would ban");
                    let until = if remaining == Span::FOREVER {
                        Moment::NEVER
                    } else {
                        now + remaining
                    };
                    self.held.insert(canonical(target), until);
                }
                KernelOp::Add { target, .. } | KernelOp::Delete { target } => {
                    tracing::info!(%target, "dry run: would let through");
                    self.held.remove(&canonical(target));
                }
            }
        }
        Ok(())
    }

    fn list(&mut self) -> Result<Vec<Held>, FenceError> {
        let now = self.expire();
        let held = |(target, until): (&Target, &Moment)| Held {
            target: *target,
            remaining: if *until == Moment::NEVER {
                Span::FOREVER
            } else {
                until.since(now)
            },
            packets: None,
        };
        Ok(self.held.iter().map(held).collect())
    }

    fn intact(&mut self) -> Result<bool, FenceError> {
        Ok(true)
    }

    fn purge(&mut self) -> Result<(), FenceError> {
        self.held.clear();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    #[test]
    fn remembers_until_the_end() {
        let mut fence = DryRun::new(|| Moment::from_millis(NOW.get()));
        let target = |text: &str| Target::Address(text.parse().unwrap());
        fence
            .apply(&[
                KernelOp::Add {
                    target: target("192.0.2.1"),
                    remaining: Span::from_secs(1),
                },
                KernelOp::Add {
                    target: target("192.0.2.2"),
                    remaining: Span::FOREVER,
                },
                KernelOp::Add {
                    target: target("::ffff:192.0.2.3"),
                    remaining: Span::from_secs(9),
                },
                KernelOp::Delete {
                    target: target("192.0.2.3"),
                },
            ])
            .unwrap();
        NOW.set(400);
        let held = fence.list().unwrap();
        assert_eq!(held.len(), 2);
        assert_eq!(held[0].remaining, Span::from_millis(600));
        NOW.set(1000);
        let held = fence.list().unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(
            (held[0].target, held[0].remaining),
            (target("192.0.2.2"), Span::FOREVER)
        );
    }
}
