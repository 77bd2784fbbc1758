//! What the guides tell an admin to paste is right: XML is well-formed, configurations load, links lead somewhere.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test's helpers fail the test")]

#[path = "config/common.rs"]
mod common;
#[path = "guides/xml.rs"]
mod xml;

use std::fs;
use std::path::{Path, PathBuf};

use common::Folder;

/// The guides whose configurations are loaded; `docs/configuration.md` has a test of its own.
const GUIDES: [&str; 2] = ["docs/freeswitch.md", "docs/fusionpbx.md"];

/// What ringfence asks of FreeSWITCH; the directory user must be allowed all of it and nothing else.
const PLAIN: [&str; 1] = ["CHANNEL_HANGUP_COMPLETE"];
const CUSTOM: [&str; 6] = [
    "ringfence::probe",
    "sofia::pre_register",
    "sofia::register_attempt",
    "sofia::register_failure",
    "sofia::wrong_call_state",
    "verto::login",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
}

/// The blocks of a guide that are written in `language`.
fn blocks(text: &str, language: &str) -> Vec<String> {
    text.split(&format!("```{language}\n"))
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap_or_default().to_owned())
        .collect()
}

fn param(file: &str, name: &str) -> String {
    let start = format!("<param name=\"{name}\" value=\"");
    let (_, rest) = file
        .split_once(&start)
        .unwrap_or_else(|| panic!("no param {name}"));
    rest.split('"').next().unwrap_or_default().to_owned()
}

#[test]
fn every_piece_of_xml_is_well_formed() {
    let mut pieces = Vec::new();
    let mut found = Vec::new();
    files(&root().join("deploy/freeswitch"), "xml", &mut found);
    assert!(found.len() >= 3, "{found:?}");
    for path in found {
        pieces.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
    }
    let mut guides = Vec::new();
    files(&root().join("docs"), "md", &mut guides);
    for path in guides {
        for block in blocks(&fs::read_to_string(&path).unwrap(), "xml") {
            pieces.push((path.display().to_string(), block));
        }
    }
    for (place, text) in pieces {
        xml::check(&text).unwrap_or_else(|error| panic!("{place}: {error} in\n{text}"));
    }
}

#[test]
fn the_guide_shows_the_files_as_they_are_shipped() {
    let guide = read("docs/freeswitch.md");
    for file in [
        "autoload_configs/event_socket.conf.xml",
        "acl-list.xml",
        "directory/ringfence.xml",
    ] {
        let shipped = read(Path::new("deploy/freeswitch").join(file));
        assert!(
            blocks(&guide, "xml").contains(&shipped),
            "docs/freeswitch.md shows another {file} than deploy/freeswitch has"
        );
    }
}

#[test]
fn the_directory_user_may_do_what_ringfence_does_and_no_more() {
    let user = read("deploy/freeswitch/directory/ringfence.xml");
    let events = param(&user, "esl-allowed-events");
    let (plain, custom) = events.split_once(" CUSTOM ").unwrap();
    let sorted = |names: &str| {
        let mut names: Vec<String> = names.split(' ').map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(sorted(plain), PLAIN);
    assert_eq!(sorted(custom), CUSTOM);
    assert_eq!(sorted(&param(&user, "esl-allowed-api")), ["log", "version"]);
    assert_eq!(param(&user, "esl-allowed-log"), "true");
    // Without a password anybody could call as this user.
    assert_eq!(param(&user, "sip-forbid-register"), "true");
    assert_eq!(param(&user, "allow-empty-password"), "false");
    assert!(!user.contains("name=\"password\"") && !user.contains("cidr="));
}

#[test]
fn the_event_socket_is_not_open_to_the_world() {
    let file = read("deploy/freeswitch/autoload_configs/event_socket.conf.xml");
    assert_eq!(param(&file, "listen-ip"), "127.0.0.1");
    assert_eq!(param(&file, "apply-inbound-acl"), "loopback.auto");
}

#[test]
fn the_configurations_of_the_guides_load() {
    for guide in GUIDES {
        let blocks = blocks(&read(guide), "toml");
        assert!(!blocks.is_empty(), "{guide} shows no configuration");
        for block in blocks {
            let folder = Folder::new();
            for secret in ["fs1", "fs2"] {
                folder.write(&format!("{secret}.secret"), 0o640, "hunter2\n");
            }
            let text = block.replace("/etc/ringfence/", "");
            if let Err(diagnosis) = folder.load(&text) {
                panic!("{guide}: {}\n{block}", diagnosis.render(false));
            }
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut pages = vec![root().join("README.md")];
    files(&root().join("docs"), "md", &mut pages);
    for page in pages {
        let text = fs::read_to_string(&page).unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split([')', '#']).next())
        {
            if link.is_empty() || link.contains("://") || link.contains(' ') {
                continue;
            }
            let target = page.parent().unwrap().join(link);
            assert!(target.exists(), "{}: {link} does not exist", page.display());
        }
    }
}
