//! What holds for any bytes at all.
#![allow(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use proptest::prelude::*;
use ringfence_seclog::freeswitch::{
    Assembler, Layout, Mapped, Record, Whole, map, map_fail2ban, map_log_data,
};

const STAMP: &str = "2026-11-21 19:34:22.269825 62.10% [WARNING]";

fn records(layout: Layout, bytes: &[u8], step: usize) -> Vec<Whole> {
    let mut assembler = Assembler::new(layout);
    let mut records = Vec::new();
    for mut piece in bytes.chunks(step.max(1)) {
        while let Some(whole) = assembler.take(&mut piece) {
            records.push(whole);
        }
    }
    records.extend(assembler.finish());
    records
}

/// The addresses that the records of a file blame.
fn blamed(layout: Layout, bytes: &[u8]) -> Vec<String> {
    let judged = records(layout, bytes, bytes.len())
        .into_iter()
        .map(|whole| whole.map(0));
    judged
        .filter_map(|mapped| match mapped {
            Mapped::Said(said) => Some(said.event.peer.addr().to_string()),
            Mapped::Other | Mapped::Doubtful => None,
        })
        .collect()
}

/// Pieces of what an attacker would write, 198.51.100.9 being whom he wants to be blamed.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => Just(b"] from ip 198.51.100.9".to_vec()),
        2 => Just(b"@a.example".to_vec()),
        2 => Just(b"1000".to_vec()),
        2 => Just(format!("{STAMP} sofia_reg.c:1787 ").into_bytes()),
        2 => Just(b"SIP auth failure (REGISTER) on sofia profile 'internal' for [1000@a.example] from ip 198.51.100.9".to_vec()),
        1 => Just(b"IP 198.51.100.9 Rejected by acl \"x\"".to_vec()),
        1 => Just(b"6561abb9-f137-4288-87ae-4f8e80cd505b ".to_vec()),
        1 => Just(b"\x1b[35m".to_vec()),
        1 => Just(b"] ip[198.51.100.9] at[2026-11-21T19:34:22.269825+0000]".to_vec()),
        1 => Just(b"A registration failed user[1".to_vec()),
        1 => Just(b"You must define a domain called '".to_vec()),
        1 => Just(b"sofia/x/1 Remote SDP:".to_vec()),
        1 => Just(b" ".to_vec()),
        2 => proptest::collection::vec(any::<u8>(), 0..20),
    ]
}

/// What a peer can get into a header: no line begins without a space or tab.
fn header() -> impl Strategy<Value = Vec<u8>> {
    let between = prop_oneof![3 => Just(""), 2 => Just("\r\n "), 1 => Just("\n\t"), 1 => Just(" ")];
    let folded = |(piece, between): (Vec<u8>, &str)| {
        let piece: Vec<u8> = piece.into_iter().filter(|byte| !b"\n\0".contains(byte)).collect();
        [piece.as_slice(), between.as_bytes()].concat()
    };
    proptest::collection::vec((piece(), between).prop_map(folded), 0..12).prop_map(|pieces| pieces.concat())
}

/// What a peer can get into a body: anything.
fn body() -> impl Strategy<Value = Vec<u8>> {
    let between = prop_oneof![2 => Just(""), 3 => Just("\n")];
    let joined = |(piece, between): (Vec<u8>, &str)| [piece.as_slice(), between.as_bytes()].concat();
    proptest::collection::vec((piece(), between).prop_map(joined), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic_and_no_cut_changes_a_record(bytes in body(), step in 1_usize..200) {
        for layout in [Layout::Log, Layout::Fail2ban] {
            let whole = records(layout, &bytes, bytes.len());
            for record in &whole {
                let _ = record.map(3600);
            }
            prop_assert_eq!(&records(layout, &bytes, step), &whole);
        }
        let _ = Record::read(&bytes).and_then(|record| map(&record, None));
        let _ = map_fail2ban(&bytes);
        for file in ["sofia_reg.c", "sofia.c", "mod_event_socket.c", "mod_verto.c", "x.c"] {
            let _ = map_log_data(file.as_bytes(), b"f", &bytes);
        }
    }

    #[test]
    fn no_name_blames_another_address(user in header(), invite in any::<bool>()) {
        let method = if invite { "INVITE" } else { "REGISTER" };
        let record = [
            format!("{STAMP} sofia_reg.c:1787 SIP auth failure ({method}) on sofia profile 'internal' for [").as_bytes(),
            &user,
            b"@a.example] from ip 192.0.2.1\n",
        ]
        .concat();
        let said = map_log_data(b"sofia_reg.c", b"sofia_reg_handle_register_token", &record);
        prop_assert_eq!(said.unwrap().event.peer.addr().to_string(), "192.0.2.1");
        // In a file, an honest record before and behind it changes nothing.
        let next = format!("{STAMP} sofia.c:1 IP 192.0.2.2 Rejected by acl \"x\"\n");
        let file = [next.as_bytes(), &record, next.as_bytes()].concat();
        prop_assert_eq!(blamed(Layout::Log, &file), ["192.0.2.2", "192.0.2.1", "192.0.2.2"]);
    }

    #[test]
    fn no_name_blames_another_address_in_the_file_of_mod_fail2ban(user in header()) {
        let record = [
            b"A registration failed user[".as_slice(),
            &user,
            b"] ip[192.0.2.1] at[2026-11-21T19:34:22.269825+0000]\n",
        ]
        .concat();
        prop_assert_eq!(blamed(Layout::Fail2ban, &record.repeat(2)), ["192.0.2.1", "192.0.2.1"]);
    }

    #[test]
    fn no_message_that_is_printed_line_by_line_blames_anybody(body in body()) {
        let before = format!("{STAMP} sofia_presence.c:272 Chat proto [sip]\nfrom [<sip:1000@a.example>]\nto [1001@a.example]\n");
        let file = [before.as_bytes(), &body, b"\nNobody to send to: Profile internal\n"].concat();
        prop_assert_eq!(blamed(Layout::Log, &file), Vec::<String>::new());
    }

    #[test]
    fn no_session_description_blames_anybody(body in body()) {
        let before = format!("{STAMP} sofia.c:7000 sofia/external/1@a.example Remote SDP:\n");
        let file = [before.as_bytes(), &body, b"\n"].concat();
        prop_assert_eq!(blamed(Layout::Log, &file), Vec::<String>::new());
    }

    #[test]
    fn no_name_of_lines_blames_another_address(user in body()) {
        // No SIP parser lets a line begin so; should one do it, the victim is still safe, but for a line that begins with the
        // uuid of a call, which ends the record.
        let of_a_call = |line: &[u8]| {
            let hex = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
            line.iter().position(|byte| !hex(byte)) == Some(36)
        };
        prop_assume!(!user.split(|byte| *byte == b'\n').any(of_a_call));
        let record = [
            format!("{STAMP} sofia_reg.c:1787 SIP auth failure (REGISTER) on sofia profile 'internal' for [").as_bytes(),
            b"x\n",
            &user,
            b"@a.example] from ip 192.0.2.1\n",
        ]
        .concat();
        let blamed = blamed(Layout::Log, &record);
        prop_assert!(!blamed.contains(&"198.51.100.9".to_owned()), "{:?}", blamed);
    }
}
