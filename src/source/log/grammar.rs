//! Understands the lines of one file.

use ringfence_event::{Cause, Moment, Peer, SecurityEvent, Service, Text, Transport};
use ringfence_fail2ban::{Judge, Who};
use ringfence_seclog::time::Clock;
use ringfence_seclog::{asterisk, freeswitch};

use super::Grammar;

/// What a line says, where it says anything.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "an event is a value of bounded size and is never allocated"
)]
pub(super) enum Heard {
    /// Somebody failed, or succeeded. The same program may say it twice, in other words: those of the security log are its
    /// `second` voice.
    Event {
        /// The event; its source is still to be set.
        event: SecurityEvent,
        /// Whether it is of the second voice.
        second: bool,
    },
    /// Somebody else may have written it: nobody is blamed.
    Doubtful,
}

/// Understands the lines of one file, in their order.
#[derive(Debug)]
pub(super) enum Ear {
    Asterisk(Box<asterisk::Assembler>),
    /// How the file is written is seen from its first line.
    Freeswitch(Option<(freeswitch::Layout, freeswitch::Assembler)>),
    Filter(Box<Judge>),
}

impl Ear {
    pub(super) fn new(grammar: &Grammar) -> Self {
        match grammar {
            Grammar::Asterisk => Self::Asterisk(Box::default()),
            Grammar::Freeswitch => Self::Freeswitch(None),
            Grammar::Filter { filter, .. } => Self::Filter(Box::new(Judge::new(filter.clone()))),
        }
    }

    /// Takes a line without its line feed, and hands what it and those before it say to `hear`.
    pub(super) fn line(&mut self, line: &[u8], clock: &Clock, mut hear: impl FnMut(Heard)) {
        match self {
            Self::Asterisk(assembler) => {
                for mut part in [line, b"\n"] {
                    while let Some(told) = assembler.take(&mut part, clock) {
                        asterisk(told.mapped, &mut hear);
                    }
                }
            }
            Self::Freeswitch(reading) => {
                let (layout, assembler) = reading.get_or_insert_with(|| {
                    let layout = freeswitch::Layout::guess(line).unwrap_or_default();
                    (layout, freeswitch::Assembler::new(layout))
                });
                for mut part in [line, b"\n"] {
                    while let Some(whole) = assembler.take(&mut part) {
                        freeswitch(&whole, *layout, clock, &mut hear);
                    }
                }
            }
            Self::Filter(judge) => found(judge, line, clock, &mut hear),
        }
    }

    /// Nothing more came for a while: what waits for more lines is judged as it is.
    pub(super) fn quiet(&mut self, clock: &Clock, mut hear: impl FnMut(Heard)) {
        match self {
            Self::Asterisk(assembler) => {
                while let Some(told) = assembler.finish() {
                    asterisk(told.mapped, &mut hear);
                }
            }
            Self::Freeswitch(Some((layout, assembler))) => {
                if let Some(whole) = assembler.finish() {
                    freeswitch(&whole, *layout, clock, &mut hear);
                }
            }
            Self::Freeswitch(None) | Self::Filter(_) => {}
        }
    }

    /// Lines are missing here, or not all of one is there: what follows may be the rest of somebody's words.
    pub(super) fn gap(&mut self) {
        match self {
            Self::Asterisk(assembler) => assembler.gap(),
            Self::Freeswitch(reading) => {
                let start = || {
                    (
                        freeswitch::Layout::Log,
                        freeswitch::Assembler::new(freeswitch::Layout::Log),
                    )
                };
                reading.get_or_insert_with(start).1.gap();
            }
            Self::Filter(judge) => judge.forget(),
        }
    }

    /// Lines are missing here, and a file begins: FreeSWITCH writes no record into two.
    pub(super) fn begin(&mut self) {
        match self {
            Self::Freeswitch(Some((_, assembler))) => assembler.lose(),
            Self::Freeswitch(None) => {}
            Self::Asterisk(_) | Self::Filter(_) => self.gap(),
        }
    }
}

fn asterisk(mapped: asterisk::Mapped, hear: &mut impl FnMut(Heard)) {
    match mapped {
        asterisk::Mapped::Said(said) | asterisk::Mapped::Claimed(said) => hear(Heard::Event {
            second: said.kind == asterisk::Kind::Security,
            event: said.event,
        }),
        asterisk::Mapped::Doubtful => hear(Heard::Doubtful),
        asterisk::Mapped::Other => {}
    }
}

fn freeswitch(
    whole: &freeswitch::Whole,
    layout: freeswitch::Layout,
    clock: &Clock,
    hear: &mut impl FnMut(Heard),
) {
    match whole.map(clock.offset) {
        // No line says that a challenge was answered rightly: those of an office's telephones would look like a flood.
        freeswitch::Mapped::Said(said) if said.kind == freeswitch::Kind::Challenge => {}
        freeswitch::Mapped::Said(said) => hear(Heard::Event {
            event: said.event,
            second: layout == freeswitch::Layout::Fail2ban,
        }),
        freeswitch::Mapped::Doubtful => hear(Heard::Doubtful),
        freeswitch::Mapped::Other => {}
    }
}

fn found(judge: &mut Judge, line: &[u8], clock: &Clock, hear: &mut impl FnMut(Heard)) {
    let now = clock.now.map_or(0, |now| now.as_millis() / 1000);
    let outcome = judge.line(line, i64::try_from(now).unwrap_or(i64::MAX));
    if !outcome.ignored_by.is_empty() {
        return;
    }
    for found in outcome.found {
        // a name or an account can't be banned, and a whole network is not the one that failed
        let Who::Address(addr, None) = found.who else {
            continue;
        };
        if found.nofail {
            continue;
        }
        let at = found.at.and_then(|at| u64::try_from(at).ok());
        hear(Heard::Event {
            second: false,
            event: SecurityEvent {
                at: at.map(|at| Moment::from_millis(at.saturating_mul(1000))),
                account: Text::new(found.user.unwrap_or_default().as_bytes()),
                ..SecurityEvent::blank(
                    Cause::WrongPassword,
                    Service::Other,
                    Peer::new(addr, 0, Transport::Unknown),
                )
            },
        });
    }
}
