//! What the event socket writes: events in its three formats, log records, and the bytes around them.

use std::borrow::Cow;

use super::node::Stamp;

/// The value of a header, as bytes: what a PBX passes on was chosen by whoever called it.
type Header = (Cow<'static, str>, Vec<u8>);

/// Characters that FreeSWITCH percent-encodes although they are printable.
const UNSAFE: &[u8] = b" \"#%&+:;<=>?@[\\]^`{|}";

/// How the events of one connection are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// `Name: percent-encoded value` lines.
    #[default]
    Plain,
    /// One object, with keys as often as the event has them.
    Json,
    /// Elements with percent-encoded text.
    Xml,
}

impl Format {
    /// As it stands in commands, replies and `Content-Type`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Json => "json",
            Self::Xml => "xml",
        }
    }
}

/// Where in FreeSWITCH's source something was said: file, function, line.
pub type Origin = (&'static str, &'static str, u32);

/// One event, without what the node adds when it is fired: its Core-UUID, the time, the sequence.
#[derive(Clone, Debug)]
pub struct Event {
    name: Cow<'static, str>,
    subclass: Option<Vec<u8>>,
    lead: Vec<Header>,
    origin: Origin,
    headers: Vec<Header>,
    body: Vec<u8>,
}

impl Event {
    /// An event of the core, such as `HEARTBEAT`.
    pub fn new(name: impl Into<Cow<'static, str>>, origin: Origin) -> Self {
        Self {
            name: name.into(),
            subclass: None,
            lead: Vec::new(),
            origin,
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A `CUSTOM` event of a subclass, such as `sofia::register_failure`.
    pub fn custom(subclass: impl AsRef<[u8]>, origin: Origin) -> Self {
        Self {
            subclass: Some(subclass.as_ref().to_vec()),
            ..Self::new("CUSTOM", origin)
        }
    }

    /// Appends a header; an empty value is left out, as FreeSWITCH does.
    #[must_use]
    pub fn with(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        let value = value.as_ref();
        if !value.is_empty() {
            self.headers.push((name.into(), value.to_vec()));
        }
        self
    }

    /// Appends a header before `Event-Name`, where those of a client's `sendevent` stand.
    #[must_use]
    pub(super) fn lead(mut self, name: impl Into<Cow<'static, str>>, value: impl AsRef<[u8]>) -> Self {
        self.lead.push((name.into(), value.as_ref().to_vec()));
        self
    }

    /// Gives it a body, which follows the headers as it is.
    #[must_use]
    pub fn body(mut self, body: impl AsRef<[u8]>) -> Self {
        self.body = body.as_ref().to_vec();
        self
    }

    /// Its name, `CUSTOM` if it has a subclass.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its subclass.
    pub fn subclass(&self) -> Option<&[u8]> {
        self.subclass.as_deref()
    }

    /// The whole frame as one connection gets it.
    pub(super) fn frame(&self, format: Format, stamp: &Stamp, sequence: u64) -> Vec<u8> {
        let text = self.text(format, stamp, sequence);
        let head = format!(
            "Content-Length: {}\nContent-Type: text/event-{}\n\n",
            text.len(),
            format.name()
        );
        [head.as_bytes(), &text].concat()
    }

    fn text(&self, format: Format, stamp: &Stamp, sequence: u64) -> Vec<u8> {
        let mut text = Vec::with_capacity(1024);
        match format {
            Format::Plain => {
                self.each(stamp, sequence, |name, value| line(&mut text, name, value));
                if !self.body.is_empty() {
                    text.extend_from_slice(format!("Content-Length: {}\n", self.body.len()).as_bytes());
                }
                text.push(b'\n');
                text.extend_from_slice(&self.body);
            }
            Format::Json => {
                self.each(stamp, sequence, |name, value| member(&mut text, name, value));
                if !self.body.is_empty() {
                    member(
                        &mut text,
                        "Content-Length",
                        self.body.len().to_string().as_bytes(),
                    );
                    member(&mut text, "_body", &self.body);
                }
                text.push(b'}');
            }
            Format::Xml => {
                text.extend_from_slice(b"<event>\n  <headers>\n");
                self.each(stamp, sequence, |name, value| {
                    text.extend_from_slice(format!("    <{name}>").as_bytes());
                    encode(&mut text, value);
                    text.extend_from_slice(format!("</{name}>\n").as_bytes());
                });
                text.extend_from_slice(b"  </headers>\n");
                if !self.body.is_empty() {
                    let length = self.body.len();
                    text.extend_from_slice(
                        format!("  <Content-Length>{length}</Content-Length>\n  <body>").as_bytes(),
                    );
                    text.extend_from_slice(&self.body);
                    text.extend_from_slice(b"  </body>\n");
                }
                text.extend_from_slice(b"</event>\n");
            }
        }
        text
    }

    /// Every header in the order in which FreeSWITCH writes them.
    fn each(&self, stamp: &Stamp, sequence: u64, mut write: impl FnMut(&str, &[u8])) {
        let (file, function, line) = self.origin;
        if let Some(subclass) = &self.subclass {
            write("Event-Subclass", subclass);
        }
        for (name, value) in &self.lead {
            write(name, value);
        }
        write("Event-Name", self.name.as_bytes());
        write("Core-UUID", stamp.core_uuid.as_bytes());
        write("FreeSWITCH-Hostname", stamp.host.as_bytes());
        write("FreeSWITCH-Switchname", stamp.host.as_bytes());
        write("FreeSWITCH-IPv4", b"192.0.2.2");
        write("FreeSWITCH-IPv6", b"fd00::2");
        write("Event-Date-Local", stamp.local.as_bytes());
        write("Event-Date-GMT", stamp.gmt.as_bytes());
        write("Event-Date-Timestamp", stamp.micros.to_string().as_bytes());
        write("Event-Calling-File", file.as_bytes());
        write("Event-Calling-Function", function.as_bytes());
        write("Event-Calling-Line-Number", line.to_string().as_bytes());
        write("Event-Sequence", sequence.to_string().as_bytes());
        for (name, value) in &self.headers {
            write(name, value);
        }
    }
}

/// One record of FreeSWITCH's log, as `log LEVEL` shows it.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// 4 is WARNING; smaller is worse.
    pub level: u8,
    /// 0 for the log, 3 where a module names its own channel.
    pub channel: u8,
    /// Where it was written.
    pub origin: Origin,
    /// What was written; may hold line ends.
    pub text: Vec<u8>,
}

impl LogRecord {
    pub(super) fn frame(&self, stamp: &Stamp) -> Vec<u8> {
        let (file, function, line) = self.origin;
        let level = level_name(self.level);
        let mut record = format!(
            "{}.{:06} 46.80% [{level}] {file}:{line} ",
            stamp.local,
            stamp.fraction()
        )
        .into_bytes();
        record.extend_from_slice(&self.text);
        record.push(b'\n');
        let head = format!(
            "Content-Type: log/data\nContent-Length: {}\nLog-Level: {}\nText-Channel: {}\nLog-File: {file}\n\
             Log-Func: {function}\nLog-Line: {line}\nUser-Data: \n\n",
            record.len(),
            self.level,
            self.channel
        );
        [head.as_bytes(), &record].concat()
    }
}

/// Something that FreeSWITCH tells its listeners unasked.
#[derive(Clone, Debug)]
pub enum Block {
    /// To those who asked for it with `event`.
    Event(Event),
    /// To those who asked for it with `log`, if the core logs that much.
    Log(LogRecord),
}

impl Block {
    pub(super) fn frame(&self, format: Format, stamp: &Stamp, sequence: u64) -> Vec<u8> {
        match self {
            Self::Event(event) => event.frame(format, stamp, sequence),
            Self::Log(record) => record.frame(stamp),
        }
    }
}

impl From<Event> for Block {
    fn from(event: Event) -> Self {
        Self::Event(event)
    }
}

impl From<LogRecord> for Block {
    fn from(record: LogRecord) -> Self {
        Self::Log(record)
    }
}

/// The names of the levels of the log, by number.
pub(super) const LEVELS: [&str; 8] = [
    "CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG",
];

fn level_name(level: u8) -> &'static str {
    LEVELS.get(usize::from(level)).copied().unwrap_or("DEBUG")
}

/// The reply to a command.
pub(super) fn reply(text: &str) -> Vec<u8> {
    format!("Content-Type: command/reply\nReply-Text: {text}\n\n").into_bytes()
}

/// The reply to `api`.
pub(super) fn api_response(body: &str) -> Vec<u8> {
    format!(
        "Content-Type: api/response\nContent-Length: {}\n\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What precedes the end of a connection.
pub(super) fn notice(body: &str) -> Vec<u8> {
    format!(
        "Content-Type: text/disconnect-notice\nContent-Length: {}\n\n{body}",
        body.len()
    )
    .into_bytes()
}

/// The bodies of disconnect notices.
pub(super) const GOODBYE: &str = "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n";
pub(super) const SHUTDOWN: &str = "The system is being shut down.\n";
pub(super) const KILLED: &str = "killed listener because of lost events\n";
/// The first words of every connection.
pub(super) const GREETING: &[u8] = b"Content-Type: auth/request\n\n";
/// The first words to an address that the access list refuses.
pub(super) const REJECTION: &[u8] =
    b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n";

fn line(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    encode(text, value);
    text.push(b'\n');
}

/// Percent-encodes as FreeSWITCH does: `%` before two upper-case hexadecimal digits stays as it is.
fn encode(text: &mut Vec<u8>, value: &[u8]) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for (at, &byte) in value.iter().enumerate() {
        let encoded = byte == b'%'
            && value
                .get(at + 1..at + 3)
                .is_some_and(|pair| pair.iter().all(|digit| HEX.contains(digit)));
        if encoded || ((b' '..=b'~').contains(&byte) && !UNSAFE.contains(&byte)) {
            text.push(byte);
        } else {
            text.extend_from_slice(&[b'%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
}

fn member(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.push(if text.is_empty() { b'{' } else { b',' });
    string(text, name.as_bytes());
    text.push(b':');
    string(text, value);
}

/// A string of JSON; bytes above 127 stay as they are, whether they are UTF-8 or not.
fn string(text: &mut Vec<u8>, value: &[u8]) {
    text.push(b'"');
    for &byte in value {
        match byte {
            b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
            b'\n' => text.extend_from_slice(b"\\n"),
            b'\r' => text.extend_from_slice(b"\\r"),
            b'\t' => text.extend_from_slice(b"\\t"),
            0..32 => text.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
            _ => text.push(byte),
        }
    }
    text.push(b'"');
}
