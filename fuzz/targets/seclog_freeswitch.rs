//! FreeSWITCH's logs with anything in them: whole files, cut anywhere; one name in a true record; one message printed raw.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_seclog::freeswitch::{Assembler, Layout, Mapped, Record, Whole, map, map_log_data};

const STAMP: &str = "2026-11-21 19:34:22.269825 62.10% [WARNING]";

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    match choice % 5 {
        0 => any_file(Layout::Log, choice, bytes),
        1 => any_file(Layout::Fail2ban, choice, bytes),
        2 => name_in_log(bytes),
        3 => name_in_fail2ban(bytes),
        _ => message(bytes),
    }
});

fn any_file(layout: Layout, choice: u8, bytes: &[u8]) {
    let whole = records(layout, bytes, bytes.len().max(1));
    let pieces = records(layout, bytes, usize::from(choice) + 1);
    assert_eq!(whole, pieces, "the records depend on how the file was cut");
    for record in &whole {
        let _ = format!("{:?}", record.map(-3600));
    }
    for file in ["sofia_reg.c", "sofia.c", "mod_event_socket.c", "mod_verto.c"] {
        let _ = map_log_data(file.as_bytes(), b"f", bytes);
    }
    let _ = Record::read(bytes).and_then(|record| map(&record, None));
}

/// A header goes on in the next line only behind a space or tab, and holds no NUL.
fn folded(bytes: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    for byte in bytes.iter().filter(|byte| **byte != 0) {
        header.push(*byte);
        if *byte == b'\n' {
            header.push(b' ');
        }
    }
    // what would be cut blames nobody at all
    header.truncate(60_000);
    header
}

fn name_in_log(name: &[u8]) {
    let before = format!("{STAMP} sofia_reg.c:1787 SIP auth failure (REGISTER) on sofia profile 'p' for [");
    let record = [
        before.as_bytes(),
        &folded(name),
        b"@a.example] from ip 192.0.2.1\n",
    ]
    .concat();
    let said = map_log_data(b"sofia_reg.c", b"f", &record).expect("a true record is read");
    assert_eq!(said.event.peer.addr().to_string(), "192.0.2.1");
    assert_eq!(blamed(Layout::Log, &record), ["192.0.2.1"]);
}

fn name_in_fail2ban(name: &[u8]) {
    let end = b"] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000]\n";
    let record = [b"A registration failed user[".as_slice(), &folded(name), end].concat();
    assert_eq!(blamed(Layout::Fail2ban, &record), ["192.0.2.1"]);
}

fn message(body: &[u8]) {
    let chat = format!("{STAMP} sofia_presence.c:272 Chat proto [sip]\nfrom [x]\nto [y]\n");
    let described = format!("{STAMP} sofia.c:7000 sofia/external/1@a.example Remote SDP:\n");
    for before in [chat, described] {
        let file = [before.as_bytes(), body, b"\nNobody to send to: Profile p\n"].concat();
        assert!(blamed(Layout::Log, &file).is_empty());
    }
}

fn records(layout: Layout, bytes: &[u8], length: usize) -> Vec<Whole> {
    let mut assembler = Assembler::new(layout);
    let mut records = Vec::new();
    for mut piece in bytes.chunks(length) {
        while let Some(whole) = assembler.take(&mut piece) {
            records.push(whole);
        }
    }
    records.extend(assembler.finish());
    records
}

fn blamed(layout: Layout, bytes: &[u8]) -> Vec<String> {
    let mut blamed = Vec::new();
    for record in records(layout, bytes, bytes.len().max(1)) {
        if let Mapped::Said(said) = record.map(0) {
            blamed.push(said.event.peer.addr().to_string());
        }
    }
    blamed
}
