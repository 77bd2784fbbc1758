//! Cuts recordings into blocks and puts an act's own address in the place of the recorded one.

/// What the recorded Asterisks saw as the attacker's addresses.
const AMI_RECORDED: [&str; 2] = ["192.0.2.101", "192.0.2.110"];
/// The same for the recorded FreeSWITCH.
const ESL_RECORDED: [&str; 2] = ["127.0.0.2", "127.0.0.9"];

/// What one FreeSWITCH sent to two clients in one scenario.
#[derive(Debug)]
pub struct Taken {
    /// To the one that asked for events.
    pub events: &'static [u8],
    /// To the one that asked for the log.
    pub log: &'static [u8],
}

/// What a manager session got after its own login, event by event.
pub fn ami(recording: &[u8], address: &str) -> Vec<Vec<u8>> {
    let mut blocks = Vec::new();
    let mut rest = recording;
    while let Some(end) = memchr::memmem::find(rest, b"\r\n\r\n") {
        let (block, behind) = rest.split_at(end + 4);
        rest = behind;
        if !is_the_managers_own(block) {
            blocks.push(readdressed(block, &AMI_RECORDED, address));
        }
    }
    blocks
}

/// The banner with the answer to the login, the recorder's own login event, its Logoff's answer, and what the recording
/// laboratory did to itself.
fn is_the_managers_own(block: &[u8]) -> bool {
    memchr::memmem::find(block, b"AccountID: ringfence\r\n").is_some()
        || memchr::memmem::find(block, b"/127.0.0.1/").is_some()
        || block.starts_with(b"Response: ")
        || block.starts_with(b"Asterisk Call Manager/")
}

/// What one client of the event socket gets that asked for both: a record of the log and an event in turn, frame by frame.
pub fn esl(taken: &Taken, address: &str) -> Vec<Vec<u8>> {
    let mut events = frames(taken.events, address).into_iter();
    let mut records = frames(taken.log, address).into_iter();
    let mut merged = Vec::new();
    loop {
        let turn = [records.next(), events.next()];
        if turn.iter().all(Option::is_none) {
            return merged;
        }
        merged.extend(turn.into_iter().flatten());
    }
}

/// Events and records; answers to the recorder's own commands have no body, and its farewell is left out.
fn frames(recording: &[u8], address: &str) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = recording;
    while let Some(end) = memchr::memmem::find(rest, b"\n\n") {
        let (head, behind) = rest.split_at(end + 1);
        let head = String::from_utf8_lossy(head);
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("Content-Length: ")?.parse().ok());
        let (body, behind) = behind
            .get(1..)
            .unwrap_or_default()
            .split_at_checked(length.unwrap_or(0))
            .unwrap_or_default();
        rest = behind;
        if head.contains("Content-Type: text/event-plain\n") || head.contains("Content-Type: log/data\n") {
            let body = readdressed(body, &ESL_RECORDED, address);
            frames.push(framed(&head, &body));
        }
    }
    frames
}

fn framed(head: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(head.len() + body.len() + 4);
    for line in head.lines() {
        if line.starts_with("Content-Length: ") {
            frame.extend(format!("Content-Length: {}", body.len()).bytes());
        } else {
            frame.extend(line.bytes());
        }
        frame.push(b'\n');
    }
    frame.push(b'\n');
    frame.extend(body);
    frame
}

fn readdressed(block: &[u8], recorded: &[&str], address: &str) -> Vec<u8> {
    let mut block = block.to_vec();
    for recorded in recorded {
        let mut from = 0;
        while let Some(at) = block
            .get(from..)
            .and_then(|rest| memchr::memmem::find(rest, recorded.as_bytes()))
        {
            let start = from + at;
            block.splice(start..start + recorded.len(), address.bytes());
            from = start + address.len();
        }
    }
    block
}
