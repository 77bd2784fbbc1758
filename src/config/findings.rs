//! Collects what is wrong with a configuration: everything at once, not only the first mistake.

use std::cell::RefCell;

use super::place::{Place, Sources};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    /// It can't be used.
    Error,
    /// Something is not there; not worth saying when a file could not be read wholly.
    Missing,
    /// It can be used, but is probably not what was meant.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug)]
pub(super) struct Issue {
    pub(super) weight: Weight,
    pub(super) message: String,
    pub(super) place: Option<Place>,
    /// Said below the caret.
    pub(super) label: String,
    /// A second place that belongs to it, with what to say there.
    pub(super) also: Option<(Place, String)>,
    /// What to do.
    pub(super) help: Vec<String>,
}

impl Issue {
    pub(super) fn error(message: impl Into<String>, place: Place) -> Self {
        Self::new(Weight::Error, message, Some(place))
    }

    pub(super) fn missing(message: impl Into<String>, place: Place) -> Self {
        Self::new(Weight::Missing, message, Some(place))
    }

    pub(super) fn warning(message: impl Into<String>, place: Place) -> Self {
        Self::new(Weight::Warning, message, Some(place))
    }

    /// Something wrong that stands in no file.
    pub(super) fn nowhere(weight: Weight, message: impl Into<String>) -> Self {
        Self::new(weight, message, None)
    }

    fn new(weight: Weight, message: impl Into<String>, place: Option<Place>) -> Self {
        Self {
            weight,
            message: message.into(),
            place,
            label: String::new(),
            also: None,
            help: Vec::new(),
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn also(mut self, place: Place, label: impl Into<String>) -> Self {
        self.also = Some((place, label.into()));
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

/// What was found so far. Shared by all who read a part of the configuration.
pub(super) struct Findings<'s> {
    pub(super) sources: &'s Sources,
    issues: RefCell<Vec<Issue>>,
    hidden: RefCell<Vec<Place>>,
}

impl<'s> Findings<'s> {
    pub(super) fn new(sources: &'s Sources) -> Self {
        Self {
            sources,
            issues: RefCell::default(),
            hidden: RefCell::default(),
        }
    }

    /// Reports something; left out when it only follows from a syntax error.
    pub(super) fn push(&self, issue: Issue) {
        let follows = match issue.weight {
            Weight::Missing => self.sources.any_broken(),
            _ => issue.place.is_some_and(|place| self.sources.is_broken(place)),
        };
        if !follows {
            self.issues.borrow_mut().push(issue);
        }
    }

    /// Never show what stands there.
    pub(super) fn hide(&self, place: Place) {
        self.hidden.borrow_mut().push(place);
    }

    /// Everything, in the order of the files and lines.
    pub(super) fn into_parts(self) -> (Vec<Issue>, Vec<Place>) {
        let mut issues = self.issues.into_inner();
        issues.sort_by_key(|issue| issue.place);
        (issues, self.hidden.into_inner())
    }
}
