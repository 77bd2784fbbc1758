//! What the groups of a match say.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::pattern::{Hit, Pattern};

/// Named groups of a match; those that took no part have no text.
pub type Fields = BTreeMap<String, Option<String>>;

/// The groups of `hit` in `text`, with alternative names (`alt_user_1` for `user`) and tuples put together.
pub fn fields(pattern: &Pattern, hit: &Hit, text: &str) -> Fields {
    let mut fields = Fields::new();
    for (at, name) in pattern.names() {
        let range = hit.groups.get(*at).cloned().flatten();
        fields.insert(
            name.clone(),
            range.and_then(|range| text.get(range)).map(str::to_owned),
        );
    }
    let of = |prefix: &str| -> Vec<(String, String)> {
        let names = pattern.names().iter().filter_map(|(_, name)| {
            let target = name.strip_prefix(prefix)?;
            let target = match target.rsplit_once('_') {
                Some((before, digits))
                    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
                {
                    before
                }
                _ => target,
            };
            Some((name.clone(), crate::pattern::expand::group_name(target)))
        });
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    for (name, target) in of("alt_") {
        let value = fields
            .get(&name)
            .cloned()
            .flatten()
            .filter(|value| !value.is_empty());
        if value.is_some() && !filled(&fields, &target) {
            fields.insert(target, value);
        }
    }
    for (name, target) in of("tuple_") {
        let part = fields.get(&name).cloned().flatten().unwrap_or_default();
        let before = fields.get(&target).cloned().flatten();
        let joined = before.map_or_else(|| part.clone(), |before| format!("{before} {part}"));
        fields.insert(target, Some(joined));
    }
    fields
}

/// The text of a field that took part.
pub fn text<'f>(fields: &'f Fields, name: &str) -> Option<&'f str> {
    fields.get(name)?.as_deref()
}

/// Whether a field took part and is not empty.
pub fn filled(fields: &Fields, name: &str) -> bool {
    text(fields, name).is_some_and(|value| !value.is_empty())
}

/// Whom a match is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Who {
    /// An address, or the network around it where the pattern gives the length of its prefix.
    Address(IpAddr, Option<u8>),
    /// Something else that identifies, such as an account; the address that stands beside it, if there is one.
    Id(String, Option<IpAddr>),
    /// A name, which is not resolved: nobody can be blamed.
    Name(String),
    /// What looks like an address but is none: nobody can be blamed.
    NoAddress(String),
    /// A failure whose line doesn't say who; a later line of the same connection may.
    Pending,
}

impl Who {
    /// Whom `fields` name, in the order fail2ban looks.
    pub fn of(fields: &Fields) -> Self {
        let id = text(fields, "fid");
        let address = text(fields, "ip4").or_else(|| text(fields, "ip6"));
        let Some(address) = address else {
            return match (text(fields, "dns"), id) {
                (Some(name), _) => match name.parse() {
                    Ok(address) => Self::Address(address, None),
                    Err(_) => Self::Name(name.to_owned()),
                },
                (None, Some(id)) => match id.parse() {
                    Ok(address) => Self::Address(address, None),
                    Err(_) => Self::Id(id.to_owned(), None),
                },
                (None, None) => Self::Pending,
            };
        };
        let parsed: Result<IpAddr, _> = address.parse();
        if let Some(id) = id.filter(|id| *id != address) {
            return Self::Id(id.to_owned(), parsed.ok());
        }
        let length = text(fields, "cidr").filter(|length| !length.is_empty());
        let length: Option<Result<u8, _>> = length.map(str::parse);
        match (parsed, length) {
            (Ok(address), None) => Self::Address(unmapped(address), None),
            (Ok(address), Some(Ok(length))) if length <= if address.is_ipv4() { 32 } else { 128 } => {
                Self::Address(address, Some(length))
            }
            _ => Self::NoAddress(address.to_owned()),
        }
    }
}

/// `::ffff:192.0.2.1` in any spelling is the IPv4 address.
fn unmapped(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(six) => six.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

impl std::fmt::Display for Who {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address, None) => write!(f, "{address}"),
            Self::Address(address, Some(length)) => write!(f, "{address}/{length}"),
            Self::Id(text, _) | Self::Name(text) | Self::NoAddress(text) => {
                write!(f, "{}", text.escape_debug())
            }
            Self::Pending => f.write_str("-"),
        }
    }
}
