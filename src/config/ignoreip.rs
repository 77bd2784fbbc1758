//! Reads `ignoreip`: who is never banned, whatever happens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::findings::Issue;
use super::place::At;
use super::section::Section;

/// What `ignoreip` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ignored {
    pub(super) nets: Vec<IpNet>,
    /// DNS names, in lower case.
    pub(super) names: Vec<String>,
}

/// Reads the list; this machine's loopback addresses always belong to it.
pub(super) fn read(section: &mut Section<'_>) -> Ignored {
    let mut ignored = Ignored {
        nets: vec![
            IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8)),
            IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128)),
        ],
        names: Vec::new(),
    };
    add(section, &mut ignored, true);
    ignored
}

/// A tenant's own list: addresses and prefixes. Host names belong into the global one, which the daemon resolves.
pub(super) fn of_tenant(section: &mut Section<'_>) -> Vec<IpNet> {
    let mut ignored = Ignored::default();
    add(section, &mut ignored, false);
    ignored.nets
}

fn add(section: &mut Section<'_>, ignored: &mut Ignored, names: bool) {
    let Some(list) = section.texts("ignoreip") else {
        return;
    };
    for entry in &list.value {
        match entry_of(entry) {
            Ok(Entry::Net(net)) => {
                if let Some(warning) = too_wide(entry, net) {
                    section.findings.push(warning);
                }
                if !ignored.nets.contains(&net) {
                    ignored.nets.push(net);
                }
            }
            Ok(Entry::Name(name)) if !names => {
                let message = format!("`ignoreip` of a tenant: `{name}` is a host name");
                section.findings.push(Issue::error(message, entry.place).help(
                    "write its addresses here, or put the name into the global `ignoreip`, which trusts it everywhere",
                ));
            }
            Ok(Entry::Name(name)) => {
                if !ignored.names.contains(&name) {
                    ignored.names.push(name);
                }
            }
            Err(issue) => section.findings.push(*issue),
        }
    }
}

enum Entry {
    Net(IpNet),
    Name(String),
}

fn entry_of(entry: &At<String>) -> Result<Entry, Box<Issue>> {
    let text = entry.value.trim();
    if let Ok(addr) = text.parse::<IpAddr>() {
        return Ok(Entry::Net(IpNet::from(addr.to_canonical())));
    }
    if let Some((addr, length)) = text.split_once('/') {
        return net_of(entry, addr, length).map(Entry::Net);
    }
    if is_name(text) {
        return Ok(Entry::Name(text.trim_end_matches('.').to_ascii_lowercase()));
    }
    let issue = Issue::error(
        format!("`ignoreip`: `{text}` is no address, prefix or DNS name"),
        entry.place,
    );
    Err(Box::new(issue.help(
        "write 192.0.2.10, 192.0.2.0/24, 2001:db8::/32 or office.example.net",
    )))
}

fn net_of(entry: &At<String>, addr: &str, length: &str) -> Result<IpNet, Box<Issue>> {
    let Ok(addr) = addr.parse::<IpAddr>() else {
        let issue = Issue::error(format!("`ignoreip`: `{addr}` is no address"), entry.place);
        return Err(Box::new(issue.help(
            "a prefix is an address and a length: 192.0.2.0/24, 2001:db8::/32",
        )));
    };
    let longest = if addr.is_ipv4() { 32 } else { 128 };
    let net = prefix_length(addr, length).and_then(|length| IpNet::new(addr, length).ok());
    let Some(net) = net else {
        let issue = Issue::error(
            format!("`ignoreip`: `/{length}` is no prefix length"),
            entry.place,
        );
        return Err(Box::new(issue.help(format!("allowed are /0 to /{longest}"))));
    };
    if net.trunc().addr() != addr {
        let message = format!("`ignoreip`: `{}` names one host and a whole network", entry.value);
        let label = format!("the host part of {addr} is not zero");
        let issue = Issue::error(message, entry.place).label(label);
        return Err(Box::new(issue.help(format!(
            "write `{}` for the network, or `{addr}` for the one host",
            net.trunc()
        ))));
    }
    Ok(canonical(net))
}

/// `24` or, for IPv4, `255.255.255.0`.
fn prefix_length(addr: IpAddr, length: &str) -> Option<u8> {
    if addr.is_ipv4()
        && let Ok(mask) = length.parse::<Ipv4Addr>()
    {
        return ipnet::ip_mask_to_prefix(IpAddr::V4(mask)).ok();
    }
    length
        .bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| length.parse().ok())?
}

/// A prefix of IPv4 addresses written as IPv6 is meant as IPv4.
fn canonical(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(net) if net.prefix_len() >= 96 => net
            .addr()
            .to_ipv4_mapped()
            .map(|addr| (addr, net.prefix_len() - 96)),
        _ => None,
    };
    mapped
        .and_then(|(addr, length)| Ipv4Net::new(addr, length).ok())
        .map_or(net, IpNet::V4)
}

fn too_wide(entry: &At<String>, net: IpNet) -> Option<Issue> {
    let message = match (net.prefix_len(), net) {
        (0, IpNet::V4(_)) => "`ignoreip` holds every IPv4 address: none would ever be banned".to_owned(),
        (0, IpNet::V6(_)) => "`ignoreip` holds every IPv6 address: none would ever be banned".to_owned(),
        (1..8, IpNet::V4(_)) | (1..16, IpNet::V6(_)) => {
            format!("`ignoreip`: `{net}` is very wide: nobody in it would ever be banned")
        }
        _ => return None,
    };
    Some(Issue::warning(message, entry.place).help("name only addresses that you trust wholly"))
}

/// Whether it can be a DNS name; what looks like an address that is none can't.
pub(super) fn is_name(text: &str) -> bool {
    let text = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let last_is_word = text
        .rsplit('.')
        .next()
        .is_some_and(|last| last.bytes().any(|byte| byte.is_ascii_alphabetic()));
    text.len() <= 253 && last_is_word && text.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::super::place::Place;
    use super::*;

    fn net(text: &str) -> Result<String, String> {
        match entry_of(&At {
            value: text.into(),
            place: Place::new(0, &(0..0)),
        }) {
            Ok(Entry::Net(net)) => Ok(net.to_string()),
            Ok(Entry::Name(name)) => Ok(format!("name {name}")),
            Err(issue) => Err(format!("{} ({})", issue.message, issue.help.join("; "))),
        }
    }

    #[test]
    fn addresses_prefixes_and_names_are_told_apart() {
        assert_eq!(net("192.0.2.10").unwrap(), "192.0.2.10/32");
        assert_eq!(net("192.0.2.0/24").unwrap(), "192.0.2.0/24");
        assert_eq!(net("192.0.2.0/255.255.255.0").unwrap(), "192.0.2.0/24");
        assert_eq!(net("2001:DB8::/32").unwrap(), "2001:db8::/32");
        assert_eq!(net("::ffff:192.0.2.1").unwrap(), "192.0.2.1/32");
        assert_eq!(net("::ffff:192.0.2.0/120").unwrap(), "192.0.2.0/24");
        assert_eq!(net("Office.Example.net.").unwrap(), "name office.example.net");
        assert_eq!(net("localhost").unwrap(), "name localhost");
    }

    #[test]
    fn what_is_none_of_them_says_what_was_meant() {
        assert!(
            net("192.0.2.5/24")
                .unwrap_err()
                .contains("`192.0.2.0/24` for the network, or `192.0.2.5` for the one")
        );
        assert!(net("192.0.2.0/33").unwrap_err().contains("/0 to /32"));
        assert!(net("2001:db8::/129").unwrap_err().contains("/0 to /128"));
        assert!(net("192.0.2.0/255.0.255.0").is_err());
        for wrong in [
            "192.0.2.300",
            "192.0.2.*",
            "192.0.2.1-192.0.2.9",
            "",
            "a..b",
            "-a.example",
            "192.0.2.1:5060",
            "a b",
        ] {
            assert!(
                net(wrong).unwrap_err().contains("no address, prefix or DNS name"),
                "{wrong}"
            );
        }
        for wrong in [
            "example.net/24",
            "/24",
            "192.0.2.0/",
            "192.0.2.0/+8",
            "192.0.2.0/2 4",
        ] {
            assert!(net(wrong).is_err(), "{wrong}");
        }
    }
}
