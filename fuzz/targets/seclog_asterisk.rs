//! Asterisk's logs with anything in them: whole files, cut anywhere; a peer's words in each place of a true record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ringfence_seclog::asterisk::{Assembler, Mapped, Told, looks_like};
use ringfence_seclog::time::Clock;

const STAMP: &str = "[2026-11-21 19:34:22.269]";
const TRUE: &str = "192.0.2.1";

fuzz_target!(|input: &[u8]| {
    let Some((&choice, bytes)) = input.split_first() else {
        return;
    };
    match choice % 8 {
        0 => any_file(choice, bytes),
        1 => in_header(
            bytes,
            "NOTICE[1] chan_sip.c: Registration from '",
            "' failed for '192.0.2.1:5060' - Wrong password",
        ),
        2 => in_header(
            bytes,
            "NOTICE[1] pjsip_distributor.c: Request 'REGISTER' from '",
            "' failed for '192.0.2.1:5060' (callid: x) - Failed to authenticate",
        ),
        3 => in_header(
            bytes,
            "NOTICE[1] pjsip_distributor.c: Request 'REGISTER' from 'x' failed for '192.0.2.1:5060' (callid: ",
            ") - Failed to authenticate",
        ),
        4 => anywhere(
            bytes,
            200,
            "NOTICE[1] chan_iax2.c: No registration for peer '",
            "' (from 192.0.2.1)",
        ),
        5 => anywhere(
            bytes,
            4000,
            "NOTICE[1] manager.c: 192.0.2.1 failed to authenticate as '",
            "'",
        ),
        6 => anywhere(
            bytes,
            36,
            "SECURITY[1] res_security_log.c: SecurityEvent=\"InvalidAccountID\",EventTV=\"2026-11-21T19:34:22.269+0000\",Severity=\"Error\",Service=\"PJSIP\",EventVersion=\"1\",AccountID=\"",
            "\",SessionID=\"x\",LocalAddress=\"IPV4/UDP/192.0.2.22/5060\",RemoteAddress=\"IPV4/UDP/192.0.2.1/5060\"",
        ),
        _ => anywhere(
            bytes,
            4000,
            "ERROR[1] pjproject: sip_endpoint.c Error processing packet from 192.0.2.1:5060: Missing required header(s) (PJSIP_EMISSINGHDR) Call-ID [code 171050]:\nREGISTER sip:h SIP/2.0\r\n",
            "\r\n\n-- end of packet.",
        ),
    }
});

fn any_file(choice: u8, bytes: &[u8]) {
    let whole = told(bytes, bytes.len().max(1));
    let pieces = told(bytes, usize::from(choice) + 1);
    assert_eq!(whole, pieces, "the records depend on how the file was cut");
    let _ = format!("{whole:?} {}", looks_like(bytes));
}

/// A header of SIP holds neither line breaks nor NUL.
fn in_header(bytes: &[u8], before: &str, after: &str) {
    let header: Vec<_> = bytes
        .iter()
        .copied()
        .filter(|byte| !b"\r\n\0".contains(byte))
        .collect();
    anywhere(&header, 4000, before, after);
}

fn anywhere(bytes: &[u8], most: usize, before: &str, after: &str) {
    let bytes = &bytes[..bytes.len().min(most)];
    let file = [
        STAMP.as_bytes(),
        b" ",
        before.as_bytes(),
        bytes,
        after.as_bytes(),
        b"\n",
    ]
    .concat();
    for record in told(&file, file.len()) {
        if let Mapped::Said(said) = record.mapped {
            assert_eq!(
                said.event.peer.addr().to_string(),
                TRUE,
                "{}",
                String::from_utf8_lossy(&file)
            );
        }
    }
}

fn told(bytes: &[u8], step: usize) -> Vec<Told> {
    let (mut assembler, clock) = (Assembler::new(), Clock::default());
    let mut records = Vec::new();
    for mut piece in bytes.chunks(step) {
        while let Some(record) = assembler.take(&mut piece, &clock) {
            records.push(record);
        }
    }
    while let Some(record) = assembler.finish() {
        records.push(record);
    }
    records
}
