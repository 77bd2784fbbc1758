//! The configuration as written, before anything is known about its keys: values with their places, and how layers merge.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::place::Place;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

/// A value as written.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    /// `None` when it does not fit in 64 bits.
    Integer(Option<i64>),
    Float,
    Flag(bool),
    Datetime,
    List(Vec<Node>),
    Table(Table),
    /// A variable of the environment: its type is whatever is wanted where it is read.
    Variable(String),
}

impl Value {
    /// What it is, in words for an error.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Variable(_) => "a string",
            Self::Integer(_) => "an integer",
            Self::Float => "a decimal number",
            Self::Flag(_) => "a boolean",
            Self::Datetime => "a date or time",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// Keys in the order they were written.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) place: Place,
    pub(super) entries: Vec<Entry>,
}

/// One key with its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Table {
    pub(super) fn empty(place: Place) -> Self {
        Self {
            place,
            entries: Vec::new(),
        }
    }

    pub(super) fn find(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// Takes over everything of `over`, which wins: tables merge key by key, `[[…]]` and `ignoreip` add up, anything else is
    /// replaced.
    pub(super) fn merge(&mut self, over: Self) {
        for entry in over.entries {
            let additive = ADDITIVE.contains(&entry.key.as_str());
            match self.entries.iter_mut().find(|old| same_key(old, &entry)) {
                None => self.entries.push(entry),
                Some(old) => merge_node(old, entry, additive),
            }
        }
    }
}

/// Top-level lists to which a further file adds: leaving out an address that the main file trusts, a PBX that it
/// watches or a customer that it knows would be the worst surprise.
const ADDITIVE: [&str; 5] = ["ignoreip", "asterisk", "freeswitch", "logfile", "tenant"];

fn merge_node(old: &mut Entry, new: Entry, additive: bool) {
    match (&mut old.node.value, new.node.value) {
        (Value::Table(base), Value::Table(over)) => base.merge(over),
        (Value::List(base), Value::List(more)) if additive => base.extend(more),
        (Value::List(base), Value::Variable(text)) if additive => {
            base.extend(variable_list(&Node {
                place: new.node.place,
                value: Value::Variable(text),
            }));
        }
        (Value::List(base), Value::Table(over)) if additive => merge_by_name(base, over),
        (_, value) => {
            old.key_place = new.key_place;
            old.node = Node {
                place: new.node.place,
                value,
            };
        }
    }
}

/// `RINGFENCE__ASTERISK__PBX1__…` speaks of the `[[asterisk]]` whose name is `pbx1`, or makes it.
fn merge_by_name(base: &mut Vec<Node>, over: Table) {
    for entry in over.entries {
        let Value::Table(settings) = entry.node.value else {
            base.push(entry.node);
            continue;
        };
        let known = base.iter_mut().find_map(|node| match &mut node.value {
            Value::Table(table) if name_of(table).is_some_and(|name| fold(name) == fold(&entry.key)) => {
                Some(table)
            }
            _ => None,
        });
        match known {
            Some(table) => table.merge(settings),
            None => base.push(named(&entry.key, settings)),
        }
    }
}

/// A table of the environment as an element of a `[[…]]` list, named by its key.
fn named(key: &str, mut settings: Table) -> Node {
    let place = settings.place;
    if settings.find("name").is_none() {
        settings.entries.push(Entry {
            key: "name".into(),
            key_place: place,
            node: Node {
                place,
                value: Value::Variable(key.into()),
            },
        });
    }
    Node {
        place,
        value: Value::Table(settings),
    }
}

/// Turns a lone table under a `[[…]]` key into a list: `RINGFENCE__ASTERISK__…` when no file has an `[[asterisk]]`.
pub(super) fn list_of_named(table: &Table) -> Vec<Node> {
    let mut list = Vec::new();
    merge_by_name(&mut list, table.clone());
    list
}

fn name_of(table: &Table) -> Option<&str> {
    match &table.find("name")?.node.value {
        Value::Text(name) | Value::Variable(name) => Some(name),
        _ => None,
    }
}

/// Whether two layers speak of the same key. Variables can't contain `-`, so `_` stands for it in them.
fn same_key(old: &Entry, new: &Entry) -> bool {
    old.key == new.key || (is_variable(&new.node) && fold(&old.key) == fold(&new.key))
}

fn is_variable(node: &Node) -> bool {
    match &node.value {
        Value::Variable(_) => true,
        Value::Table(table) => table.entries.iter().any(|entry| is_variable(&entry.node)),
        _ => false,
    }
}

fn fold(name: &str) -> String {
    name.to_ascii_lowercase().replace(['-', '.'], "_")
}

/// The elements of a list given in a variable: a TOML list, or values separated by commas.
pub(super) fn variable_list(node: &Node) -> Vec<Node> {
    let Value::Variable(text) = &node.value else {
        return Vec::new();
    };
    let (source, base) = (node.place.source(), node.place.range().start);
    if text.trim_start().starts_with('[')
        && let Ok(value) = DeValue::parse(text)
        && let Value::List(list) = node_of(source, base, &value).value
    {
        return list;
    }
    let mut offset = base;
    let mut list = Vec::new();
    for part in text.split(',') {
        let start = offset + (part.len() - part.trim_start().len());
        let value = part.trim();
        if !value.is_empty() {
            let place = Place::new(source, &(start..start + value.len()));
            list.push(Node {
                place,
                value: Value::Variable(value.to_owned()),
            });
        }
        offset += part.len() + 1;
    }
    list
}

/// The tree of one parsed file.
pub(super) fn table_of(source: usize, table: &Spanned<DeTable<'_>>) -> Table {
    spanned_table(source, 0, &table.span(), table.get_ref())
}

fn spanned_table(source: usize, base: usize, span: &Range<usize>, table: &DeTable<'_>) -> Table {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            key_place: shifted(source, base, &key.span()),
            node: node_of(source, base, value),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_place);
    Table {
        place: shifted(source, base, span),
        entries,
    }
}

fn node_of(source: usize, base: usize, value: &Spanned<DeValue<'_>>) -> Node {
    let span = value.span();
    let tree = match value.get_ref() {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => Value::Integer(i64::from_str_radix(number.as_str(), number.radix()).ok()),
        DeValue::Float(_) => Value::Float,
        DeValue::Boolean(flag) => Value::Flag(*flag),
        DeValue::Datetime(_) => Value::Datetime,
        DeValue::Array(list) => Value::List(list.iter().map(|item| node_of(source, base, item)).collect()),
        DeValue::Table(table) => Value::Table(spanned_table(source, base, &span, table)),
    };
    Node {
        place: shifted(source, base, &span),
        value: tree,
    }
}

fn shifted(source: usize, base: usize, span: &Range<usize>) -> Place {
    Place::new(source, &(base + span.start..base + span.end))
}
