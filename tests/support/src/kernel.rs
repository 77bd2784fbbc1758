//! What the kernel holds, asked from nft, not from ringfence.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::net::Space;

/// The elements of all sets of the table `inet ringfence` in `space`, as nft prints them; empty without the table.
pub fn elements(space: &Space) -> Vec<String> {
    listed(space).iter().map(written).collect()
}

/// How long the kernel still holds exactly `address`; `None` when it does not, or for ever.
pub fn timeout(space: &Space, address: IpAddr) -> Option<Duration> {
    let address = address.to_string();
    let element = listed(space)
        .into_iter()
        .find(|element| written(element) == address)?;
    let seconds = element.pointer("/elem/expires")?.as_u64()?;
    Some(Duration::from_secs(seconds))
}

/// Whether one of the sets holds exactly `address`.
pub fn holds(space: &Space, address: IpAddr) -> bool {
    let address = address.to_string();
    elements(space).contains(&address)
}

fn listed(space: &Space) -> Vec<Value> {
    let output = space
        .command("nft")
        .args(["-j", "list", "table", "inet", "ringfence"])
        .output()
        .expect("nft is needed");
    if !output.status.success() {
        return Vec::new();
    }
    let listing: Value = serde_json::from_slice(&output.stdout).expect("nft prints JSON");
    listing["nftables"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["set"]["elem"].as_array())
        .flatten()
        .cloned()
        .collect()
}

/// `192.0.2.1`, `192.0.2.0/24` or, for anything else, what nft printed.
fn written(element: &Value) -> String {
    // With a timeout or a counter nft wraps the value: {"elem": {"val": …, "timeout": …}}.
    let value = element.pointer("/elem/val").unwrap_or(element);
    match (
        value.as_str(),
        value.pointer("/prefix/addr"),
        value.pointer("/prefix/len"),
    ) {
        (Some(text), ..) => text.to_owned(),
        (None, Some(address), Some(length)) => format!("{}/{length}", address.as_str().unwrap_or_default()),
        _ => value.to_string(),
    }
}
