//! A filter's files: read, merged and interpolated in fail2ban's order.

mod definition;
mod ini;
mod interpolate;
mod layers;
mod options;
mod tags;

use std::path::{Path, PathBuf};

pub use definition::{Definition, UseDns, Written, load, load_file};
pub use interpolate::Given;
pub use layers::Files;
pub use options::split as split_options;

/// Why a filter can't be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A line of a file is at fault; the admin or the filter's author must act. Line 0 is the file as a whole.
    #[error("{}{}: {what}", file.display(), if *line == 0 { String::new() } else { format!(":{line}") })]
    File {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: u32,
        /// What is wrong.
        what: String,
    },
    /// What was given beside the filter's name, or on the command line, is at fault.
    #[error("{0}")]
    Given(String),
    /// There is no such filter.
    #[error("there is no filter {0}")]
    Missing(PathBuf),
}

impl LoadError {
    pub(crate) fn at(file: &Path, line: u32, what: &str) -> Self {
        if file.as_os_str().is_empty() {
            return Self::Given(what.into());
        }
        Self::File {
            file: file.to_owned(),
            line,
            what: what.into(),
        }
    }
}
