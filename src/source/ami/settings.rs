//! What is needed to talk to one Asterisk.

use std::path::PathBuf;

use ringfence_event::Span;
use secrecy::SecretString;

/// One Asterisk to watch.
#[derive(Clone, Debug)]
pub struct AmiSettings {
    /// Its name in reports; unique among all sources.
    pub name: String,
    /// Host name or address of the manager interface.
    pub host: String,
    /// TCP port, 5038 by default (5039 with TLS).
    pub port: u16,
    /// Encrypt the connection; `None` for plain TCP.
    pub tls: Option<TlsSettings>,
    /// The manager user.
    pub username: String,
    /// Its secret; never shown or logged.
    pub secret: SecretString,
    /// How the secret is presented.
    pub auth: AuthMethod,
    /// How often the connection is proven to be alive, 1 s by default. Asterisk older than 20.21 and 22.11 delivers events
    /// late when nothing wakes its sender, so this also bounds the delay of events.
    pub ping: Span,
}

/// How the secret is presented to Asterisk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthMethod {
    /// MD5 challenge: the secret never crosses the wire.
    #[default]
    Md5,
    /// The secret itself, for servers or proxies that know no challenge.
    Plain,
}

/// How the server's certificate is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file with the authorities to trust; `None` when the certificate is pinned.
    pub ca_file: Option<PathBuf>,
    /// SHA-256 of the server's certificate (DER). When given, exactly this certificate is accepted, whatever its name.
    pub pinned: Option<[u8; 32]>,
    /// The name the certificate must carry; the configured host by default.
    pub server_name: Option<String>,
}
