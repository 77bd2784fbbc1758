//! What is not there to be read: lines that don't come, lines that were lost, and lines that somebody has read before.

use super::{Assembler, MAX_MESSAGE, Mapped, Told};

impl Assembler {
    /// What still waits for more lines, when nothing more comes for a while or at the end; call it until it says `None`. A
    /// line without its line feed stays where it is.
    pub fn finish(&mut self) -> Option<Told> {
        if let Some(open) = self.open.take() {
            self.doubt_from(self.read, None, MAX_MESSAGE as u64);
            self.wait(
                Told {
                    line: open.line,
                    mapped: Mapped::Doubtful,
                },
                0,
            );
        }
        self.waiting.pop_front().map(|waiting| waiting.told)
    }

    /// Lines are missing here, or not all of one is there: what waits for its end is not believed, since that may have been
    /// among them, and what follows may be the rest of somebody's words.
    pub fn gap(&mut self) {
        self.begun.clear();
        self.cut = false;
        if let Some(open) = self.open.take() {
            let told = Told {
                line: open.line,
                mapped: Mapped::Doubtful,
            };
            self.wait(told, 0);
        }
        for waiting in &mut self.waiting {
            if waiting.until > self.read && matches!(waiting.told.mapped, Mapped::Said(_)) {
                waiting.told.mapped = Mapped::Doubtful;
            }
        }
        self.doubt_from(self.read, None, MAX_MESSAGE as u64);
    }

    /// What waits was told before, by whoever read the file until here.
    pub fn spend(&mut self) {
        for waiting in &mut self.waiting {
            waiting.told.mapped = Mapped::Other;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Clock;

    fn judged(assembler: &mut Assembler, text: &str) -> Vec<Mapped> {
        let (mut bytes, mut told) = (text.as_bytes(), Vec::new());
        while let Some(record) = assembler.take(&mut bytes, &Clock::default()) {
            told.push(record.mapped);
        }
        told
    }

    #[test]
    fn what_waits_for_a_line_that_was_lost_is_not_believed() {
        let start = "[2026-11-21 19:24:39] NOTICE[1]";
        let mut assembler = Assembler::new();
        // the true end would have followed
        let waiting = format!("{start} chan_iax2.c: No registration for peer 'x' (from 198.51.100.9)\n");
        assert_eq!(judged(&mut assembler, &waiting), []);
        assembler.gap();
        assert_eq!(assembler.finish().map(|told| told.mapped), Some(Mapped::Doubtful));
        let other = format!("{start} manager.c: 192.0.2.7 failed to authenticate as 'x'\n");
        assert_eq!(judged(&mut assembler, &other), [Mapped::Doubtful]);
        let later = format!("{start} x.c: {}\n", "x".repeat(1000)).repeat(10);
        judged(&mut assembler, &later);
        let last = judged(&mut assembler, &other);
        assert!(matches!(last.as_slice(), [Mapped::Said(_)]), "{last:?}");
    }

    #[test]
    fn a_record_that_lacks_its_end_does_not_shorten_the_doubt_behind_a_gap() {
        let mut assembler = Assembler::new();
        let open = "[2026-11-21 19:24:39] SECURITY[1] res_security_log.c: SecurityEvent=\"InvalidAccountID\",EventTV=\"\
                    2026-11-21T19:24:39.140+0000\",Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"x\n";
        let more = "x".repeat(7500) + "\n";
        assert_eq!(judged(&mut assembler, &(open.to_owned() + &more)), []);
        assembler.gap();
        let filler = format!("[2026-11-21 19:24:39] NOTICE[1] x.c: {}\n", "x".repeat(1000));
        let other = "[2026-11-21 19:24:39] NOTICE[1] manager.c: 198.51.100.9 failed to authenticate as 'x'\n";
        let told = judged(&mut assembler, &(filler + other));
        assert_eq!(told.last(), Some(&Mapped::Doubtful));
    }
}
