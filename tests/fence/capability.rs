//! Which privilege is needed, and what is said without it.

use std::process::Command;

use ringfence::fence::{FenceError, FenceSettings, open};

use crate::net::{HOUR, Line, Net, address, ban, held, installed, prefix};

/// Set for the copy of this test that runs with other privileges.
const INNER: &str = "RINGFENCE_TEST_INNER";

/// Runs the test of this name again in the PBX's namespace as nobody, with these capabilities only.
fn as_nobody(net: &Net, test: &str, capabilities: &[&str]) {
    // Nobody may not read where the test was built.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("fence-test");
    std::fs::copy(std::env::current_exe().unwrap(), &copy).unwrap();
    crate::net::run("chmod", &["-R", "755", dir.path().to_str().unwrap()]);
    let output = Command::new("ip")
        .args([
            "netns",
            "exec",
            &net.pbx,
            "setpriv",
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
        ])
        .args(capabilities)
        .arg(copy)
        .args(["--exact", test, "--nocapture"])
        .env(INNER, "1")
        .current_dir("/")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("inner test ran as 65534"), "{said}");
}

fn inside() -> bool {
    let inside = std::env::var_os(INNER).is_some();
    if inside {
        println!("inner test ran as {}", nix::unistd::geteuid());
    }
    inside
}

#[test]
fn the_one_capability_is_enough_for_everything() {
    if inside() {
        let mut fence = installed();
        let watch = fence.watch(Box::new(drop)).unwrap();
        fence
            .apply(&[
                ban(address("192.0.2.10"), HOUR),
                ban(prefix("198.51.100.0/24"), HOUR),
            ])
            .unwrap();
        assert_eq!(fence.list().unwrap().len(), 2);
        assert!(fence.intact().unwrap());
        let many: Vec<_> = (0..5000)
            .map(|n| ban(ringfence::engine::Target::Address(crate::net::nth(n)), HOUR))
            .collect();
        fence.apply(&many).unwrap();
        fence.apply(&many).unwrap();
        drop(watch);
        return;
    }
    Net::test(|net| {
        let line = Line::v4(net);
        let caller = line.caller("192.0.2.10:0");
        assert!(line.arrives(&caller));
        let capabilities = ["--inh-caps", "+net_admin", "--ambient-caps", "+net_admin"];
        as_nobody(
            net,
            "capability::the_one_capability_is_enough_for_everything",
            &capabilities,
        );
        assert!(!line.arrives(&caller), "its bans hold when it is gone");
        assert!(held(&mut *installed(), prefix("198.51.100.0/24")).is_some());
    });
}

#[test]
fn without_the_capability_the_remedy_is_named() {
    if inside() {
        let mut fence = open(&FenceSettings::default()).unwrap();
        let refused = [
            fence.install().map(drop),
            fence.apply(&[ban(address("192.0.2.10"), HOUR)]),
            fence.apply(&[ban(address("192.0.2.10"), HOUR), ban(address("192.0.2.11"), HOUR)]),
            fence.apply(&[ban(prefix("192.0.2.0/24"), HOUR)]),
            fence.list().map(drop),
            fence.intact().map(drop),
            fence.purge(),
        ];
        for outcome in refused {
            let error = outcome.expect_err("nobody may not");
            assert!(matches!(error, FenceError::Permission { .. }), "{error}");
            assert!(
                error.to_string().contains("AmbientCapabilities=CAP_NET_ADMIN"),
                "{error}"
            );
        }
        return;
    }
    Net::test(|net| {
        as_nobody(net, "capability::without_the_capability_the_remedy_is_named", &[]);
        assert_eq!(net.nft("list ruleset"), "");
    });
}
