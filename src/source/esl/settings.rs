//! What is needed to talk to one FreeSWITCH.

use ringfence_event::Span;
use secrecy::SecretString;

/// One FreeSWITCH to watch.
#[derive(Clone, Debug)]
pub struct EslSettings {
    /// Its name in reports; unique among all sources.
    pub name: String,
    /// Host name or address of the event socket.
    pub host: String,
    /// TCP port, 8021 by default.
    pub port: u16,
    /// A user of the directory as `user@domain`; `None` presents event_socket.conf.xml's own password.
    pub user: Option<String>,
    /// The password; never shown or logged.
    pub password: SecretString,
    /// Whether the log is read beside the events: refusals by an access list are told nowhere else.
    pub log: bool,
    /// How long events may be absent before a probe has to show that they still flow, 10 s by default.
    pub probe: Span,
}
