//! What the kernel holds, asked from nft, not from ringfence.

use std::net::IpAddr;

use serde_json::Value;

use crate::net::Space;

/// The elements of all sets of the table `inet ringfence` in `space`, as nft prints them; empty without the table.
pub fn elements(space: &Space) -> Vec<String> {
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
        .map(written)
        .collect()
}

/// Whether one of the sets holds exactly `address`.
pub fn holds(space: &Space, address: IpAddr) -> bool {
    let address = address.to_string();
    elements(space).contains(&address)
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
