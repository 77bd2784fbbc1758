//! Both PBXes on stage: one speaks while the other still has to answer what it is asked.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use ringfence_event::Span;
use secrecy::SecretString;
use tokio::time::sleep;

use super::acts::Recordings;
use super::manager::{Asterisk, Manager, USER};
use super::node::{Client, Freeswitch, PASSWORD};
use crate::source::Settings;
use crate::source::ami::{AmiSettings, AuthMethod};
use crate::source::esl::EslSettings;

/// Both, listening.
#[derive(Debug)]
pub struct Cast {
    asterisk: Asterisk,
    freeswitch: Freeswitch,
}

/// Both, with the daemon's connections.
#[derive(Debug)]
pub struct Ensemble {
    manager: Manager,
    client: Client,
}

impl Cast {
    /// Both listen on free ports of the loopback address.
    pub async fn listen() -> io::Result<Self> {
        Ok(Self {
            asterisk: Asterisk::listen().await?,
            freeswitch: Freeswitch::listen().await?,
        })
    }

    /// What a daemon needs to watch them.
    pub fn sources(&self) -> io::Result<Vec<Settings>> {
        let place = |address: SocketAddr| (address.ip().to_string(), address.port());
        let (host, port) = place(self.asterisk.address()?);
        let asterisk = Settings::Asterisk(AmiSettings {
            name: "asterisk".into(),
            host,
            port,
            tls: None,
            username: USER.0.into(),
            secret: SecretString::from(USER.1),
            auth: AuthMethod::Plain,
            ping: Span::from_secs(1),
        });
        let (host, port) = place(self.freeswitch.address()?);
        let freeswitch = Settings::Freeswitch(EslSettings {
            name: "freeswitch".into(),
            host,
            port,
            user: None,
            password: SecretString::from(PASSWORD),
            log: true,
            probe: Span::from_secs(10),
        });
        Ok(vec![asterisk, freeswitch])
    }

    /// Waits until the daemon has logged in at both.
    pub async fn admit(&self) -> io::Result<Ensemble> {
        let (manager, client) = tokio::try_join!(self.asterisk.admit(), self.freeswitch.admit())?;
        Ok(Ensemble { manager, client })
    }
}

impl Ensemble {
    /// Sends bytes from the PBX that they were recorded from.
    pub async fn say(&mut self, who: &Recordings, bytes: &[u8]) -> io::Result<()> {
        match who {
            Recordings::Asterisk(_) => self.manager.say(bytes).await,
            Recordings::Freeswitch(_) => self.client.say(bytes).await,
        }
    }

    /// Both answer what they are asked for so long.
    pub async fn attend(&mut self, time: Duration) -> io::Result<()> {
        tokio::try_join!(self.manager.attend(sleep(time)), self.client.attend(sleep(time)))?;
        Ok(())
    }
}
