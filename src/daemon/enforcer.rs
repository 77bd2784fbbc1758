//! Keeps the kernel holding what the engine decided, and heals it when somebody else changed it.

use ringfence_event::{Moment, Span};

use crate::engine::{Engine, LiftReason, Target, Verdict};
use crate::fence::{Change, Fence, FenceError, KernelOp, Proven, plan};

/// How far a kernel timeout may be from the wanted one before it is corrected: its clock ticks in jiffies, and time passes
/// between the two looks.
const TOLERANCE: Span = Span::from_millis(2000);
/// The first pause before healing is tried again, doubled each time up to [`SLOWEST`].
const SOON: Span = Span::from_millis(250);
/// The longest pause between two tries to heal.
const SLOWEST: Span = Span::from_secs(30);

/// Up to this many bans every comparison looks at each of them. Reading a set of 100,000 out takes the kernel about a second,
/// so beyond it the timer asks for the rules, and elements are compared when the kernel tells that somebody removed some.
const FEW: usize = 5000;

/// So many times in a row our table is put right at once after somebody else changed it.
const PATIENT: u32 = 5;
/// Then no sooner than this after the time before: still within the second that healing may take.
const QUARREL_PAUSE: Span = Span::from_millis(500);
/// A change after this much quiet is a new one.
const CALM: Span = Span::from_secs(5);

/// How much of the kernel's state is compared; the greater includes the smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    /// Rules and sets; elements too while there are few.
    AtRules,
    /// Rules, sets and every element.
    AtEverything,
}

impl Look {
    /// What has to be compared after somebody else changed the ruleset.
    pub fn after(change: Change) -> Self {
        match change {
            Change::Altered => Self::AtRules,
            Change::Removed | Change::Lost => Self::AtEverything,
        }
    }
}

/// The fence with what is known about its state.
pub struct Enforcer {
    fence: Box<dyn Fence>,
    proven: Proven,
    problem: Option<String>,
    retry: Option<(Moment, Span)>,
    healed: u64,
    quarrel: Quarrel,
    ops: Vec<KernelOp>,
}

/// Somebody else who changes our table again and again. The first times it is put right at once; then the pauses grow, so
/// that a quarrel costs neither the processor nor the log.
#[derive(Clone, Copy, Debug, Default)]
struct Quarrel {
    /// Times in a row, each soon after the one before.
    times: u32,
    last: Moment,
    /// What has to be looked at when the pause is over.
    postponed: Option<Look>,
}

impl Quarrel {
    /// When healing may happen again.
    fn not_before(&self) -> Moment {
        let pause = if self.times < PATIENT {
            Span::ZERO
        } else {
            QUARREL_PAUSE
        };
        self.last + pause
    }

    /// Notes that something was put right; returns whether it is worth a line in the log.
    fn note(&mut self, now: Moment) -> bool {
        self.times = if now.since(self.last) < CALM {
            self.times.saturating_add(1)
        } else {
            1
        };
        self.last = now;
        self.times <= PATIENT || self.times.is_multiple_of(100)
    }
}

impl Enforcer {
    /// Takes a fence that is installed, with how it was proven.
    pub fn new(fence: Box<dyn Fence>, proven: Proven) -> Self {
        Self {
            fence,
            proven,
            problem: None,
            retry: None,
            healed: 0,
            quarrel: Quarrel::default(),
            ops: Vec::new(),
        }
    }

    /// Carries out the verdicts in one transaction; what fails is remembered and healed.
    pub fn enforce(&mut self, now: Moment, verdicts: &[Verdict]) {
        self.ops.clear();
        for verdict in verdicts {
            match verdict {
                Verdict::Ban(ban) | Verdict::Extend(ban) => {
                    self.ops.push(KernelOp::Add {
                        target: ban.target,
                        remaining: ban.remaining(now),
                    });
                }
                // the kernel ends an expired one by itself, within a tick of our own clock
                Verdict::Lift {
                    reason: LiftReason::Expired,
                    ..
                }
                | Verdict::Alert(_)
                | Verdict::Ignore { .. } => {}
                Verdict::Lift { target, .. } => self.ops.push(KernelOp::Delete { target: *target }),
            }
        }
        if self.ops.is_empty() {
            return;
        }
        if let Err(error) = self.fence.apply(&self.ops) {
            // a failure while healing is due already does not put healing off
            let due = self.retry;
            self.failed(now, &error);
            self.retry = due.or(self.retry);
        }
    }

    /// Compares the kernel with what is wanted and puts right what differs.
    pub fn heal(&mut self, now: Moment, engine: &Engine, look: Look) {
        let postponed = self.quarrel.postponed.take();
        let look = postponed.map_or(look, |postponed| postponed.max(look));
        // after a failure only a look at every element can say that nothing is missing
        let look = if self.problem.is_some() {
            Look::AtEverything
        } else {
            look
        };
        if now < self.quarrel.not_before() {
            self.quarrel.postponed = Some(look);
            return;
        }
        match self.try_heal(now, engine, look) {
            Ok(0) => self.recovered(),
            Ok(changed) => {
                self.healed += 1;
                if !self.quarrel.note(now) {
                    self.recovered();
                    return;
                }
                tracing::warn!(
                    backend = self.fence.name(),
                    times = self.quarrel.times,
                    "the kernel's state differed: {changed} changes put it right. Who else changes table inet ringfence?"
                );
                self.recovered();
            }
            Err(error) => self.failed(now, &error),
        }
    }

    fn try_heal(&mut self, now: Moment, engine: &Engine, look: Look) -> Result<usize, FenceError> {
        let mut changes = 0;
        if !self.fence.intact()? {
            self.proven = self.fence.install()?;
            changes += 1;
        } else if look == Look::AtRules && engine.bans().len() > FEW {
            return Ok(0);
        }
        Ok(changes + align(&mut *self.fence, now, engine)?)
    }

    /// Another fence takes over; the old one's rules are removed once the new one holds everything.
    pub fn replace(&mut self, now: Moment, (fence, proven): (Box<dyn Fence>, Proven), engine: &Engine) {
        self.proven = proven;
        let old = self.fence.name();
        let mut before = std::mem::replace(&mut self.fence, fence);
        self.heal(now, engine, Look::AtEverything);
        if old != self.fence.name()
            && let Err(error) = before.purge()
        {
            tracing::warn!("the rules of the former backend {old} could not be removed: {error}");
        }
    }

    /// The backend's name.
    pub fn backend(&self) -> &'static str {
        self.fence.name()
    }

    /// How it is known to work.
    pub fn proven(&self) -> &Proven {
        &self.proven
    }

    /// What is wrong now, in words for the admin.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// How often the kernel had to be put right.
    pub fn healed(&self) -> u64 {
        self.healed
    }

    /// When healing is due, if something is wrong.
    pub fn retry_at(&self) -> Option<Moment> {
        let postponed = self.quarrel.postponed.map(|_| self.quarrel.not_before());
        self.retry.map(|(at, _)| at).into_iter().chain(postponed).min()
    }

    /// What has to be looked at now, because something was wrong or was put off.
    pub fn overdue(&self, now: Moment) -> Option<Look> {
        if self.retry.is_some_and(|(at, _)| at <= now) {
            return Some(Look::AtEverything);
        }
        self.quarrel
            .postponed
            .filter(|_| self.quarrel.not_before() <= now)
    }

    fn failed(&mut self, now: Moment, error: &FenceError) {
        let pause = self.retry.map_or(SOON, |(_, pause)| pause.times(2).min(SLOWEST));
        self.retry = Some((now + pause, pause));
        let problem = error.to_string();
        if self.problem.as_deref() != Some(&problem) {
            tracing::error!(
                backend = self.fence.name(),
                "NOT ENFORCED: {problem}; trying again"
            );
        }
        self.problem = Some(problem);
    }

    fn recovered(&mut self) {
        if self.problem.take().is_some() {
            tracing::info!(backend = self.fence.name(), "the kernel holds every ban again");
        }
        self.retry = None;
    }
}

/// Adds, corrects and deletes until the kernel holds what the engine wants; returns how many changes that took.
pub fn align(fence: &mut dyn Fence, now: Moment, engine: &Engine) -> Result<usize, FenceError> {
    let wanted: Vec<(Target, Span)> = engine
        .bans()
        .map(|ban| (ban.target, ban.remaining(now)))
        .collect();
    let ops = plan(&wanted, &fence.list()?, TOLERANCE);
    fence.apply(&ops)?;
    Ok(ops.len())
}
