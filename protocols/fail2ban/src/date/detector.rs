//! Finds the date in lines, preferring what it found before.

use super::defaults;
use super::template::Template;
use crate::pattern::{Hit, TooHard};

/// Seconds after which a template that found nothing may be overtaken.
const UNUSED: i64 = 300;
/// Templates that a filter may have; fail2ban's own are about 40.
const MOST: usize = 200;
const FAR: usize = 0x7fff_ffff;

/// The templates of a filter and what they found so far.
#[derive(Clone, Debug)]
pub struct Detector {
    templates: Vec<Used>,
    last: Option<Last>,
    first_unused: usize,
}

#[derive(Clone, Debug)]
struct Used {
    template: Template,
    /// Lines it won.
    hits: u64,
    /// Lines it matched.
    matched: u64,
    at_last: i64,
    distance: usize,
}

/// The last date found: whose it was, where it stood, and the bytes around its ends.
#[derive(Clone, Debug)]
struct Last {
    template: usize,
    start: usize,
    end: usize,
    before: Option<u8>,
    first: Option<u8>,
    final_: Option<u8>,
    behind: Option<u8>,
}

/// A date that was found.
#[derive(Clone, Debug)]
pub struct Dated<'a> {
    /// Where.
    pub hit: Hit,
    /// By which template.
    pub template: &'a Template,
}

impl Detector {
    /// A detector for a date pattern with a template a line; for `None`, all that is known.
    ///
    /// # Errors
    /// The line at fault and what is wrong with it, in words.
    pub fn new(pattern: Option<&str>, this_year: i16) -> Result<Self, String> {
        let mut made = Self {
            templates: Vec::new(),
            last: None,
            first_unused: 0,
        };
        let lines = pattern.unwrap_or_default().split('\n').map(str::trim);
        for line in lines.filter(|line| !line.is_empty()) {
            made.append(line, this_year).map_err(|what| {
                format!(
                    "date pattern {}: {what}",
                    line.chars().take(200).collect::<String>()
                )
            })?;
        }
        if made.templates.is_empty() {
            for template in defaults::all(this_year)? {
                made.push(template, true)?;
            }
        }
        Ok(made)
    }

    fn append(&mut self, line: &str, this_year: i16) -> Result<(), String> {
        let upper = line.to_uppercase();
        let key = if line.contains('%') { line } else { &upper };
        let more = !self.templates.is_empty();
        if key == "{^LN-BEG}" || key == "{DEFAULT}" {
            for template in defaults::all(this_year)? {
                if key == "{DEFAULT}" || template.line_begin {
                    self.push(template, more)?;
                }
            }
            return Ok(());
        }
        if key.contains("{DATE}") {
            for template in defaults::plain(this_year)? {
                self.push(template.within(line, this_year)?, more)?;
            }
            return Ok(());
        }
        self.push(Template::new(line, this_year)?, false)
    }

    fn push(&mut self, template: Template, twice: bool) -> Result<(), String> {
        if self
            .templates
            .iter()
            .any(|used| used.template.name == template.name)
        {
            return if twice {
                Ok(())
            } else {
                Err(format!("is there twice, as {}", template.name))
            };
        }
        if self.templates.len() >= MOST {
            return Err(format!("is one of more than {MOST} date patterns"));
        }
        self.templates.push(Used {
            template,
            hits: 0,
            matched: 0,
            at_last: 0,
            distance: FAR,
        });
        Ok(())
    }

    /// Names of the templates and the lines each won.
    pub fn hits(&self) -> impl Iterator<Item = (&str, u64)> {
        self.templates
            .iter()
            .map(|used| (used.template.name.as_str(), used.hits))
    }

    /// Looks for the date in `line`, which arrived at `now` (seconds since 1970).
    pub fn find(&mut self, line: &str, now: i64) -> Result<Option<Dated<'_>>, TooHard> {
        let mut skip = None;
        let mut reserve: Option<(Hit, usize)> = None;
        let mut found = None;
        if let Some(last) = self.last.clone() {
            let (hit, skipped) = self.again(line, &last)?;
            skip = skipped;
            if let Some(hit) = hit {
                let anchored = self
                    .templates
                    .get(last.template)
                    .is_some_and(|used| used.template.anchored);
                let place = hit.whole();
                if self.templates.len() == 1
                    || anchored
                    || (place.start == last.start && place.end == last.end)
                {
                    found = Some((hit, last.template));
                } else {
                    reserve = Some((hit, last.template));
                }
            }
        }
        if found.is_none() {
            found = self.anew(line, skip, reserve)?;
        }
        let Some((hit, at)) = found else { return Ok(None) };
        let at = self.won(line, &hit, at, now);
        Ok(self.templates.get(at).map(|used| Dated {
            hit,
            template: &used.template,
        }))
    }

    fn try_one(&mut self, at: usize, line: &str, from: usize) -> Result<Option<Hit>, TooHard> {
        let Some(used) = self.templates.get_mut(at) else {
            return Ok(None);
        };
        let hit = used.template.search(line, from)?;
        used.matched += u64::from(hit.is_some());
        Ok(hit)
    }

    /// The template of the last line, at the same place if that looks alike. Also which template need not be tried again.
    fn again(&mut self, line: &str, last: &Last) -> Result<(Option<Hit>, Option<usize>), TooHard> {
        let anchored = self
            .templates
            .get(last.template)
            .is_some_and(|used| used.template.anchored);
        if anchored {
            return Ok((self.try_one(last.template, line, 0)?, Some(last.template)));
        }
        let bytes = line.as_bytes();
        let byte = |at: Option<usize>| at.and_then(|at| bytes.get(at)).copied();
        let same = |now: Option<u8>, then: Option<u8>| now == then;
        let sign = |now: Option<u8>, then: Option<u8>| {
            now == then && then.is_some_and(|b| !b.is_ascii_alphanumeric())
        };
        let left =
            same(byte(last.start.checked_sub(1)), last.before) || sign(byte(Some(last.start)), last.first);
        let right =
            same(byte(Some(last.end)), last.behind) || sign(byte(last.end.checked_sub(1)), last.final_);
        if left && right && line.is_char_boundary(last.start) {
            let part = line
                .get(..last.end.min(line.len()))
                .filter(|part| last.start <= part.len());
            let Some(part) = part else { return Ok((None, None)) };
            return Ok((self.try_one(last.template, part, last.start)?, None));
        }
        Ok((self.try_one(last.template, line, 0)?, Some(last.template)))
    }

    fn anew(
        &mut self,
        line: &str,
        skip: Option<usize>,
        mut reserve: Option<(Hit, usize)>,
    ) -> Result<Option<(Hit, usize)>, TooHard> {
        let last_start = self.last.as_ref().map_or(1, |last| last.start);
        for at in 0..self.templates.len() {
            if skip == Some(at) {
                continue;
            }
            let Some(hit) = self.try_one(at, line, 0)? else {
                continue;
            };
            let start = hit.whole().start;
            let next = self.templates.get(at + 1);
            let Some(used) = self.templates.get(at) else {
                continue;
            };
            let settled = next.is_none()
                || used.template.anchored
                || (start == 0 && used.hits > 0 && next.is_some_and(|next| next.matched == 0));
            if !settled && (start > used.distance || start > last_start) {
                // It may stand in the middle of a message: kept, while one further in front is looked for.
                if reserve
                    .as_ref()
                    .is_none_or(|(kept, _)| start < kept.whole().start)
                {
                    reserve = Some((hit, at));
                }
                continue;
            }
            return Ok(Some((hit, at)));
        }
        Ok(reserve)
    }

    /// Notes the winner and moves it up; its new place.
    fn won(&mut self, line: &str, hit: &Hit, at: usize, now: i64) -> usize {
        let place = hit.whole();
        if let Some(used) = self.templates.get_mut(at) {
            used.hits += 1;
            used.at_last = now;
            used.distance = place.start;
        }
        if self.first_unused == at {
            self.first_unused += 1;
        }
        let moved = match self.last.as_ref().map(|last| last.template) {
            Some(last) if last == at => at,
            _ => self.reorder(at),
        };
        let bytes = line.as_bytes();
        let byte = |at: Option<usize>| at.and_then(|at| bytes.get(at)).copied();
        self.last = Some(Last {
            template: moved,
            start: place.start,
            end: place.end,
            before: byte(place.start.checked_sub(1)),
            first: byte(Some(place.start)),
            final_: byte(place.end.checked_sub(1)),
            behind: byte(Some(place.end)),
        });
        moved
    }

    fn reorder(&mut self, at: usize) -> usize {
        if at == 0 {
            return 0;
        }
        let Some(mine) = self.templates.get(at) else {
            return at;
        };
        let (weight, unused) = (mine.weight(), mine.at_last - UNUSED);
        let overtakes = |place: usize| {
            let other = self.templates.get(place);
            other.is_some_and(|other| weight > other.weight() || unused > other.at_last)
        };
        let mut place = if self.first_unused < at {
            self.first_unused
        } else {
            at / 2
        };
        if !overtakes(place) {
            if place == at - 1 || !overtakes(at - 1) {
                return at;
            }
            place = at - 1;
        }
        let moved = self.templates.remove(at);
        self.templates.insert(place, moved);
        while self
            .templates
            .get(self.first_unused)
            .is_some_and(|used| used.hits > 0)
        {
            self.first_unused += 1;
        }
        place
    }
}

impl Used {
    #[allow(
        clippy::cast_precision_loss,
        reason = "hits and distances only order templates"
    )]
    fn weight(&self) -> f64 {
        self.hits as f64 * self.template.weight / self.distance.max(1) as f64
    }
}
