//! A small client of the event socket, and what makes two streams of one comparable.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

pub(crate) const PASSWORD: &str = "ClueCon";

/// The narrow subscription of the recordings.
pub(crate) const NARROW: &str = "event plain CUSTOM sofia::pre_register sofia::register_attempt \
    sofia::register_failure sofia::register sofia::wrong_call_state verto::login";

/// One frame, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) raw: Vec<u8>,
    head: usize,
}

impl Frame {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.raw).into_owned()
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.raw[self.head..]
    }

    pub(crate) fn has(&self, needle: &str) -> bool {
        self.text().contains(needle)
    }
}

/// Takes the first whole frame off `bytes`.
pub(crate) fn split(bytes: &mut Vec<u8>) -> Option<Frame> {
    let head = bytes.windows(2).position(|pair| pair == b"\n\n")? + 2;
    let text = String::from_utf8_lossy(&bytes[..head]);
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .map_or(0, |length| length.parse().unwrap());
    (bytes.len() >= head + length).then(|| Frame {
        raw: bytes.drain(..head + length).collect(),
        head,
    })
}

/// Every frame of a recording.
pub(crate) fn frames(mut bytes: Vec<u8>) -> Vec<Frame> {
    let frames = std::iter::from_fn(|| split(&mut bytes)).collect();
    assert_eq!(String::from_utf8_lossy(&bytes), "", "bytes after the last frame");
    frames
}

/// A file beside these tests, or a recording of the whole project.
pub(crate) fn recording(name: &str) -> Vec<u8> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = here.join("tests/freeswitch").join(name);
    let all = here.join("../captures/freeswitch").join(name);
    fs::read(&own)
        .or_else(|_| fs::read(&all))
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    bytes: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(to: SocketAddr) -> Self {
        let stream = TcpStream::connect(to).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self {
            stream,
            bytes: Vec::new(),
        }
    }

    /// Connects and logs in with the password.
    pub(crate) fn log_in(to: SocketAddr) -> Self {
        let mut client = Self::connect(to);
        assert_eq!(client.frame().text(), "Content-Type: auth/request\n\n");
        assert_eq!(client.ask(&format!("auth {PASSWORD}")), "+OK accepted");
        client
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends a command; the text of the reply, which must be the next frame.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        self.send(format!("{command}\n\n").as_bytes());
        let reply = self.frame().text();
        let text = reply
            .strip_prefix("Content-Type: command/reply\nReply-Text: ")
            .unwrap_or_else(|| panic!("no reply: {reply}"));
        text.strip_suffix("\n\n").unwrap().to_owned()
    }

    /// Runs an API command; its body.
    pub(crate) fn api(&mut self, command: &str) -> String {
        self.send(format!("api {command}\n\n").as_bytes());
        let frame = self.frame();
        assert!(
            frame.has("Content-Type: api/response\nContent-Length: "),
            "{}",
            frame.text()
        );
        String::from_utf8(frame.body().to_vec()).unwrap()
    }

    pub(crate) fn frame(&mut self) -> Frame {
        self.try_frame().expect("a frame, not the end")
    }

    /// The next frame, or nothing at the end.
    pub(crate) fn try_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = split(&mut self.bytes) {
                return Some(frame);
            }
            if !self.read() {
                return None;
            }
        }
    }

    /// Everything until the end, what was not taken as a frame yet included.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.read() {}
        std::mem::take(&mut self.bytes)
    }

    fn read(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.bytes.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("waiting for the event socket: {error}"),
        }
    }

    /// Whether nothing comes for a moment.
    pub(crate) fn hears_nothing(&mut self) -> bool {
        self.stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .unwrap();
        let mut buffer = [0; 1024];
        let read = self.stream.read(&mut buffer);
        self.stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        matches!(read, Err(error) if error.kind() == ErrorKind::WouldBlock)
    }
}

/// Replaces what differs from run to run: UUIDs, times, sequences, and the length of an event that holds them.
pub(crate) fn mask(bytes: &[u8]) -> String {
    const VARYING: [&str; 4] = [
        "Event-Date-Local",
        "Event-Date-GMT",
        "Event-Date-Timestamp",
        "Event-Sequence",
    ];
    // one character a byte, so that nothing is lost
    let mut text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
    for name in VARYING {
        for (before, after) in [(": ", "\n"), ("\":\"", "\""), (">", "<")] {
            text = replace_values(&text, &format!("{name}{before}"), after);
        }
    }
    let lines: Vec<String> = text.split_inclusive('\n').map(mask_line).collect();
    let mut masked = lines.concat();
    for format in ["plain", "json", "xml"] {
        masked = mask_length(&masked, &format!("\nContent-Type: text/event-{format}\n"));
    }
    masked
}

fn replace_values(text: &str, key: &str, after: &str) -> String {
    let mut parts = text.split(key);
    let mut masked = parts.next().unwrap().to_owned();
    for part in parts {
        masked.push_str(key);
        let end = part.find(after).unwrap();
        masked.push('*');
        masked.push_str(&part[end..]);
    }
    masked
}

/// The length before an event's type.
fn mask_length(text: &str, kind: &str) -> String {
    let parts: Vec<&str> = text.split(kind).collect();
    let last = parts.len() - 1;
    let masked: Vec<&str> = parts
        .iter()
        .enumerate()
        .map(|(at, part)| {
            if at == last {
                part
            } else {
                part.trim_end_matches(|byte: char| byte.is_ascii_digit())
            }
        })
        .collect();
    masked.join(kind)
}

/// UUIDs, and the time before a log record.
fn mask_line(line: &str) -> String {
    let mut line = line.to_owned();
    let mut at = 0;
    while at + 36 <= line.len() {
        if line.get(at..at + 36).is_some_and(is_uuid) {
            line.replace_range(at..at + 36, "UUID");
        }
        at += 1;
    }
    match line.split_once("% [") {
        Some((time, rest)) if time.starts_with("20") => format!("% [{rest}"),
        _ => line,
    }
}

fn is_uuid(text: &str) -> bool {
    text.bytes().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    })
}
