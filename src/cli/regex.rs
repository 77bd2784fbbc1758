//! `ringfence regex`: what a fail2ban filter, or a pattern, finds in a log.

mod progress;
mod source;

use std::collections::VecDeque;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::ValueEnum;
use jiff::tz::TimeZone;
use ringfence_event::Moment;
use ringfence_fail2ban::{
    Definition, Filter, Found, Hints, Judge, LONGEST_LINE, LoadError, Outcome, Settings, Skipped, UseDns,
    Who, Written,
};
use serde_json::json;

use self::progress::Progress;
use super::{CliError, Exit, settle};
use crate::clock::{Clock, iso};
use crate::filter::{DEFAULT_FOLDER, Fate, Line, Lines, Tally, here, open};

/// Test a fail2ban filter, or a pattern, on a log
///
/// Every pattern is tried on every line. Nothing is decided or banned, and no name is looked up.
#[derive(Clone, Debug, clap::Args)]
pub struct RegexArgs {
    /// The log: a file, a pipe, `-` for standard input, or a line of a log itself
    pub log: String,
    /// A filter by name (`sshd`, `sshd[mode=aggressive]`), a filter's file, or a pattern with <HOST>
    pub filter: String,
    /// A pattern of lines to ignore, besides those of the filter; or a filter's file with such patterns
    pub ignoreregex: Option<String>,
    /// How dates look, instead of what the filter says
    #[arg(long, short = 'd', value_name = "PATTERN")]
    pub datepattern: Option<String>,
    /// Lines that a pattern may span, instead of what the filter says
    #[arg(long, short = 'L', value_name = "LINES", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub maxlines: Option<u16>,
    /// The zone of dates that name none, such as Europe/Berlin, instead of this machine's
    #[arg(long, visible_alias = "TZ", value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Whether <HOST> also matches names, which are shown and never looked up [default: what the filter says, else no]
    #[arg(long, value_enum, value_name = "WHETHER")]
    pub usedns: Option<Names>,
    /// fail2ban's configuration, with filter.d below it
    #[arg(long, value_name = "DIR", default_value = DEFAULT_FOLDER)]
    pub fail2ban: PathBuf,
    /// Stop at the first pattern that matches, as when bans are decided
    #[arg(long)]
    pub no_check_all: bool,
    /// Print each match: line, pattern, address, time, account
    #[arg(long, short = 'v')]
    pub verbose: bool,
    /// Print just this of each match, one a line, and no summary
    #[arg(long, short = 'o', value_enum, value_name = "WHAT", conflicts_with_all = ["verbose", "json"])]
    pub out: Option<Part>,
    /// Print no missed lines
    #[arg(long, conflicts_with = "print_all_missed")]
    pub print_no_missed: bool,
    /// Print every missed line, instead of the first twenty with a hint each
    #[arg(long)]
    pub print_all_missed: bool,
    /// Print every matched line
    #[arg(long)]
    pub print_all_matched: bool,
    /// Print every ignored line
    #[arg(long)]
    pub print_all_ignored: bool,
}

/// What `--usedns` understands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Names {
    /// Names match as well.
    Yes,
    /// Only addresses match.
    No,
}

/// What `--out` prints of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Whom it is about, whatever that is: an address, a network, an account, a name.
    Id,
    /// The address, where it is about one.
    Ip,
    /// The account.
    User,
    /// The line.
    Msg,
}

/// Missed lines that are shown with a hint.
const SHOWN: usize = 20;

impl RegexArgs {
    /// Applies the filter to the whole log and prints to `out`.
    ///
    /// [`Exit::Config`] when the filter can't be loaded, [`Exit::NoInput`] when there is no such filter or the log can't
    /// be opened, [`Exit::IoErr`] when reading or writing fails later.
    pub fn run(&self, json: bool, out: &mut dyn Write) -> Result<Exit, CliError> {
        let definition = self.definition()?;
        let now = Clock::start().now().as_millis() / 1000;
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let zone = self.zone()?;
        let at = jiff::Timestamp::from_second(now).unwrap_or_default();
        let settings = Settings {
            this_year: at.to_zoned(zone.clone()).year(),
            zone,
            every_pattern: !self.no_check_all,
        };
        let filter = Arc::new(Filter::compile(&definition, settings).map_err(|error| unloadable(&error))?);
        let (source, size) = source::open(&self.log, &self.filter, &definition)?;
        let mut lines = Lines::new(source);
        let mut run = Run {
            args: self,
            json,
            out: BufWriter::new(out),
            tally: Tally::new(&filter),
            judge: Judge::new(Arc::clone(&filter)),
            recent: VecDeque::new(),
            missed: Vec::new(),
        };
        let mut progress = Progress::new(size);
        loop {
            let line = lines
                .next_line()
                .map_err(|error| CliError::new(Exit::IoErr, format!("{}: {error}", self.log)))?;
            let Some(line) = line else { break };
            progress.step(line);
            // fail2ban-regex passes over these, so that logs with comments can be used as examples.
            if line.bytes.is_empty() || line.bytes.starts_with(b"#") {
                continue;
            }
            let outcome = run.judge.line(&line.bytes, now);
            if let Some(done) = settle(run.line(line, &outcome))? {
                return Ok(done);
            }
        }
        progress.end();
        let ended = if json {
            run.end_json()
        } else if self.out.is_some() {
            Ok(())
        } else {
            run.end(&definition)
        };
        Ok(settle(ended.and_then(|()| run.out.flush()))?.unwrap_or(Exit::Ok))
    }

    fn zone(&self) -> Result<TimeZone, CliError> {
        let Some(name) = &self.timezone else {
            return Ok(TimeZone::system());
        };
        if name == "UTC" {
            return Ok(TimeZone::UTC);
        }
        // names need the machine's tzdata; what POSIX writes, like CET-1CEST,M3.5.0,M10.5.0/3, needs nothing
        let zone = TimeZone::get(name).or_else(|_| TimeZone::posix(name));
        zone.map_err(|_| {
            let what = format!(
                "no time zone {name} is known: write UTC, a name like Europe/Berlin (if tzdata is installed) or a rule like \
                 CET-1CEST,M3.5.0,M10.5.0/3"
            );
            CliError::new(Exit::Usage, what)
        })
    }

    fn definition(&self) -> Result<Definition, CliError> {
        let mut definition = open(&here(&self.filter), &self.fail2ban).map_err(|error| unloadable(&error))?;
        if let Some(ignore) = &self.ignoreregex {
            if Path::new(ignore).is_file() {
                let other = open(&here(ignore), &self.fail2ban).map_err(|error| unloadable(&error))?;
                definition.ignoreregex.extend(other.ignoreregex);
            } else {
                definition.ignoreregex.push(Written::given(ignore));
            }
        }
        if let Some(pattern) = &self.datepattern {
            definition.datepattern = Some(Written::given(pattern));
        }
        if let Some(lines) = self.maxlines {
            definition.maxlines = Some(usize::from(lines));
        }
        match self.usedns {
            Some(Names::Yes) => definition.usedns = Some(UseDns::Names),
            Some(Names::No) => definition.usedns = Some(UseDns::No),
            None => {}
        }
        Ok(definition)
    }
}

fn unloadable(error: &LoadError) -> CliError {
    let exit = match error {
        LoadError::Missing(_) => Exit::NoInput,
        LoadError::File { .. } | LoadError::Given(_) => Exit::Config,
    };
    CliError::new(exit, error.to_string())
}

/// One pass over a log. Nothing is kept of lines that can't be shown any more.
struct Run<'a> {
    args: &'a RegexArgs,
    json: bool,
    out: BufWriter<&'a mut dyn Write>,
    tally: Tally,
    judge: Judge,
    /// Missed lines that a pattern over several lines may still match.
    recent: VecDeque<(u64, String)>,
    missed: Vec<(u64, String)>,
}

impl Run<'_> {
    fn line(&mut self, line: &Line, outcome: &Outcome) -> io::Result<()> {
        let fate = self.tally.count(outcome);
        for also in &outcome.also {
            if let Some(at) = self.recent.iter().position(|(_, text)| text == also) {
                self.recent.remove(at);
            }
            if self.args.print_all_matched {
                self.show(line.number, "matched", also, None)?;
            }
        }
        let seen = self.missed.len() >= SHOWN || self.args.print_no_missed;
        if fate == Fate::Missed
            && seen
            && !self.args.print_all_missed
            && self.judge.filter().maxlines <= 1
            && outcome.found.is_empty()
        {
            // nobody will ask what it said
            return Ok(());
        }
        let text = String::from_utf8_lossy(
            line.bytes
                .get(..LONGEST_LINE.min(line.bytes.len()))
                .unwrap_or_default(),
        );
        for found in &outcome.found {
            if let Some(part) = self.args.out {
                self.part(part, found, &text)?;
            }
            if self.args.verbose || self.json {
                self.found(line.number, found)?;
            }
        }
        match fate {
            Fate::Matched if self.args.print_all_matched => self.show(line.number, "matched", &text, None),
            Fate::Ignored if self.args.print_all_ignored => self.show(line.number, "ignored", &text, None),
            Fate::Skipped => {
                let why = match outcome.skipped {
                    Some(Skipped::TooLong) => "longer than 16 KiB",
                    _ => "too expensive to judge",
                };
                let beginning: String = text.chars().take(200).collect();
                self.show(line.number, "skipped", &beginning, Some(why))
            }
            Fate::Missed => {
                self.recent.push_back((line.number, text.into_owned()));
                self.settle_missed(self.judge.filter().maxlines)
            }
            _ => Ok(()),
        }
    }

    /// Missed lines that lie so far back that nothing can match them any more.
    fn settle_missed(&mut self, keep: usize) -> io::Result<()> {
        let keep = if keep <= 1 { 0 } else { keep };
        while self.recent.len() > keep {
            let Some((number, text)) = self.recent.pop_front() else {
                break;
            };
            if self.args.print_no_missed {
                continue;
            }
            if self.args.print_all_missed {
                self.show(number, "missed", &text, None)?;
            } else if self.missed.len() < SHOWN {
                self.missed.push((number, text));
            }
        }
        Ok(())
    }

    fn show(&mut self, number: u64, fate: &str, text: &str, why: Option<&str>) -> io::Result<()> {
        if self.json {
            let record = match why {
                Some(why) => json!({ "n": number, "line": fate, "text": text, "why": why }),
                None => json!({ "n": number, "line": fate, "text": text }),
            };
            return writeln!(self.out, "{record}");
        }
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        writeln!(self.out, "{number:>7}  {fate}{why}  {}", printable(text))
    }

    fn part(&mut self, part: Part, found: &Found, line: &str) -> io::Result<()> {
        let text = match (part, &found.who) {
            // what is no failure by itself is about nobody
            _ if found.nofail => None,
            (Part::Id, Who::Pending) => None,
            (Part::Id, who) => Some(who.to_string()),
            (Part::Ip, Who::Address(address, _) | Who::Id(_, Some(address))) => Some(address.to_string()),
            (Part::Ip, _) => None,
            (Part::User, _) => found.user.clone(),
            (Part::Msg, _) => Some(line.to_owned()),
        };
        text.map_or(Ok(()), |text| writeln!(self.out, "{}", printable(&text)))
    }

    fn found(&mut self, number: u64, found: &Found) -> io::Result<()> {
        let at = found.at.and_then(|at| u64::try_from(at).ok());
        let at = at.map(|at| iso(Moment::from_millis(at * 1000)));
        if self.json {
            let record = json!({
                "n": number, "pattern": found.pattern + 1, "who": found.who.to_string(), "at": at,
                "user": found.user, "nofail": found.nofail,
            });
            return writeln!(self.out, "{record}");
        }
        let user = found.user.as_deref().map(|user| format!("  {}", printable(user)));
        let nofail = if found.nofail {
            "  (no failure by itself)"
        } else {
            ""
        };
        writeln!(
            self.out,
            "{number:>7}  pattern {:<3}  {:<39}  {}{}{nofail}",
            found.pattern + 1,
            found.who.to_string(),
            at.as_deref().unwrap_or("-"),
            user.unwrap_or_default()
        )
    }

    fn end(&mut self, definition: &Definition) -> io::Result<()> {
        self.settle_missed(0)?;
        let filter = self.judge.filter();
        let out = &mut self.out;
        for file in &definition.files {
            writeln!(out, "read     {}", file.display())?;
        }
        if let Some(prefix) = &filter.prefix {
            writeln!(
                out,
                "prefregex: {} lines\n  {}",
                self.tally.prefix,
                printable(&prefix.written.text)
            )?;
        }
        let rules = [
            ("failregex", &filter.fail, &self.tally.fail),
            ("ignoreregex", &filter.ignore, &self.tally.ignore),
        ];
        for (name, rules, hits) in rules {
            writeln!(out, "{name}: {} hits", hits.iter().sum::<u64>())?;
            for (number, (rule, hits)) in (1..).zip(rules.iter().zip(hits)) {
                if *hits > 0 || self.args.verbose {
                    writeln!(out, "{number:>4}) [{hits}] {}", printable(&rule.written.text))?;
                }
            }
        }
        writeln!(out, "dates:")?;
        for (name, hits) in self.judge.date_hits().filter(|(_, hits)| *hits > 0) {
            writeln!(out, "      [{hits}] {}", printable(name))?;
        }
        let tally = &self.tally;
        writeln!(
            out,
            "lines: {} total, {} matched, {} missed, {} ignored, {} skipped",
            tally.total, tally.matched, tally.missed, tally.ignored, tally.skipped
        )?;
        let mut hints = Hints::default();
        for (number, text) in &self.missed {
            writeln!(out, "{number:>7}  missed  {}", printable(text))?;
            // What the date was is not kept; a second look finds it again.
            let near = self
                .judge
                .without_date(text)
                .and_then(|text| hints.nearest(filter, &text));
            if let Some(near) = near {
                let which = near
                    .pattern
                    .map_or_else(|| "prefregex".into(), |n| format!("pattern {}", n + 1));
                writeln!(
                    out,
                    "         nearest: {which} matches {:?}, not what follows: {}",
                    near.text,
                    printable(&near.stuck)
                )?;
            }
        }
        let shown = self.missed.len() as u64;
        if tally.missed > shown && !self.args.print_all_missed && !self.args.print_no_missed {
            writeln!(
                out,
                "         {} more missed: --print-all-missed",
                tally.missed - shown
            )?;
        }
        Ok(())
    }

    fn end_json(&mut self) -> io::Result<()> {
        self.settle_missed(0)?;
        let filter = self.judge.filter();
        let rules = |rules: &[ringfence_fail2ban::Rule], hits: &[u64]| -> Vec<serde_json::Value> {
            let rules = (1..).zip(rules.iter().zip(hits));
            rules
                .map(|(n, (rule, hits))| json!({ "n": n, "hits": hits, "pattern": rule.written.text }))
                .collect()
        };
        let dates = self.judge.date_hits().filter(|(_, hits)| *hits > 0);
        let record = json!({
            "lines": self.tally,
            "prefregex": filter.prefix.as_ref().map(|_| self.tally.prefix),
            "failregex": rules(&filter.fail, &self.tally.fail),
            "ignoreregex": rules(&filter.ignore, &self.tally.ignore),
            "dates": dates.map(|(name, hits)| json!({ "template": name, "hits": hits })).collect::<Vec<_>>(),
        });
        writeln!(self.out, "{record}")
    }
}

/// A text from a log for a terminal: control characters are shown, not obeyed.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let shown: Box<dyn Iterator<Item = char>> = if c.is_control() {
                Box::new(c.escape_default())
            } else {
                Box::new(std::iter::once(c))
            };
            shown
        })
        .collect()
}
