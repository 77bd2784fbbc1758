//! One connection to an event socket: a reader that does nothing but read, and a writer of its own.
//!
//! FreeSWITCH freezes while a client does not take its events, so that nothing the reader does may ever wait: commands are
//! handed to a task that writes them, and events to a queue that drops the oldest.

use std::time::Duration;

use bytes::BytesMut;
use ringfence_esl::{Command, EslCodec, EslError, Frame, FramingError, LoginError};
use ringfence_event::Text;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::codec::Decoder;

use super::problem::{refused_login, unreachable};
use super::settings::EslSettings;
use crate::source::reach::reach;
use crate::source::{End, WRITE};

/// Establishing a connection takes no longer than this, name look-up included.
const PATIENCE: Duration = Duration::from_secs(5);
/// What one read takes at most.
const READ: usize = 64 * 1024;
/// Commands that may wait for FreeSWITCH to take them: a handful at the start, then one now and then.
const COMMANDS: usize = 32;

/// An open connection.
#[derive(Debug)]
pub struct Wire {
    reader: OwnedReadHalf,
    codec: EslCodec,
    buffer: BytesMut,
    commands: mpsc::Sender<Command>,
    writer: JoinHandle<()>,
    /// The first bytes that were read.
    first: Option<Text>,
    greeted: bool,
}

impl Wire {
    /// Connects.
    pub async fn open(settings: &EslSettings) -> Result<Self, End> {
        let reached = tokio::time::timeout(PATIENCE, reach(&settings.host, settings.port, unreachable()));
        let (stream, _) = match reached.await {
            Ok(Ok(reached)) => reached,
            Ok(Err(error)) => return Err(End::Away(error.to_string())),
            Err(_) => {
                return Err(End::Away(format!(
                    "no connection to {}:{} within {} s",
                    settings.host,
                    settings.port,
                    PATIENCE.as_secs()
                )));
            }
        };
        let (reader, writer) = stream.into_split();
        let (commands, waiting) = mpsc::channel(COMMANDS);
        Ok(Self {
            reader,
            codec: EslCodec::new(),
            buffer: BytesMut::with_capacity(READ),
            commands,
            writer: tokio::spawn(write(writer, waiting)),
            first: None,
            greeted: false,
        })
    }

    /// Reads once and shows every complete frame to `each`. Safe to drop while it waits: nothing is lost.
    pub async fn read(&mut self, mut each: impl FnMut(&Frame<'_>) -> Result<(), End>) -> Result<(), End> {
        self.buffer.reserve(READ);
        let count = self
            .reader
            .read_buf(&mut self.buffer)
            .await
            .map_err(|error| broken(&error))?;
        if count > 0 && self.first.is_none() {
            self.first = Some(Text::new(&self.buffer));
        }
        loop {
            let block = if count == 0 {
                self.codec.decode_eof(&mut self.buffer)
            } else {
                self.codec.decode(&mut self.buffer)
            };
            match block {
                Ok(Some(block)) => {
                    each(&block.frame())?;
                    self.greeted = true;
                }
                Ok(None) if count == 0 => return Err(self.closed()),
                Ok(None) => return Ok(()),
                Err(EslError::Io(error)) => return Err(broken(&error)),
                Err(EslError::Framing(error)) => return Err(self.unreadable(&error)),
            }
        }
    }

    /// Hands a command to the writer; never waits.
    pub fn send(&self, command: Command) -> Result<(), End> {
        self.commands
            .try_send(command)
            .map_err(|_| End::Away("FreeSWITCH takes no more commands: the connection hangs".into()))
    }

    /// Says goodbye; whatever goes wrong now does not matter any more.
    pub async fn leave(mut self) {
        let _ = self.send(Command::exit());
        let (gone, _) = mpsc::channel(1);
        self.commands = gone;
        let _ = tokio::time::timeout(WRITE, &mut self.writer).await;
    }

    fn closed(&self) -> End {
        if self.greeted {
            End::Away("FreeSWITCH closed the connection".into())
        } else {
            End::Away(
                "whoever listens there closed the connection without a word: is FreeSWITCH still starting?"
                    .into(),
            )
        }
    }

    /// What can't be read is never guessed at: on a new connection it is another kind of server, later FreeSWITCH itself has
    /// cut a frame short.
    ///
    /// What stood there is not shown after the greeting: it may be the password that a server sends back.
    fn unreadable(&self, error: &FramingError) -> End {
        let greeting = self.first.unwrap_or(Text::EMPTY);
        let cut_short = *error == FramingError::Truncated && is_header(greeting.as_bytes());
        if self.greeted || cut_short {
            return End::Away(match error {
                FramingError::NotAHeader { .. } | FramingError::Length { .. } => {
                    "the connection is given up: what came is no frame of the event socket".into()
                }
                _ => format!("the connection is given up: {error}"),
            });
        }
        let other = LoginError::from_greeting(error).unwrap_or(LoginError::NotEsl {
            what: "something else",
            greeting,
        });
        refused_login(&other, None)
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.writer.abort();
    }
}

/// Writes commands one after the other; gives up when FreeSWITCH takes none for long. The reader notices by itself that
/// nothing is answered any more.
async fn write(mut half: OwnedWriteHalf, mut commands: mpsc::Receiver<Command>) {
    while let Some(command) = commands.recv().await {
        let written = tokio::time::timeout(WRITE, half.write_all(command.as_ref())).await;
        if !matches!(written, Ok(Ok(()))) {
            return;
        }
    }
}

/// Whether a server's first words may be those of an event socket.
fn is_header(words: &[u8]) -> bool {
    let header = b"Content-";
    words.starts_with(header) || header.starts_with(words)
}

fn broken(error: &std::io::Error) -> End {
    End::Away(format!("the connection broke: {error}"))
}

#[cfg(test)]
mod tests {
    use ringfence_event::Span;
    use tokio::net::TcpListener;

    use super::*;

    /// What the admin is told of a server that greets like FreeSWITCH and then says `words` around what it was sent.
    async fn told_of(words: [&str; 2]) -> String {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let settings = EslSettings {
            name: "fs1".into(),
            host: "127.0.0.1".into(),
            port: listener.local_addr().unwrap().port(),
            user: None,
            password: "s3cret-and-long".to_owned().into(),
            log: true,
            probe: Span::from_secs(10),
        };
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"Content-Type: auth/request\n\n").await.unwrap();
            let mut sent = [0; 64];
            let count = stream.read(&mut sent).await.unwrap();
            let sent = String::from_utf8_lossy(&sent[..count]).into_owned();
            let said = format!("{}{}{}\n\n", words[0], sent.trim_end(), words[1]);
            stream.write_all(said.as_bytes()).await.unwrap();
            stream
        };
        let (checked, _stream) = tokio::join!(super::super::check(&settings), server);
        checked.unwrap_err()
    }

    #[tokio::test]
    async fn a_server_that_sends_back_what_it_got_does_not_get_the_password_shown() {
        for words in [
            ["", ""],
            ["Content-Length: ", ""],
            ["Content-Type: command/reply\nReply-Text: -ERR ", ""],
            ["Content-Type: command/reply\nReply-Text: -ERR ", " is wrong"],
        ] {
            let told = told_of(words).await;
            assert!(!told.contains("s3c"), "{told}");
            assert!(
                told.contains("FreeSWITCH") || told.contains("event socket"),
                "{told}"
            );
        }
    }
}
