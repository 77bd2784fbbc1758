//! Logs in to the event socket and subscribes: from the first frame to the first event.

use std::collections::VecDeque;
use std::fmt;

use ringfence_event::Text;
use thiserror::Error;

use crate::command::{Command, Stream};
use crate::frame::{Frame, Kind};
use crate::head::FramingError;

/// Stands for what must not be shown.
const HIDDEN: &[u8] = b"(not shown: it repeats the password)";

/// Who logs in, and with which password. Never shows the password.
#[derive(Clone)]
pub struct Credentials {
    user: Option<String>,
    password: String,
}

impl Credentials {
    /// The password of event_socket.conf.xml: may do everything.
    pub fn password(password: impl Into<String>) -> Self {
        Self {
            user: None,
            password: password.into(),
        }
    }

    /// A user of the directory as `user@domain`: may do what `esl-allowed-events` and `esl-allowed-api` say.
    pub fn user(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            user: Some(user.into()),
            password: password.into(),
        }
    }

    fn command(&self) -> Result<Command, LoginError> {
        let user = self.user.as_deref().unwrap_or_default();
        let unsendable = |text: &str| text.bytes().any(|byte| byte < b' ' || byte == 0x7f);
        if self.password.is_empty() || unsendable(&self.password) {
            return Err(LoginError::Password);
        }
        if self.user.is_some() && (unsendable(user) || user.contains([' ', ':']) || !user.contains('@')) {
            return Err(LoginError::User {
                user: Text::from(user),
            });
        }
        Ok(match &self.user {
            None => Command::new(&format!("auth {}", self.password)),
            Some(user) => Command::new(&format!("userauth {user}:{}", self.password)),
        })
    }

    /// What the server said, unless it repeats the password. Looked at before it is shortened, so that no part of one is left.
    fn without_password(&self, said: &[u8]) -> Text {
        let repeated = memchr::memmem::find(said, self.password.as_bytes()).is_some();
        Text::new(if repeated { HIDDEN } else { said })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why the login failed; what FreeSWITCH said is escaped, and the password is never in it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// The address or port is not an event socket; the admin must correct it.
    #[error("this is not a FreeSWITCH event socket but {what}: it said \"{greeting}\"")]
    NotEsl {
        /// What it looks like.
        what: &'static str,
        /// What it said first.
        greeting: Text,
    },
    /// FreeSWITCH refused the password or the user; the admin must compare them with event_socket.conf.xml or the directory.
    #[error("FreeSWITCH refused the password: \"{message}\"")]
    Rejected {
        /// What FreeSWITCH said.
        message: Text,
    },
    /// The access list refused this host; the admin must add it to apply-inbound-acl in event_socket.conf.xml.
    #[error("FreeSWITCH's access list refuses this host: \"{message}\"")]
    Acl {
        /// What FreeSWITCH said.
        message: Text,
    },
    /// FreeSWITCH ended the connection before it was logged in; try again.
    #[error("FreeSWITCH ended the connection during the login")]
    Disconnected,
    /// The password is empty or holds control characters; the admin must correct it.
    #[error("the password is empty or holds control characters")]
    Password,
    /// The user is not `user@domain`; the admin must correct it.
    #[error("the user \"{user}\" is not of the form user@domain")]
    User {
        /// The user.
        user: Text,
    },
}

impl LoginError {
    /// What a framing error on a connection that has not said anything yet means: another kind of server.
    pub fn from_greeting(error: &FramingError) -> Option<Self> {
        let FramingError::NotAHeader { line } = error else {
            return None;
        };
        Some(Self::NotEsl {
            what: likeness(line.as_bytes()),
            greeting: *line,
        })
    }
}

fn likeness(line: &[u8]) -> &'static str {
    match line {
        [b'H', b'T', b'T', b'P', b'/', ..] => "a web server",
        [b'S', b'S', b'H', b'-', ..] => "an SSH server",
        [b'2', b'2', b'0', ..] => "a mail or FTP server",
        _ if line.starts_with(b"Asterisk Call Manager/") => "Asterisk's manager interface",
        _ if line.starts_with(b"SIP/2.0") => "a SIP server",
        _ => "something else",
    }
}

/// What to subscribe to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// The log, too, from warning up: the only place where refusals by an access list are told.
    pub log: bool,
}

/// A stream that FreeSWITCH does not give us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which.
    pub stream: Stream,
    /// What FreeSWITCH said, `-ERR permission denied` for instance.
    pub message: Text,
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read on.
    Wait,
    /// Send this, then read on.
    Send(Command),
    /// Every command was answered; [`Login::refusals`] says which were refused.
    Ready,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Auth,
    Subscribing(Stream),
    Done,
}

/// One login, without I/O: it is shown each frame and says what to send.
///
/// Events may arrive before it is done: the caller shows every frame to its [`crate::Mapper`], too.
#[derive(Clone, Debug)]
pub struct Login {
    credentials: Credentials,
    state: State,
    left: VecDeque<Stream>,
    refusals: Vec<Refusal>,
}

impl Login {
    /// A login on a new connection.
    pub fn new(credentials: Credentials, wanted: Wanted) -> Self {
        let mut left = VecDeque::from(Stream::EVENTS);
        if wanted.log {
            left.push_back(Stream::Log);
        }
        Self {
            credentials,
            state: State::Greeting,
            left,
            refusals: Vec::new(),
        }
    }

    /// The streams that were refused so far.
    pub fn refusals(&self) -> &[Refusal] {
        &self.refusals
    }

    /// Takes the next frame.
    pub fn step(&mut self, frame: &Frame<'_>) -> Result<Step, LoginError> {
        match (self.state, frame.kind()) {
            (State::Done, _) => Ok(Step::Wait),
            (_, Kind::RudeRejection) => Err(LoginError::Acl {
                message: self.credentials.without_password(frame.body().trim_ascii()),
            }),
            (_, Kind::DisconnectNotice) => Err(LoginError::Disconnected),
            (State::Greeting, Kind::AuthRequest) => {
                self.state = State::Auth;
                self.credentials.command().map(Step::Send)
            }
            (State::Greeting, _) => Err(LoginError::NotEsl {
                what: "something else",
                greeting: Text::new(frame.header(b"Content-Type").unwrap_or_default()),
            }),
            (State::Auth, Kind::CommandReply) if frame.reply().starts_with(b"+OK") => Ok(self.subscribe()),
            (State::Auth, Kind::CommandReply) => Err(LoginError::Rejected {
                message: self.credentials.without_password(frame.reply()),
            }),
            (State::Subscribing(stream), Kind::CommandReply) => {
                if !frame.reply().starts_with(b"+OK") {
                    self.refusals.push(Refusal {
                        stream,
                        message: self.credentials.without_password(frame.reply()),
                    });
                }
                Ok(self.subscribe())
            }
            (State::Auth | State::Subscribing(_), _) => Ok(Step::Wait),
        }
    }

    fn subscribe(&mut self) -> Step {
        if let Some(stream) = self.left.pop_front() {
            self.state = State::Subscribing(stream);
            Step::Send(Command::new(stream.command()))
        } else {
            self.state = State::Done;
            Step::Ready
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(credentials: Credentials, log: bool) -> (Login, Result<Step, LoginError>) {
        let mut login = Login::new(credentials, Wanted { log });
        let first = login.step(&Frame::new(
            Kind::AuthRequest,
            b"Content-Type: auth/request\n",
            b"",
            false,
        ));
        (login, first)
    }

    fn reply(text: &str) -> Vec<u8> {
        format!("Content-Type: command/reply\nReply-Text: {text}\n").into_bytes()
    }

    fn answer(login: &mut Login, text: &str) -> Result<Step, LoginError> {
        login.step(&Frame::new(Kind::CommandReply, &reply(text), b"", false))
    }

    fn sent(step: Step) -> String {
        let Step::Send(command) = step else {
            panic!("{step:?}")
        };
        String::from_utf8(command.as_ref().to_vec()).unwrap()
    }

    #[test]
    fn a_password_then_each_stream_by_itself() {
        let (mut login, first) = start(Credentials::password("Clue Con"), true);
        assert_eq!(sent(first.unwrap()), "auth Clue Con\n\n");
        for stream in [
            Stream::Logins,
            Stream::Verto,
            Stream::Calls,
            Stream::Probe,
            Stream::Log,
        ] {
            let command = sent(answer(&mut login, "+OK").unwrap());
            assert_eq!(command, format!("{}\n\n", stream.command()));
        }
        assert_eq!(answer(&mut login, "+OK log level warning [4]"), Ok(Step::Ready));
        assert!(login.refusals().is_empty());
    }

    #[test]
    fn a_user_may_be_refused_a_stream() {
        let (mut login, first) = start(Credentials::user("rf@pbx.example", "a:b"), true);
        assert_eq!(sent(first.unwrap()), "userauth rf@pbx.example:a:b\n\n");
        answer(&mut login, "+OK accepted").unwrap();
        answer(&mut login, "+OK event listener enabled plain").unwrap();
        answer(&mut login, "-ERR permission denied").unwrap();
        for _ in 0..2 {
            answer(&mut login, "+OK event listener enabled plain").unwrap();
        }
        assert_eq!(answer(&mut login, "-ERR permission denied"), Ok(Step::Ready));
        let refused: Vec<_> = login.refusals().iter().map(|refusal| refusal.stream).collect();
        assert_eq!(refused, [Stream::Verto, Stream::Log]);
    }

    #[test]
    fn each_refusal_of_the_login_has_its_own_words() {
        let (mut login, _) = start(Credentials::password("s3cret"), false);
        let error = answer(&mut login, "-ERR invalid").unwrap_err();
        assert!(error.to_string().contains("-ERR invalid"));
        let mut login = Login::new(Credentials::password("s3cret"), Wanted::default());
        let rude = Frame::new(Kind::RudeRejection, b"", b"Access Denied, go away.\n", false);
        assert!(matches!(login.step(&rude), Err(LoginError::Acl { .. })));
        let notice = Frame::new(Kind::DisconnectNotice, b"", b"bye", false);
        assert_eq!(login.step(&notice), Err(LoginError::Disconnected));
    }

    #[test]
    fn a_server_that_repeats_the_password_does_not_get_it_into_the_report() {
        for said in [
            "-ERR invalid: auth s3cret",
            &format!("-ERR {}s3cret", "x".repeat(34)),
        ] {
            let (mut login, _) = start(Credentials::password("s3cret"), false);
            let error = answer(&mut login, said).unwrap_err().to_string();
            assert!(!error.contains("s3c") && error.contains("repeats"), "{error}");
            let (mut login, _) = start(Credentials::password("s3cret"), false);
            answer(&mut login, "+OK accepted").unwrap();
            answer(&mut login, said).unwrap();
            let told = login.refusals()[0].message.to_string();
            assert!(!told.contains("s3c"), "{told}");
        }
        let (mut login, _) = start(Credentials::password("s3cret"), false);
        let rude = Frame::new(Kind::RudeRejection, b"", b"go away, s3cret", false);
        assert!(!login.step(&rude).unwrap_err().to_string().contains("s3c"));
    }

    #[test]
    fn another_server_is_named() {
        for (line, what) in [
            ("HTTP/1.1 400 Bad Request", "a web server"),
            ("SSH-2.0-OpenSSH_9.2", "an SSH server"),
            ("Asterisk Call Manager/11.0.0", "Asterisk's manager interface"),
        ] {
            let error = FramingError::NotAHeader {
                line: Text::from(line),
            };
            let told = LoginError::from_greeting(&error).unwrap().to_string();
            assert!(told.contains(what) && told.contains(line), "{told}");
        }
        assert_eq!(LoginError::from_greeting(&FramingError::TooLong), None);
    }

    #[test]
    fn a_secret_is_never_shown_nor_can_it_add_a_command() {
        let (login, step) = start(Credentials::user("rf@pbx.example", "s3cret"), false);
        assert!(!format!("{login:?} {step:?}").contains("s3cret"));
        for bad in ["", "s3cret\n\nexit", "s3cret\r"] {
            let (_, refused) = start(Credentials::password(bad), false);
            assert_eq!(refused, Err(LoginError::Password));
        }
        for bad in ["rf", "rf@a b", "rf@a:b", "rf@a\n"] {
            let (_, refused) = start(Credentials::user(bad, "s3cret"), false);
            assert!(matches!(refused, Err(LoginError::User { .. })), "{bad}");
        }
    }
}
