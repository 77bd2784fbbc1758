//! Filters out of memory.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test uses a part of it"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ringfence_fail2ban::{Definition, Files, Filter, LoadError, Settings, load, split_options};

/// The files of a filter `x`.
struct Memory<'a>(&'a str);

impl Files for Memory<'_> {
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        Ok((path == Path::new("x.conf")).then(|| self.0.as_bytes().to_vec()))
    }

    fn list(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

/// The filter that `text` defines, with `options` as they stand in brackets behind its name.
pub fn loaded(text: &str, options: &str) -> Result<Definition, LoadError> {
    let (_, given) = split_options(&format!("x[{options}]")).map_err(LoadError::Given)?;
    load(&Memory(text), Path::new("x"), &given)
}

pub fn compiled(definition: &Definition, every_pattern: bool) -> Result<Arc<Filter>, LoadError> {
    let settings = Settings {
        zone: jiff::tz::TimeZone::UTC,
        this_year: 2026,
        every_pattern,
    };
    Filter::compile(definition, settings).map(Arc::new)
}
