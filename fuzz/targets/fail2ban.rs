//! A filter with anything in its files, its options and the log it is applied to: loaded, compiled, judging lines.
//!
//! The parts of an input are separated by NUL: `x.conf`, `x.local`, the options behind the name, and the log.
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use ringfence_fail2ban::{
    Files, Filter, Given, Hints, Judge, Outcome, Settings, Written, load, load_file, split_options,
};

/// When the log is read: seconds since 1970.
const NOW: i64 = 1_795_289_079;
/// Lines that are judged.
const MOST: usize = 20;
/// Bytes that everything a filter's files say may grow to when they are put into each other.
const LARGEST: usize = 8 << 20;
/// What the filters include.
const COMMON: &[u8] = b"[DEFAULT]\n__pid = (?:\\[\\d+\\])\n__prefix = \\s*(?:\\S+ )?%(_daemon)s%(__pid)s?:\\s\n_daemon = \\S+\n";

struct Memory<'a>(&'a [u8], &'a [u8]);

impl Files for Memory<'_> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        Ok(match path.to_str() {
            Some("filter.d/x.conf") => Some(self.0.to_vec()),
            Some("filter.d/x.local") if !self.1.is_empty() => Some(self.1.to_vec()),
            Some("filter.d/common.conf") => Some(COMMON.to_vec()),
            _ => None,
        })
    }

    fn list(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

fuzz_target!(|input: &[u8]| {
    let mut parts = input.splitn(4, |byte| *byte == 0);
    let mut part = || parts.next().unwrap_or_default();
    let files = Memory(part(), part());
    let options = String::from_utf8_lossy(part()).into_owned();
    let log = part();
    let given = split_options(&format!("x[{options}]")).map_or_else(|_| Given::new(), |(_, given)| given);
    // A filter that can't be loaded is an answer like any other here, as long as it can be said.
    let mut definition = match load(&files, Path::new("filter.d/x"), &given) {
        Ok(definition) => definition,
        Err(error) => return drop(error.to_string()),
    };
    let _ = load_file(&files, Path::new("filter.d/x.local"), &given);
    let size = |list: &[Written]| list.iter().map(|one| one.text.len()).sum::<usize>();
    assert!(size(&definition.failregex) + size(&definition.ignoreregex) <= LARGEST);
    // All the dates that are known take long to compile: a seldom choice of the input.
    if definition.datepattern.is_none() && !log.starts_with(b"D") {
        definition.datepattern = Some(Written::given("%Y-%m-%d %H:%M:%S"));
    }
    let every_pattern = options.len() % 2 == 0;
    let settings = Settings {
        zone: jiff::tz::TimeZone::UTC,
        this_year: 2026,
        every_pattern,
    };
    let filter = match Filter::compile(&definition, settings) {
        Ok(filter) => Arc::new(filter),
        Err(error) => return drop(error.to_string()),
    };
    let once = outcomes(&filter, log);
    assert_eq!(once, outcomes(&filter, log), "the same log, judged differently");
    for outcome in &once {
        assert!(
            outcome.skipped.is_none() || outcome.found.is_empty(),
            "blamed unjudged"
        );
        assert!(every_pattern || outcome.found.len() <= 1, "{outcome:?}");
        for found in &outcome.found {
            assert!(found.pattern < filter.fail.len());
            let _ = found.who.to_string();
        }
    }
    if let Some(line) = log.split(|byte| *byte == b'\n').next() {
        let text = String::from_utf8_lossy(line);
        let text = Judge::new(Arc::clone(&filter)).without_date(&text);
        let _ = text.and_then(|text| Hints::default().nearest(&filter, &text));
    }
});

fn outcomes(filter: &Arc<Filter>, log: &[u8]) -> Vec<Outcome> {
    let mut judge = Judge::new(Arc::clone(filter));
    let lines = log.split(|byte| *byte == b'\n').take(MOST);
    lines.map(|line| judge.line(line, NOW)).collect()
}
