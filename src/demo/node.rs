//! The demonstration's FreeSWITCH: an event socket that lets one client in and then says what it is told to say.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::session::{Session, field};

/// The event socket's password.
pub const PASSWORD: &str = "demonstration";

/// A listening FreeSWITCH.
#[derive(Debug)]
pub struct Freeswitch {
    listener: TcpListener,
}

/// A client of the event socket.
#[derive(Debug)]
pub struct Client {
    session: Session,
    logged_in: bool,
    /// What it asked for, and so what reaches it.
    probes: Stream,
    log: Stream,
    sequence: u32,
}

/// What a client did about one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Silent,
    Subscribed,
    Proven,
}

impl Freeswitch {
    /// Listens on a free port of the loopback address.
    pub async fn listen() -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(("127.0.0.1", 0)).await?,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Waits for a client that logs in and has seen a probe of its own in the events and in the log.
    pub async fn admit(&self) -> io::Result<Client> {
        let (session, _) = Session::accept(&self.listener, b"\n\n").await?;
        let mut client = Client {
            session,
            logged_in: false,
            probes: Stream::Silent,
            log: Stream::Silent,
            sequence: 0,
        };
        client.say(b"Content-Type: auth/request\n\n").await?;
        while (client.probes, client.log) != (Stream::Proven, Stream::Proven) {
            let command = client.session.asked().await?;
            client.answer(&command).await?;
        }
        Ok(client)
    }
}

impl Client {
    /// Sends bytes as they are.
    pub async fn say(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.session.say(bytes).await
    }

    /// Answers what the client asks, a probe for the most part, until `done`.
    pub async fn attend(&mut self, done: impl Future<Output = ()>) -> io::Result<()> {
        tokio::pin!(done);
        loop {
            let command = tokio::select! {
                () = &mut done => return Ok(()),
                command = self.session.asked() => command?,
            };
            self.answer(&command).await?;
        }
    }

    async fn answer(&mut self, command: &str) -> io::Result<()> {
        let line = command.lines().next().unwrap_or_default();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "auth" if rest == PASSWORD => {
                self.logged_in = true;
                self.reply("+OK accepted").await
            }
            "auth" => self.reply("-ERR invalid").await,
            "event" if self.logged_in => {
                if rest.contains("ringfence::probe") && self.probes == Stream::Silent {
                    self.probes = Stream::Subscribed;
                }
                self.reply("+OK event listener enabled plain").await
            }
            "log" if self.logged_in && rest == "warning" => {
                if self.log == Stream::Silent {
                    self.log = Stream::Subscribed;
                }
                self.reply("+OK log level warning [4]").await
            }
            "api" if self.logged_in => self.api(rest).await,
            "sendevent" if self.logged_in && rest == "CUSTOM" => {
                let nonce = field(command, "ringfence-nonce");
                self.fire_probe(field(command, "Event-Subclass"), nonce).await
            }
            _ => self.reply("-ERR command not found").await,
        }
    }

    async fn api(&mut self, command: &str) -> io::Result<()> {
        let Some(text) = command.strip_prefix("log warning ") else {
            let answer = match command {
                "version" => "FreeSWITCH Version 1.11.3-dev~64bit ( 64bit)\n",
                _ => "-ERR no reply\n",
            };
            return self.frame("api/response", "", answer).await;
        };
        if self.log != Stream::Silent {
            let more = "Log-Level: 4\nText-Channel: 0\nLog-File: mod_commands.c\nLog-Func: log_function\nLog-Line: 1200\n\
                        User-Data: \n";
            let record = format!("2026-11-21 19:34:22.269825 62.10% [WARNING] mod_commands.c:1200 {text}\n");
            self.frame("log/data", more, &record).await?;
            self.log = Stream::Proven;
        }
        self.frame("api/response", "", "+OK\n").await
    }

    /// Answers a `sendevent` and gives the event back as FreeSWITCH does, with its own headers behind the client's.
    async fn fire_probe(&mut self, subclass: &str, nonce: &str) -> io::Result<()> {
        self.sequence += 1;
        let id = format!("f06fe6f5-8170-42f6-91fa-{:012x}", self.sequence);
        self.reply(&format!("+OK {id}")).await?;
        if subclass != "ringfence::probe" || self.probes == Stream::Silent {
            return Ok(());
        }
        let event = format!(
            "Event-Subclass: ringfence%3A%3Aprobe\nCommand: sendevent%20CUSTOM\nringfence-nonce: {nonce}\n\
             Event-UUID: {id}\nEvent-Name: CUSTOM\nCore-UUID: 9e1195c0-ab9a-4e32-a88d-9ad7d7686e68\n\
             FreeSWITCH-Hostname: vm\nFreeSWITCH-Switchname: vm\nFreeSWITCH-IPv4: 192.0.2.2\n\
             FreeSWITCH-IPv6: fd00%3A%3A2\nEvent-Date-Local: 2026-11-21%2019%3A34%3A22\n\
             Event-Date-GMT: Sat,%2021%20Nov%202026%2019%3A34%3A22%20GMT\nEvent-Date-Timestamp: 1795289662269825\n\
             Event-Calling-File: mod_event_socket.c\nEvent-Calling-Function: parse_command\n\
             Event-Calling-Line-Number: 2283\nEvent-Sequence: {}\n\n",
            self.sequence
        );
        let frame = format!(
            "Content-Length: {}\nContent-Type: text/event-plain\n\n{event}",
            event.len()
        );
        self.say(frame.as_bytes()).await?;
        self.probes = Stream::Proven;
        Ok(())
    }

    async fn reply(&mut self, text: &str) -> io::Result<()> {
        self.say(format!("Content-Type: command/reply\nReply-Text: {text}\n\n").as_bytes())
            .await
    }

    async fn frame(&mut self, kind: &str, more: &str, body: &str) -> io::Result<()> {
        let length = body.len();
        self.say(format!("Content-Type: {kind}\nContent-Length: {length}\n{more}\n{body}").as_bytes())
            .await
    }
}
