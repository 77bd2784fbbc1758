//! Shows what is wrong with a configuration: file, line, column, a caret, what is allowed, and what was probably meant.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};
use serde::Serialize;

use super::findings::{Issue, Weight};
use super::mask::Masked;
use super::place::{Place, Sources};

/// How bad a [`Finding`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The configuration can't be used.
    Error,
    /// It can be used, but something in it is probably not what was meant.
    Warning,
}

/// One thing that is wrong with a configuration; serializes as a record for `--json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one line.
    pub message: String,
    /// The file as it was given, `environment` for a variable; `None` when it stands nowhere.
    pub file: Option<String>,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// Column in the line, from 1, in characters.
    pub column: Option<usize>,
    /// What to do about it.
    pub help: Vec<String>,
    #[serde(skip)]
    plain: String,
    #[serde(skip)]
    coloured: String,
}

impl Finding {
    /// As it is shown to a person, with colours for a terminal if asked; several lines without a newline at the end.
    pub fn render(&self, colour: bool) -> &str {
        if colour { &self.coloured } else { &self.plain }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.plain)
    }
}

/// Everything that is wrong with a configuration that can't be used. The admin must change it.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    findings: Vec<Finding>,
}

impl Diagnosis {
    pub(super) fn new(findings: Vec<Finding>) -> Self {
        Self { findings }
    }

    /// Each error, and each warning, in the order of files and lines.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Each error.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
    }

    /// As it is shown to a person, with colours for a terminal if asked; ends with a newline.
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for finding in &self.findings {
            text.push_str(finding.render(colour));
            text.push_str("\n\n");
        }
        let errors = self.errors().count();
        let plural = if errors == 1 { "" } else { "s" };
        text + &format!("{errors} error{plural} in the configuration\n")
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Diagnosis {}

/// Turns what was found into what is shown. Nothing of `hidden`, and nothing that looks like a secret, is kept.
pub(super) fn findings(sources: &Sources, issues: &[Issue], hidden: &[Place]) -> Vec<Finding> {
    issues
        .iter()
        .map(|issue| finding(sources, issue, hidden))
        .collect()
}

fn finding(sources: &Sources, issue: &Issue, hidden: &[Place]) -> Finding {
    let position = issue.place.map(|place| sources.line_column(place));
    Finding {
        severity: if issue.weight == Weight::Warning {
            Severity::Warning
        } else {
            Severity::Error
        },
        message: printable(&issue.message),
        file: issue
            .place
            .and_then(|place| sources.at(place.source()))
            .map(|source| source.name.clone()),
        line: position.map(|(line, _)| line),
        column: position.map(|(_, column)| column),
        help: issue.help.iter().map(|help| printable(help)).collect(),
        plain: shown(sources, issue, hidden, &Renderer::plain()),
        coloured: shown(sources, issue, hidden, &Renderer::styled()),
    }
}

fn shown(sources: &Sources, issue: &Issue, hidden: &[Place], renderer: &Renderer) -> String {
    let level = if issue.weight == Weight::Warning {
        Level::WARNING
    } else {
        Level::ERROR
    };
    let mut group = Group::with_title(level.primary_title(printable(&issue.message)));
    if let Some(place) = issue.place {
        group = with_snippets(group, sources, issue, place, hidden);
    }
    for help in &issue.help {
        group = group.element(Level::HELP.message(printable(help)));
    }
    renderer.render(&[group])
}

fn with_snippets<'a>(
    group: Group<'a>,
    sources: &Sources,
    issue: &Issue,
    place: Place,
    hidden: &[Place],
) -> Group<'a> {
    let also = issue.also.as_ref();
    let together = also.filter(|(other, _)| other.source() == place.source());
    let mut first = vec![(place, printable(&issue.label), true)];
    first.extend(together.map(|(other, label)| (*other, printable(label), false)));
    let group = snippet(group, sources, &first, hidden);
    match also.filter(|_| together.is_none()) {
        Some((other, label)) => snippet(group, sources, &[(*other, printable(label), false)], hidden),
        None => group,
    }
}

/// Shows places of one file.
fn snippet<'a>(
    group: Group<'a>,
    sources: &Sources,
    places: &[(Place, String, bool)],
    hidden: &[Place],
) -> Group<'a> {
    let Some((index, source)) = places
        .first()
        .and_then(|(place, _, _)| Some((place.source(), sources.at(place.source())?)))
    else {
        return group;
    };
    let hidden: Vec<Range<usize>> = hidden
        .iter()
        .filter(|place| place.source() == index)
        .map(|place| place.range())
        .collect();
    let masked = Masked::new(&source.text, &hidden);
    let mut snippet = Snippet::source(masked.text.clone()).path(source.name.clone());
    for (place, label, primary) in places {
        let kind = if *primary {
            AnnotationKind::Primary
        } else {
            AnnotationKind::Context
        };
        let mut annotation = kind.span(one_line(&masked.text, masked.range(&place.range())));
        if !label.is_empty() {
            annotation = annotation.label(label.clone());
        }
        snippet = snippet.annotation(annotation);
    }
    group.element(snippet)
}

/// The part of a range on its first line, on character boundaries: a caret under one line says enough.
fn one_line(text: &str, range: Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(range.start);
    let end = text.ceil_char_boundary(range.end.max(start));
    let line = text.get(start..end).unwrap_or_default();
    let length = line.find(['\n', '\r']).unwrap_or(line.len());
    start..start + length
}

/// What the configuration says must not drive the terminal.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        })
        .collect()
}
