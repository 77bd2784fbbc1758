//! Logs in to the manager interface: from the banner to the first event.

use std::fmt;
use std::fmt::Write as _;

use md5::{Digest, Md5};
use ringfence_event::Text;
use thiserror::Error;

use crate::action::{Action, ActionError, Outgoing};
use crate::frame::{Class, Frame, Response};

const BANNER: &[u8] = b"Asterisk Call Manager/";

/// How the secret is proven.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// By the MD5 of a challenge and the secret: the secret does not cross the network.
    #[default]
    Md5,
    /// By sending it; for servers without MD5, over loopback or TLS.
    Plain,
}

/// A manager user, as manager.conf knows it. Never shows the secret.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    secret: String,
    auth: Auth,
}

impl Credentials {
    /// A user and its secret.
    pub fn new(username: impl Into<String>, secret: impl Into<String>, auth: Auth) -> Self {
        Self {
            username: username.into(),
            secret: secret.into(),
            auth,
        }
    }

    /// The user's name.
    pub fn username(&self) -> &str {
        &self.username
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .field("auth", &self.auth)
            .finish_non_exhaustive()
    }
}

/// Why the login failed; what it was told is escaped, and never the secret.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoginError {
    /// The address or port is not Asterisk's manager interface; the admin must correct it.
    #[error("this is not an Asterisk manager interface but {what}: it said \"{greeting}\"")]
    NotAmi {
        /// What it looks like.
        what: &'static str,
        /// What it said first.
        greeting: Text,
    },
    /// Asterisk refused the user or its secret; the admin must compare them with manager.conf.
    #[error("Asterisk refused the login of {username}: \"{message}\"")]
    Rejected {
        /// The user.
        username: String,
        /// What Asterisk said.
        message: Text,
    },
    /// Asterisk gives no MD5 challenge; the admin can set the login to plain.
    #[error("Asterisk refused an MD5 challenge: \"{message}\"")]
    Md5Refused {
        /// What Asterisk said.
        message: Text,
    },
    /// The user name or the secret can't be written; the admin must correct it.
    #[error(transparent)]
    Credentials(#[from] ActionError),
}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Read on.
    Wait,
    /// Send this, then read on.
    Send(Outgoing),
    /// Logged in; every further frame is for the caller.
    Accepted,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Banner,
    Challenge,
    Answer,
    Done,
}

/// One login, without I/O: it is shown each frame and says what to send.
///
/// Events that arrive meanwhile are the caller's: it shows every frame to its [`crate::Mapper`] too. The first proof that
/// events flow at all is the login's own `SuccessfulAuth` of service AMI behind it.
#[derive(Clone, Debug)]
pub struct Login {
    credentials: Credentials,
    id: String,
    state: State,
    version: Text,
}

impl Login {
    /// A login whose actions carry `id`; one that can't be guessed keeps injected lines from passing for answers.
    pub fn new(credentials: Credentials, id: impl Into<String>) -> Self {
        Self {
            credentials,
            id: id.into(),
            state: State::Banner,
            version: Text::EMPTY,
        }
    }

    /// The protocol version that the banner named, `11.0.0` for instance; empty before it.
    pub fn version(&self) -> &Text {
        &self.version
    }

    /// Takes the next frame.
    pub fn step(&mut self, frame: &Frame<'_>) -> Result<Step, LoginError> {
        if self.state == State::Banner {
            return self.banner(frame);
        }
        match frame.class() {
            Class::Response(response) if response.answers(&self.id) => match self.state {
                State::Challenge => self.challenge(response),
                State::Answer => self.answer(response),
                State::Banner | State::Done => Ok(Step::Wait),
            },
            _ => Ok(Step::Wait),
        }
    }

    fn banner(&mut self, frame: &Frame<'_>) -> Result<Step, LoginError> {
        let line = frame.bytes().trim_ascii_end();
        let Some(version) = line.strip_prefix(BANNER) else {
            return Err(LoginError::NotAmi {
                what: likeness(line),
                greeting: Text::new(line),
            });
        };
        self.version = Text::new(version);
        let action = match self.credentials.auth {
            Auth::Md5 => {
                self.state = State::Challenge;
                Action::new("Challenge")?
                    .with("ActionID", self.id.as_bytes())?
                    .with("AuthType", b"MD5")?
                    .finish()
            }
            Auth::Plain => {
                self.state = State::Answer;
                self.login("Secret", &self.credentials.secret)?
            }
        };
        Ok(Step::Send(action))
    }

    fn challenge(&mut self, response: Response<'_>) -> Result<Step, LoginError> {
        let challenge = response.first(b"Challenge").filter(|_| response.is_success());
        let Some(challenge) = challenge else {
            return Err(LoginError::Md5Refused {
                message: Text::new(response.message()),
            });
        };
        let digest = Md5::new()
            .chain_update(challenge)
            .chain_update(&self.credentials.secret)
            .finalize();
        let mut key = String::with_capacity(32);
        for byte in digest {
            let _ = write!(key, "{byte:02x}");
        }
        self.state = State::Answer;
        self.login("Key", &key).map(Step::Send)
    }

    fn login(&self, proof: &str, value: &str) -> Result<Outgoing, LoginError> {
        let mut action = Action::new("Login")?
            .with("ActionID", self.id.as_bytes())?
            .with("Username", self.credentials.username.as_bytes())?;
        if self.credentials.auth == Auth::Md5 {
            action = action.with("AuthType", b"MD5")?;
        }
        Ok(action
            .with(proof, value.as_bytes())?
            .with("Events", b"security")?
            .finish())
    }

    fn answer(&mut self, response: Response<'_>) -> Result<Step, LoginError> {
        if response.is_success() {
            self.state = State::Done;
            Ok(Step::Accepted)
        } else {
            Err(LoginError::Rejected {
                username: self.credentials.username.clone(),
                message: Text::new(response.message()),
            })
        }
    }
}

/// What a server that is not ours looks like, in words for the admin.
fn likeness(line: &[u8]) -> &'static str {
    let known: [(&[u8], &str); 6] = [
        (b"HTTP/", "a web server"),
        (b"SIP/2.0", "a SIP server"),
        (b"Content-Type: auth/request", "a FreeSWITCH event socket"),
        (b"SSH-", "an SSH server"),
        (b"220 ", "a mail or FTP server"),
        (b"\x15\x03", "a TLS server (set tls = true)"),
    ];
    known
        .iter()
        .find(|(start, _)| line.starts_with(start))
        .map_or("something else", |(_, what)| what)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Ending, Next, Shape};

    fn greeting(line: &[u8]) -> Frame<'_> {
        Frame::new(line, Ending::CrLf, Shape::Greeting, Next::Unknown)
    }

    fn block(lines: &[u8]) -> Frame<'_> {
        Frame::new(lines, Ending::CrLf, Shape::Block, Next::Unknown)
    }

    fn login(auth: Auth) -> Login {
        Login::new(Credentials::new("ringfence", "rf-secret", auth), "l-1")
    }

    fn sent(step: Step) -> String {
        match step {
            Step::Send(bytes) => String::from_utf8(bytes.as_ref().to_vec()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn md5_proves_the_secret_without_sending_it() {
        let mut login = login(Auth::Md5);
        let step = login
            .step(&greeting(b"Asterisk Call Manager/11.0.0\r\n"))
            .unwrap();
        assert_eq!(
            sent(step),
            "Action: Challenge\r\nActionID: l-1\r\nAuthType: MD5\r\n\r\n"
        );
        assert_eq!(login.version().to_string(), "11.0.0");
        let challenge = b"Response: Success\r\nActionID: l-1\r\nChallenge: 121283630\r\n";
        let step = login.step(&block(challenge)).unwrap();
        // printf 121283630rf-secret | md5sum
        assert_eq!(
            sent(step),
            "Action: Login\r\nActionID: l-1\r\nUsername: ringfence\r\nAuthType: MD5\r\n\
             Key: 986782c455c159cf0f71c3a64d60173c\r\nEvents: security\r\n\r\n"
        );
        let early = login.step(&block(b"Event: FullyBooted\r\n")).unwrap();
        assert_eq!(early, Step::Wait);
        let accepted = b"Response: Success\r\nActionID: l-1\r\nMessage: Authentication accepted\r\n";
        assert_eq!(login.step(&block(accepted)).unwrap(), Step::Accepted);
    }

    #[test]
    fn a_plain_login_names_the_mask_too() {
        let step = login(Auth::Plain)
            .step(&greeting(b"Asterisk Call Manager/5.0.4\r\n"))
            .unwrap();
        assert_eq!(
            sent(step),
            "Action: Login\r\nActionID: l-1\r\nUsername: ringfence\r\nSecret: rf-secret\r\nEvents: security\r\n\r\n"
        );
    }

    #[test]
    fn a_refusal_carries_the_servers_words() {
        let mut login = login(Auth::Plain);
        login.step(&greeting(b"Asterisk Call Manager/5.0.4\r\n")).unwrap();
        let refused = b"Response: Error\r\nActionID: l-1\r\nMessage: Authentication failed\r\n";
        let error = login.step(&block(refused)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "Asterisk refused the login of ringfence: \"Authentication failed\""
        );
    }

    #[test]
    fn a_server_without_md5_is_told_apart_from_a_wrong_secret() {
        let mut login = login(Auth::Md5);
        login.step(&greeting(b"Asterisk Call Manager/5.0.4\r\n")).unwrap();
        let refused = b"Response: Error\r\nActionID: l-1\r\nMessage: Must specify AuthType\r\n";
        let error = login.step(&block(refused)).unwrap_err();
        assert!(matches!(error, LoginError::Md5Refused { .. }));
    }

    #[test]
    fn other_servers_are_named() {
        for (line, what) in [
            (&b"HTTP/1.0 400 Bad Request\r\n"[..], "a web server"),
            (b"Content-Type: auth/request\n", "a FreeSWITCH event socket"),
            (b"SIP/2.0 400 Bad Request\r\n", "a SIP server"),
            (b"\x1b[31mhello\r\n", "something else"),
        ] {
            let error = login(Auth::Md5).step(&greeting(line)).unwrap_err();
            assert!(error.to_string().contains(what), "{error}");
            assert!(!error.to_string().contains('\x1b'));
        }
    }

    #[test]
    fn an_answer_without_our_id_is_not_ours() {
        let mut login = login(Auth::Plain);
        login.step(&greeting(b"Asterisk Call Manager/5.0.4\r\n")).unwrap();
        let forged = b"Response: Success\r\nMessage: Authentication accepted\r\n";
        assert_eq!(login.step(&block(forged)).unwrap(), Step::Wait);
    }

    #[test]
    fn the_secret_is_never_shown() {
        let mut login = login(Auth::Plain);
        let step = login.step(&greeting(b"Asterisk Call Manager/5.0.4\r\n")).unwrap();
        assert!(!format!("{login:?} {step:?}").contains("rf-secret"));
        let broken = Credentials::new("a", "s3cret\r\nx", Auth::Plain);
        let mut login = Login::new(broken, "l-1");
        let error = login
            .step(&greeting(b"Asterisk Call Manager/5.0.4\r\n"))
            .unwrap_err();
        assert!(!format!("{error:?} {error}").contains("s3cret"));
    }
}
