//! What an ear has to know of a file before the first line it hears of it: the line may be the rest of somebody's words.
//!
//! A reader comes to a file in its middle when it starts, and when the file was renamed. A peer's packet that is printed there
//! at that moment looks like lines of the log, and only what stands before it tells.

use ringfence_seclog::freeswitch::{Assembler, Layout};
use ringfence_seclog::time::Clock;
use ringfence_seclog::{asterisk, freeswitch};

use super::grammar::Ear;
use crate::source::logfile::{self, Line};

/// Bytes that are enough to know of every doubt, whatever a container's runtime made of them.
const ASTERISK: u64 = 8 * 2 * asterisk::MAX_MESSAGE as u64;
/// The same of FreeSWITCH, whose doubt lasts for long.
const FREESWITCH: u64 = freeswitch::MAX_DOUBT + 256 * 1024;

/// Has `ear`, which is new, know what stands before `line`. What can't be known is taken for a gap.
pub(super) fn recall(ear: &mut Ear, line: &Line<'_>, docker: bool, clock: &Clock) {
    let most = match ear {
        Ear::Asterisk(_) => ASTERISK,
        Ear::Freeswitch(_) => FREESWITCH,
        Ear::Filter(_) => return,
    };
    let Ok(mut before) = logfile::before(line.path, line.offset, most) else {
        ear.gap();
        return;
    };
    if docker {
        before.lines = printed(&before.lines);
        before.start = printed(&before.start);
    }
    match ear {
        Ear::Asterisk(assembler) => {
            if before.more {
                assembler.gap();
            }
            let mut lines = &before.lines[..];
            while assembler.take(&mut lines, clock).is_some() {}
            assembler.spend();
        }
        Ear::Freeswitch(reading) => {
            let first = if before.more { &before.start } else { &before.lines };
            let layout = Layout::guess(first).unwrap_or_default();
            let mut assembler = Assembler::new(layout);
            if before.more {
                assembler.gap();
            }
            let mut lines = &before.lines[..];
            while assembler.take(&mut lines).is_some() {}
            assembler.spend();
            *reading = Some((layout, assembler));
        }
        Ear::Filter(_) => {}
    }
}

/// What was printed by the records of a container's json file.
fn printed(records: &[u8]) -> Vec<u8> {
    let records = records.split(|byte| *byte == b'\n');
    let texts: Vec<_> = records.filter_map(logfile::printed).collect();
    texts.concat().into_bytes()
}
