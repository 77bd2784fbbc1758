//! Who may ask for what, and the traps of asking.

use ringfence_testkit::fake_freeswitch::{Block, User};
use ringfence_testkit::{FakeFreeswitch, fs_events};

use crate::client::{Client, PASSWORD};

const DENIED: &str = "-ERR permission denied";

fn server() -> FakeFreeswitch {
    let server = FakeFreeswitch::start(None, PASSWORD);
    server.admit(User {
        events: Some("CHANNEL_HANGUP_COMPLETE CUSTOM sofia::register_failure ringfence::probe".to_owned()),
        api: Some("version status".to_owned()),
        log: false,
        ..User::new("ringfence@pbx.example", "secret")
    });
    server
}

fn user(server: &FakeFreeswitch) -> Client {
    let mut client = Client::connect(server.address());
    client.frame();
    assert_eq!(
        client.ask("userauth ringfence@pbx.example:secret"),
        "+OK accepted\n\
         Allowed-Events: CHANNEL_HANGUP_COMPLETE CUSTOM sofia::register_failure ringfence::probe\n\
         Allowed-API: version status\nAllowed-LOG: false"
    );
    client
}

fn failure() -> Block {
    let peer = "192.0.2.7:5060".parse().unwrap();
    fs_events::Try::register(peer, "100", "pbx.example", "c1")
        .register_failure()
        .into()
}

#[test]
fn a_user_may_ask_for_what_the_directory_allows() {
    let server = server();
    let mut client = user(&server);
    let allowed = "event plain CHANNEL_HANGUP_COMPLETE CUSTOM sofia::register_failure";
    assert_eq!(client.ask(allowed), "+OK event listener enabled plain");
    assert_eq!(client.ask(&format!("{allowed} sofia::register")), DENIED);
    assert_eq!(client.ask("event plain HEARTBEAT"), DENIED);
    assert_eq!(client.ask("log warning"), DENIED);
    assert_eq!(client.ask("api hostname"), DENIED);
    assert_eq!(client.ask("bgapi hostname"), DENIED);
    assert!(client.api("version").starts_with("FreeSWITCH Version"));
    assert_eq!(server.inject(&[failure(), fs_events::heartbeat().into()]), 1);
    assert!(client.frame().has("sofia%3A%3Aregister_failure"));
    assert!(client.hears_nothing());
}

#[test]
fn anybody_may_send_events() {
    let server = server();
    let mut client = user(&server);
    client.ask("event plain CUSTOM ringfence::probe");
    let reply = client.ask("sendevent CUSTOM\nEvent-Subclass: ringfence::probe\nprobe: 7");
    let uuid = reply.strip_prefix("+OK ").unwrap();
    let echo = client.frame();
    assert!(echo.has("Event-Subclass: ringfence%3A%3Aprobe\nCommand: sendevent%20CUSTOM\nprobe: 7\n"));
    assert!(echo.has(&format!("\nEvent-UUID: {uuid}\nEvent-Name: CUSTOM\n")));
    // what one may not listen to one may send
    let mut other = Client::log_in(server.address());
    other.ask("event plain HEARTBEAT");
    assert!(
        client
            .ask("sendevent HEARTBEAT\nEvent-Info: forged")
            .starts_with("+OK ")
    );
    assert!(other.frame().has("\nEvent-Info: forged\n"));
}

#[test]
fn refused_logins_are_counted_and_told() {
    let server = server();
    for wrong in [
        "auth nope",
        "userauth ringfence@pbx.example:wrong",
        "userauth other@pbx.example:secret",
        "userauth ringfence@pbx.example",
    ] {
        let mut client = Client::connect(server.address());
        client.frame();
        assert_eq!(client.ask(wrong), "-ERR invalid", "{wrong}");
        assert!(client.frame().has("text/disconnect-notice"));
        assert_eq!(client.try_frame(), None);
    }
    assert_eq!(
        (server.connections(), server.logins(), server.refused()),
        (4, 0, 4)
    );
    user(&server);
    assert_eq!(server.logins(), 1);
    let commands: Vec<String> = server
        .reports()
        .into_iter()
        .flat_map(|report| report.commands)
        .collect();
    assert!(commands.contains(&"userauth ringfence@pbx.example".to_owned()));
    assert!(
        !commands
            .iter()
            .any(|command| command.contains("secret") || command.contains("nope"))
    );
}

#[test]
fn an_event_command_has_its_traps() {
    let server = server();
    let mut client = Client::log_in(server.address());
    let enabled = "+OK event listener enabled plain";
    for deaf in [
        "event plain CUSTOM",
        "event plain CUSTOM Sofia::Register_Failure",
        "event plain CUSTOM nosuch::subclass",
        "event plain CUSTOM HEARTBEAT ALL",
    ] {
        assert_eq!(client.ask(deaf), enabled, "{deaf}");
        assert_eq!(
            server.inject(&[failure(), fs_events::heartbeat().into()]),
            0,
            "{deaf}"
        );
    }
    // several commands add up, and the case of a plain name does not matter
    assert_eq!(client.ask("event plain CUSTOM sofia::register_failure"), enabled);
    assert_eq!(client.ask("event plain heartbeat"), enabled);
    assert_eq!(server.inject(&[failure(), fs_events::heartbeat().into()]), 2);
    assert_eq!(client.frame().text().matches("profile-name").count(), 2);
    client.frame();
    client.ask("nixevent HEARTBEAT");
    assert_eq!(server.inject(&[failure(), fs_events::heartbeat().into()]), 1);
    client.frame();
    client.ask("noevents");
    assert_eq!(server.inject(&[failure(), fs_events::heartbeat().into()]), 0);
}

#[test]
fn the_log_is_as_deaf_as_the_core() {
    let server = server();
    let mut client = Client::log_in(server.address());
    assert_eq!(client.ask("log warning"), "+OK log level warning [4]");
    assert_eq!(client.api("log WARNING anybody there?"), "+OK\n");
    assert!(client.frame().has("[WARNING] mod_commands.c:"));
    assert_eq!(client.api("log INFO anybody there?"), "+OK\n");
    server.behave(|manners| manners.core_loglevel = 0);
    assert_eq!(client.api("log WARNING anybody there?"), "+OK\n");
    let nine = "127.0.0.9".parse().unwrap();
    assert_eq!(server.inject(&[fs_events::register_acl(nine, "x").into()]), 0);
    assert!(client.hears_nothing());
}
