//! What was said in the daemon's log about streams, so that it is said once and not with every connection.

use crate::health::{StreamReport, StreamState};

/// The latest known problem of each stream, over all connections.
#[derive(Debug, Default)]
pub struct Told(Vec<(String, String)>);

impl Told {
    /// Takes what the streams of `source` do now, and logs what is new about them.
    pub fn hear(&mut self, source: &str, streams: &[StreamReport]) {
        for stream in streams.iter().filter(|stream| self.is_news(stream)) {
            let state = stream.state.name();
            if stream.problem.is_empty() {
                tracing::info!(source, "{} {state}", stream.name);
            } else {
                tracing::warn!(source, "{} {state}: {}", stream.name, stream.problem);
            }
        }
    }

    /// Whether this is another problem than the last one, or its end. That events are blind is the source's own state, which
    /// is told with that.
    fn is_news(&mut self, stream: &StreamReport) -> bool {
        let open = stream.state == StreamState::Proving;
        if open || (stream.name == "events" && stream.state == StreamState::Blind) {
            return false;
        }
        let Some((_, known)) = self.0.iter_mut().find(|(name, _)| *name == stream.name) else {
            self.0.push((stream.name.clone(), stream.problem.clone()));
            return !stream.problem.is_empty();
        };
        if *known == stream.problem {
            return false;
        }
        known.clone_from(&stream.problem);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_news_once_and_so_is_its_end() {
        let report = |name: &str, state, problem: &str| StreamReport {
            name: name.into(),
            state,
            problem: problem.into(),
        };
        let mut told = Told::default();
        for (state, problem, news) in [
            (StreamState::Proving, "", false),
            (StreamState::Flowing, "", false),
            (StreamState::Blind, "loglevel", true),
            (StreamState::Proving, "", false),
            (StreamState::Blind, "loglevel", false),
            (StreamState::Flowing, "", true),
            (StreamState::Flowing, "", false),
        ] {
            assert_eq!(
                told.is_news(&report("log", state, problem)),
                news,
                "{state:?} {problem}"
            );
        }
        assert!(told.is_news(&report("verto", StreamState::Refused, "no")));
        assert!(!told.is_news(&report("events", StreamState::Blind, "dead")));
    }
}
