//! One connection to a manager interface: opened, logged in, read block by block.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use ringfence_ami::{
    Action, AmiCodec, Auth, Block, Class, Credentials, Login, LoginError, Mapped, Mapper, Outgoing, Step,
};
use ringfence_event::{Cause, SecurityEvent, Service, Text};
use secrecy::ExposeSecret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::codec::Decoder;

use super::action_id;
use super::dial::{DialError, Wire, dial};
use super::settings::{AmiSettings, AuthMethod};
use crate::clock::Stopwatch;
use crate::source::{End, WRITE};

/// A login is answered within this time; Asterisk answers a wrong one after a second.
const LOGIN: Duration = Duration::from_secs(10);
/// What one read takes at most.
const READ: usize = 64 * 1024;

impl From<DialError> for End {
    fn from(error: DialError) -> Self {
        match error {
            // a certificate that does not fit stays so; an end of the connection means a PBX that restarts or is busy
            DialError::Handshake { error: ref cause, .. } if cause.kind() != io::ErrorKind::InvalidData => {
                Self::Away(error.to_string())
            }
            DialError::Tls(_) | DialError::Handshake { .. } => Self::Refused(error.to_string()),
            DialError::Reach(_) | DialError::Timeout { .. } => Self::Away(error.to_string()),
        }
    }
}

impl From<LoginError> for End {
    fn from(error: LoginError) -> Self {
        let remedy = match &error {
            LoginError::NotAmi { .. } => {
                "Check address: it must be manager.conf's bindaddr and port (5038, or tlsbindaddr with tls = true)"
            }
            LoginError::Rejected { .. } => {
                "Compare username and secret with manager.conf, and permit/deny there with this machine's address; then \
                 `asterisk -rx 'manager reload'`"
            }
            LoginError::Md5Refused { .. } => "Set auth = \"plain\", preferably with tls = true",
            LoginError::Credentials(_) => "Correct username or secret",
        };
        Self::Refused(format!("{error}. {remedy}"))
    }
}

/// A connection that is logged in.
pub struct Session {
    wire: Box<dyn Wire>,
    codec: AmiCodec,
    buffer: BytesMut,
    mapper: Mapper,
    version: String,
    username: Text,
}

impl Session {
    /// Connects and logs in.
    pub async fn open(settings: &AmiSettings) -> Result<Self, End> {
        let connection = dial(settings).await?;
        let mut session = Self {
            wire: connection.wire,
            codec: AmiCodec::new(),
            buffer: BytesMut::with_capacity(READ),
            mapper: Mapper::new(),
            version: String::new(),
            username: Text::from(settings.username.as_str()),
        };
        match tokio::time::timeout(LOGIN, session.login(settings)).await {
            Ok(done) => done.map(|()| session),
            Err(_) => Err(End::Away(format!(
                "{} accepts connections but does not answer a login: is it really Asterisk's manager interface, and does \
                 authlimit in manager.conf leave room?",
                connection.remote
            ))),
        }
    }

    async fn login(&mut self, settings: &AmiSettings) -> Result<(), End> {
        let auth = match settings.auth {
            AuthMethod::Md5 => Auth::Md5,
            AuthMethod::Plain => Auth::Plain,
        };
        let credentials = Credentials::new(settings.username.as_str(), settings.secret.expose_secret(), auth);
        let mut login = Login::new(credentials, action_id());
        loop {
            let block = self.next_block().await?;
            match login.step(&block.frame())? {
                Step::Wait => {}
                Step::Send(action) => self.send(&action).await?,
                Step::Accepted => {
                    self.version = login.version().to_string();
                    return Ok(());
                }
            }
        }
    }

    /// The AMI version that the banner named.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Blocks that an attacker has tampered with, and those that were too large to keep.
    pub fn tampered(&self) -> (u64, u64) {
        let counts = self.mapper.counts();
        (counts.broken + counts.withheld, self.codec.oversized())
    }

    /// Reads once and hands every complete block to `each`. Safe to drop while it waits: nothing is lost.
    pub async fn read(&mut self, mut each: impl FnMut(&mut Mapper, &Block)) -> Result<(), End> {
        self.fill().await?;
        while let Some(block) = self
            .codec
            .decode(&mut self.buffer)
            .map_err(|error| lost(&error))?
        {
            each(&mut self.mapper, &block);
        }
        Ok(())
    }

    /// Reads until this session's own login has arrived as a security event.
    pub async fn own_login(&mut self) -> Result<(), End> {
        loop {
            let block = self.next_block().await?;
            if let Mapped::Event(event) = self.mapper.map(&block.frame())
                && self.is_own_login(&event)
            {
                return Ok(());
            }
        }
    }

    /// Whether `event` is what the login of our user makes.
    pub fn is_own_login(&self, event: &SecurityEvent) -> bool {
        is_login_of(event, &self.username)
    }

    /// Sends a Ping and waits for its Pong, skipping everything else; `None` when it does not come.
    pub async fn ping(&mut self) -> Option<Duration> {
        let id = action_id();
        let asked = Stopwatch::start();
        self.send(&Action::ping(&id).ok()?).await.ok()?;
        let answered = async {
            loop {
                let block = self.next_block().await.ok()?;
                if matches!(block.frame().class(), Class::Response(response) if response.is_pong(&id)) {
                    return Some(asked.elapsed());
                }
            }
        };
        tokio::time::timeout(LOGIN, answered).await.ok()?
    }

    /// Says goodbye; whatever goes wrong now does not matter any more.
    pub async fn leave(mut self) {
        if let Ok(logoff) = Action::logoff(&action_id()) {
            let _ = self.send(&logoff).await;
            let _ = self.wire.shutdown().await;
        }
    }

    /// Sends an action; a far end that takes nothing for 5 s is gone.
    pub async fn send(&mut self, action: &Outgoing) -> Result<(), End> {
        let written = tokio::time::timeout(WRITE, async {
            self.wire.write_all(action.as_ref()).await?;
            self.wire.flush().await
        });
        match written.await {
            Ok(done) => done.map_err(|error| lost(&error)),
            Err(_) => Err(End::Away(
                "Asterisk takes no more data: the connection hangs".into(),
            )),
        }
    }

    async fn next_block(&mut self) -> Result<Block, End> {
        loop {
            if let Some(block) = self
                .codec
                .decode(&mut self.buffer)
                .map_err(|error| lost(&error))?
            {
                return Ok(block);
            }
            self.fill().await?;
        }
    }

    async fn fill(&mut self) -> Result<(), End> {
        self.buffer.reserve(READ);
        match self.wire.read_buf(&mut self.buffer).await {
            Ok(0) if self.version.is_empty() => Err(End::Away(
                "Asterisk closed the connection before the login was through: authlimit in manager.conf is reached, or it is \
                 still booting"
                    .into(),
            )),
            Ok(0) => Err(End::Away("Asterisk closed the connection".into())),
            Ok(_) => Ok(()),
            Err(error) => Err(lost(&error)),
        }
    }
}

/// Whether `event` says that `username` logged into the manager interface.
pub fn is_login_of(event: &SecurityEvent, username: &Text) -> bool {
    event.service == Service::Ami && event.cause == Cause::Succeeded && event.account == *username
}

fn lost(error: &io::Error) -> End {
    End::Away(format!("the connection broke: {error}"))
}
