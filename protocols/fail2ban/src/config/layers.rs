//! The files that make up one filter, in fail2ban's order, merged into one.

use std::path::{Path, PathBuf};

use super::LoadError;
use super::ini::{self, Ini, Section};

/// What a filter is read from; the caller reads the files.
pub trait Files {
    /// The content of a file, `None` when there is none.
    fn read(&self, path: &Path) -> Result<Option<Vec<u8>>, String>;

    /// The files of a folder, in any order; none when there is no such folder.
    fn list(&self, folder: &Path) -> Vec<PathBuf>;
}

/// Files that a filter may consist of, and how deep an include may lie.
const MOST_FILES: usize = 100;
const DEEPEST: usize = 10;

/// A merged configuration. What a later file replaced stays under `KNOWN/SECTION`.
#[derive(Clone, Debug, Default)]
pub struct Merged {
    /// The sections of all files.
    pub ini: Ini,
    /// The files, in the order they were read.
    pub files: Vec<PathBuf>,
}

/// Reads `base`.conf, `base`.d/*.conf, `base`.local and `base`.d/*.local with all they include.
pub fn read_with_overrides(files: &dyn Files, base: &Path) -> Result<Merged, LoadError> {
    let with = |suffix: &str| {
        let mut name = base.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let mut below = files.list(&with(".d"));
    below.sort();
    let of = |suffix: &str| {
        let matches = |path: &&PathBuf| path.extension().is_some_and(|extension| extension == suffix);
        below.iter().filter(matches).cloned().collect::<Vec<_>>()
    };
    let mut wanted = vec![with(".conf")];
    wanted.extend(of("conf"));
    wanted.push(with(".local"));
    wanted.extend(of("local"));
    read_all(files, &wanted)
}

/// Reads just `file` (and its `.local`), with all they include.
pub fn read_explicit(files: &dyn Files, file: &Path) -> Result<Merged, LoadError> {
    read_all(files, &[file.to_owned()])
}

fn read_all(files: &dyn Files, wanted: &[PathBuf]) -> Result<Merged, LoadError> {
    let mut order = Vec::new();
    for path in with_locals(wanted) {
        included(files, &path, &[], &mut order)?;
    }
    let mut merged = Merged::default();
    for (path, ini) in order {
        merged.add(ini);
        merged.files.push(path);
    }
    Ok(merged)
}

/// Every file is followed by its `.local`, unless that is wanted anyway.
fn with_locals(wanted: &[PathBuf]) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in wanted {
        all.push(path.clone());
        let local = path.with_extension("local");
        if !wanted.contains(&local) {
            all.push(local);
        }
    }
    all
}

fn included(
    files: &dyn Files,
    path: &Path,
    above: &[PathBuf],
    order: &mut Vec<(PathBuf, Ini)>,
) -> Result<(), LoadError> {
    if above.len() > DEEPEST || order.len() > MOST_FILES {
        return Err(LoadError::at(
            path,
            0,
            "is included too deep, or one of too many files",
        ));
    }
    let bytes = files
        .read(path)
        .map_err(|error| LoadError::at(path, 0, &format!("can't be read: {error}")))?;
    let Some(bytes) = bytes else { return Ok(()) };
    let ini = ini::parse(path, &bytes)?;
    let mut above = above.to_vec();
    let names = |option: &str| -> Result<Vec<PathBuf>, LoadError> {
        let Some(value) = ini
            .sections
            .get("INCLUDES")
            .and_then(|section| section.get(option))
        else {
            return Ok(Vec::new());
        };
        if value.text.contains("%(") {
            return Err(LoadError::at(
                &value.file,
                value.line,
                "names an include by interpolation",
            ));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let lines = value.text.split('\n').filter(|line| !line.is_empty());
        Ok(lines.map(|line| folder.join(line)).collect())
    };
    let (before, after) = (names("before")?, names("after")?);
    let seen = above.clone();
    above.push(path.to_owned());
    let visit = |list: Vec<PathBuf>, order: &mut Vec<(PathBuf, Ini)>| -> Result<(), LoadError> {
        for name in list.into_iter().filter(|name| !seen.contains(name)) {
            for name in with_locals(&[name]) {
                included(files, &name, &above, order)?;
            }
        }
        Ok(())
    };
    visit(before, order)?;
    order.push((path.to_owned(), ini));
    visit(after, order)
}

impl Merged {
    fn add(&mut self, ini: Ini) {
        self.ini.defaults.extend(ini.defaults);
        for (name, options) in ini.sections {
            // `[Init?family=inet6]` sets `name?family=inet6` in `[Init]`.
            let (name, options) = match name.split_once('?') {
                Some((plain, condition)) if !plain.is_empty() && !condition.is_empty() => {
                    let renamed = options
                        .into_iter()
                        .map(|(option, value)| (format!("{option}?{condition}"), value));
                    (plain.to_owned(), renamed.collect::<Section>())
                }
                _ => (name, options),
            };
            if let Some(old) = self.ini.sections.get(&name) {
                let known: Section = old
                    .iter()
                    .filter(|(option, _)| options.contains_key(*option))
                    .map(|(option, value)| (option.clone(), value.clone()))
                    .collect();
                self.ini
                    .sections
                    .entry(format!("KNOWN/{name}"))
                    .or_default()
                    .extend(known);
            }
            self.ini.sections.entry(name).or_default().extend(options);
        }
    }
}
