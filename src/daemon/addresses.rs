//! Addresses that must never be banned and can change: this machine's own, the PBXes', and names in `ignoreip`.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use ringfence_event::{Moment, Span};

/// One name's look-up takes no longer than this.
const PATIENCE: Duration = Duration::from_secs(3);

/// An address stays a name's address for so long after the resolver named it last: names with many addresses are answered
/// with some of them at a time.
const KEPT: Span = Span::from_secs(24 * 3600);

/// Names and what they resolve to. A name that fails keeps its addresses however long ago it was resolved, so that a
/// resolver's trouble never makes an office bannable.
#[derive(Debug, Default)]
pub struct Names {
    known: HashMap<String, HashMap<IpAddr, Moment>>,
    own: BTreeSet<IpAddr>,
}

impl Names {
    /// Looks every name up, all at once; what no longer is asked for is forgotten. Returns the names that failed.
    pub async fn resolve(&mut self, now: Moment, names: &[String]) -> Vec<String> {
        self.known.retain(|name, _| names.contains(name));
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
                continue;
            }
            let known = self.known.entry(name).or_default();
            known.extend(found.into_iter().map(|address| (address, now)));
            known.retain(|_, seen| now.since(*seen) < KEPT);
        }
        failed
    }

    /// What these names resolve to, in order.
    pub fn addresses(&self, names: &[String]) -> BTreeSet<IpAddr> {
        let known = names.iter().filter_map(|name| self.known.get(name));
        known.flat_map(HashMap::keys).copied().collect()
    }

    /// The addresses of this machine's interfaces; those known before when the kernel does not tell.
    pub fn own(&mut self) -> BTreeSet<IpAddr> {
        match interfaces() {
            Ok(now) => self.own = now,
            Err(error) => {
                tracing::warn!(
                    "the machine's own addresses can't be read: {error}; the last known ones hold"
                );
            }
        }
        self.own.clone()
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

fn interfaces() -> nix::Result<BTreeSet<IpAddr>> {
    let interfaces = nix::ifaddrs::getifaddrs()?;
    let addresses = interfaces
        .filter_map(|interface| interface.address)
        .filter_map(|address| {
            let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
        });
    Ok(addresses.map(|address| address.to_canonical()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_name_that_fails_later_keeps_its_addresses() {
        let mut names = Names::default();
        let noon = Moment::from_millis(1_800_000_000_000);
        let wanted = ["localhost".to_string(), "no-such-name.invalid".to_string()];
        assert_eq!(names.resolve(noon, &wanted).await, ["no-such-name.invalid"]);
        let known = names.addresses(&wanted);
        assert!(known.iter().all(IpAddr::is_loopback) && !known.is_empty());
        let office: IpAddr = "192.0.2.7".parse().unwrap();
        names
            .known
            .entry("no-such-name.invalid".into())
            .or_default()
            .insert(office, noon);
        names
            .known
            .entry("localhost".into())
            .or_default()
            .insert(office, noon);
        names.resolve(noon + Span::from_secs(23 * 3600), &wanted).await;
        assert!(
            names.addresses(&wanted[..1]).contains(&office),
            "an answer may name some of the addresses only"
        );
        names.resolve(noon + Span::from_secs(25 * 3600), &wanted).await;
        assert!(
            !names.addresses(&wanted[..1]).contains(&office),
            "not named for a day"
        );
        assert!(
            names.addresses(&wanted[1..]).contains(&office),
            "nobody said that it has another address"
        );
        names.resolve(noon, &[]).await;
        assert!(names.addresses(&wanted).is_empty());
    }

    #[test]
    fn the_loopback_address_is_our_own() {
        assert!(Names::default().own().iter().any(IpAddr::is_loopback));
    }
}
