//! Reads the layers of a configuration: the main file, then `conf.d/*.toml` beside it, then the environment.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::findings::{Issue, Weight};
use super::place::{Place, Source, Sources};
use super::tree::{Entry, Node, Table, Value, table_of};

/// Variables that begin like this are configuration; a further `__` goes one table deeper.
const PREFIX: &str = "RINGFENCE__";
/// A file that is larger is no configuration.
const LARGEST_FILE: u64 = 1024 * 1024;
/// Syntax errors shown of one file: what follows the first few rarely means anything.
const MOST_SYNTAX_ERRORS: usize = 10;

/// Everything that was read, merged into one tree.
pub(super) struct Layers {
    pub(super) sources: Sources,
    pub(super) tree: Table,
    /// What could not be read or parsed.
    pub(super) issues: Vec<Issue>,
}

impl Layers {
    /// Reads the main file, the files of `conf.d` in the order of their names, and the variables.
    pub(super) fn read(main: &Path, env: &[(String, String)]) -> Self {
        let mut layers = Self {
            sources: Sources::default(),
            tree: Table::empty(Place::new(0, &(0..0))),
            issues: Vec::new(),
        };
        layers.add_file(main, true);
        let beside = main.parent().unwrap_or(Path::new("")).join("conf.d");
        for path in layers.files_in(&beside) {
            layers.add_file(&path, false);
        }
        let folder = main.parent().unwrap_or(Path::new("")).to_owned();
        let mut env: Vec<_> = env
            .iter()
            .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
            .collect();
        env.sort();
        let mut table = Table::empty(Place::new(0, &(0..0)));
        for (name, value) in env {
            layers.add_variable(&mut table, name, value, &folder);
        }
        layers.tree.merge(table);
        layers
    }

    fn add_file(&mut self, path: &Path, main: bool) {
        let (text, mode) = match read_file(path) {
            Ok(read) => read,
            Err(error) => {
                self.issues.push(unreadable(path, &error, main));
                return;
            }
        };
        let invalid = std::str::from_utf8(&text).err().map(|error| error.valid_up_to());
        let source = self.sources.add(Source {
            name: path.display().to_string(),
            folder: path.parent().unwrap_or(Path::new("")).to_owned(),
            text: String::from_utf8_lossy(&text).into_owned(),
            mode: Some(mode),
            broken: invalid.is_some(),
        });
        if let Some(at) = invalid {
            let place = Place::new(source, &(at..at + char::REPLACEMENT_CHARACTER.len_utf8()));
            let issue = Issue::error("not UTF-8 text", place).label("this byte");
            self.issues.push(issue.help("save the file as UTF-8"));
            return;
        }
        self.parse(source, main);
    }

    fn parse(&mut self, source: usize, main: bool) {
        let Some(text) = self.sources.at(source).map(|source| source.text.clone()) else {
            return;
        };
        let (table, errors) = DeTable::parse_recoverable(&text);
        let mut line = None;
        let mut shown = 0;
        for error in &errors {
            let place = Place::new(source, &error.span().unwrap_or(0..0));
            let this_line = self.sources.line_column(place).0;
            if line != Some(this_line) && shown < MOST_SYNTAX_ERRORS {
                shown += 1;
                self.issues.push(syntax_error(error.message(), place));
            }
            line = Some(this_line);
        }
        if !errors.is_empty() {
            self.sources.mark_broken(source);
        }
        let table = table_of(source, &table);
        if main {
            self.tree.place = Place::new(source, &(0..0));
        }
        self.tree.merge(table);
    }

    /// `*.toml` in a folder, in the order of their names; none if there is no such folder.
    fn files_in(&mut self, folder: &Path) -> Vec<PathBuf> {
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Vec::new();
            }
            Err(error) => {
                self.issues.push(unreadable(folder, &error, false));
                return Vec::new();
            }
        };
        let mut paths: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .filter(|path| {
                !path
                    .file_name()
                    .is_some_and(|name| name.as_encoded_bytes().starts_with(b"."))
            })
            .collect();
        paths.sort();
        paths
    }

    fn add_variable(&mut self, root: &mut Table, name: &str, value: &str, folder: &Path) {
        let source = self.sources.add(Source {
            name: "environment".into(),
            folder: folder.to_owned(),
            text: format!("{name}={value}"),
            mode: None,
            broken: false,
        });
        let place = Place::new(source, &(name.len() + 1..name.len() + 1 + value.len()));
        let node = Node {
            place,
            value: Value::Variable(value.to_owned()),
        };
        let path = name.get(PREFIX.len()..).unwrap_or_default().to_ascii_lowercase();
        let keys: Vec<&str> = path.split("__").collect();
        let whole = Place::new(source, &(0..name.len()));
        if keys.iter().any(|key| key.is_empty()) {
            let issue = Issue::error(format!("`{name}` names no key"), whole);
            self.issues.push(
                issue.help("write RINGFENCE__TABLE__KEY, for instance RINGFENCE__FENCE__BACKEND=dry-run"),
            );
        } else if !insert(root, &keys, whole, node) {
            let issue = Issue::error(format!("`{name}` contradicts another variable"), whole);
            self.issues.push(issue.help("a key is either a value or a table"));
        }
    }
}

fn syntax_error(message: &str, place: Place) -> Issue {
    let issue = Issue::error(format!("not TOML: {message}"), place);
    if message.starts_with("string values must be quoted") {
        return issue.help("put it in double quotes");
    }
    issue
}

/// Puts a variable's value at its path; `false` when something else than a table is in the way.
fn insert(table: &mut Table, keys: &[&str], key_place: Place, node: Node) -> bool {
    let Some((key, deeper)) = keys.split_first() else {
        return false;
    };
    let position = table.entries.iter().position(|entry| entry.key == *key);
    if deeper.is_empty() {
        if position.is_none() {
            table.entries.push(Entry {
                key: (*key).to_owned(),
                key_place,
                node,
            });
        }
        return position.is_none();
    }
    let position = position.unwrap_or_else(|| {
        let below = Node {
            place: key_place,
            value: Value::Table(Table::empty(key_place)),
        };
        table.entries.push(Entry {
            key: (*key).to_owned(),
            key_place,
            node: below,
        });
        table.entries.len() - 1
    });
    match table.entries.get_mut(position).map(|entry| &mut entry.node.value) {
        Some(Value::Table(below)) => insert(below, deeper, key_place, node),
        _ => false,
    }
}

fn read_file(path: &Path) -> std::io::Result<(Vec<u8>, u32)> {
    let file = File::open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(std::io::Error::from(ErrorKind::IsADirectory));
    }
    let mut text = Vec::new();
    file.take(LARGEST_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST_FILE {
        return Err(std::io::Error::new(
            ErrorKind::FileTooLarge,
            "it is larger than 1 MiB",
        ));
    }
    Ok((text, metadata.permissions().mode()))
}

fn unreadable(path: &Path, error: &std::io::Error, main: bool) -> Issue {
    let shown = path.display();
    match error.kind() {
        ErrorKind::NotFound if main => {
            Issue::nowhere(Weight::Error, format!("there is no configuration at {shown}"))
                .help("name another file with `--config FILE`")
                .help("or copy the example that comes with ringfence there and fill in the [[asterisk]] part")
        }
        ErrorKind::PermissionDenied => {
            Issue::nowhere(Weight::Error, format!("{shown} can't be read: permission denied"))
                .help("run as root, or as the user the daemon runs as; that user must be able to read it")
        }
        ErrorKind::IsADirectory => {
            let issue = Issue::nowhere(Weight::Error, format!("{shown} is a folder, not a file"));
            if main {
                issue.help(format!("did you mean {shown}/ringfence.toml?"))
            } else {
                issue
            }
        }
        _ => Issue::nowhere(Weight::Error, format!("{shown} can't be read: {error}")),
    }
}
