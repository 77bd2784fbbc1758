//! Addresses that must never be banned and can change: this machine's own, the PBXes', and names in `ignoreip`.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;

/// One name's look-up takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(3);

/// Names and what they resolved to last; a name that fails keeps its former addresses, so that a resolver's trouble never
/// makes an office bannable.
#[derive(Debug, Default)]
pub struct Names {
    last: HashMap<String, Vec<IpAddr>>,
}

impl Names {
    /// Looks every name up, all at once; what no longer is asked for is forgotten. Returns the names that failed.
    pub async fn resolve(&mut self, names: &[String]) -> Vec<String> {
        self.last.retain(|name, _| names.contains(name));
        let lookups: Vec<_> = names
            .iter()
            .map(|name| {
                let name = name.clone();
                tokio::spawn(async move {
                    let found = look_up(&name).await;
                    (name, found)
                })
            })
            .collect();
        let mut failed = Vec::new();
        for lookup in lookups {
            let Ok((name, found)) = lookup.await else { continue };
            if found.is_empty() {
                failed.push(name);
            } else {
                self.last.insert(name, found);
            }
        }
        failed
    }

    /// What these names resolved to last, in order.
    pub fn addresses(&self, names: &[String]) -> BTreeSet<IpAddr> {
        names
            .iter()
            .filter_map(|name| self.last.get(name))
            .flatten()
            .copied()
            .collect()
    }
}

/// A name's addresses; none when it can't be resolved in time.
async fn look_up(name: &str) -> Vec<IpAddr> {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 0))).await {
        Ok(Ok(found)) => found.map(|socket| socket.ip().to_canonical()).collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

/// The addresses as single-address prefixes.
pub fn as_nets(addresses: &BTreeSet<IpAddr>) -> Vec<IpNet> {
    addresses.iter().copied().map(IpNet::from).collect()
}

/// The addresses of this machine's interfaces, as far as the kernel tells.
pub fn own() -> BTreeSet<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return BTreeSet::new();
    };
    interfaces
        .filter_map(|interface| interface.address)
        .filter_map(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        })
        .map(|address| address.to_canonical())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_name_that_fails_later_keeps_its_addresses() {
        let mut names = Names::default();
        let wanted = ["localhost".to_string(), "no-such-name.invalid".to_string()];
        assert_eq!(names.resolve(&wanted).await, ["no-such-name.invalid"]);
        let known = names.addresses(&wanted);
        assert!(known.iter().all(IpAddr::is_loopback) && !known.is_empty());
        names
            .last
            .insert("no-such-name.invalid".into(), vec!["192.0.2.7".parse().unwrap()]);
        names.resolve(&wanted).await;
        assert!(names.addresses(&wanted).contains(&"192.0.2.7".parse().unwrap()));
        names.resolve(&[]).await;
        assert!(names.addresses(&wanted).is_empty());
    }

    #[test]
    fn the_loopback_address_is_our_own() {
        assert!(own().iter().any(IpAddr::is_loopback));
    }
}
