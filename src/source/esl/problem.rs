//! What the admin is told when something does not flow, and what to change.

use ringfence_esl::{LoginError, Refusal, Stream};
use ringfence_event::Text;

use super::settings::EslSettings;
use crate::source::End;

/// What to look at when nobody answers.
pub fn unreachable() -> &'static str {
    "Is FreeSWITCH running, mod_event_socket in autoload_configs/modules.conf.xml, and listen-ip and listen-port in \
     event_socket.conf.xml as configured here?"
}

/// Why a login was refused, and what to do; `user` when one of the directory logged in.
pub fn refused_login(error: &LoginError, user: Option<&str>) -> End {
    let remedy = match (error, user) {
        (LoginError::Disconnected, _) => return End::Away(error.to_string()),
        (LoginError::NotEsl { .. }, _) => {
            "Check address: it must be event_socket.conf.xml's listen-ip and listen-port (8021)"
        }
        (LoginError::Rejected { .. }, None) => {
            "Compare it with `password` in event_socket.conf.xml; after a change there: fs_cli -x 'reload mod_event_socket'"
        }
        (LoginError::Rejected { .. }, Some(_)) => {
            "Compare user and password with the directory: the user needs the param esl-password, and the domain must be one \
             that FreeSWITCH knows; after a change: fs_cli -x reloadxml"
        }
        (LoginError::Acl { .. }, _) => {
            "Allow this machine's address in the list that apply-inbound-acl names in event_socket.conf.xml (acl.conf.xml), \
             then: fs_cli -x reloadacl"
        }
        (LoginError::Password | LoginError::User { .. }, _) => "Correct user or password",
    };
    End::Refused(format!("{error}. {remedy}"))
}

/// What it means that a stream was refused.
pub fn refused_stream(settings: &EslSettings, refusal: &Refusal) -> String {
    let user = settings.user.as_deref().unwrap_or("the event socket");
    let (lost, remedy) = match refusal.stream {
        Stream::Logins => (
            "failed logins can't be seen",
            "esl-allowed-events must name CUSTOM sofia::pre_register sofia::register_attempt sofia::register_failure \
             sofia::wrong_call_state",
        ),
        Stream::Verto => (
            "logins of mod_verto can't be seen",
            "esl-allowed-events must name CUSTOM verto::login",
        ),
        Stream::Calls => (
            "calls into nowhere can't be seen",
            "esl-allowed-events must name CHANNEL_HANGUP_COMPLETE",
        ),
        Stream::Probe => (
            "nothing proves that events flow while none come",
            "esl-allowed-events must name CUSTOM ringfence::probe",
        ),
        Stream::Log => (
            "refusals by access lists can't be seen",
            "esl-allowed-log must be true, or set log = false to do without",
        ),
    };
    format!(
        "{user} is refused `{}` (\"{}\"): {lost}. In the directory, {remedy}; then: fs_cli -x reloadxml, ringfence reload",
        refusal.stream.command(),
        refusal.message
    )
}

/// What it means that a probe event did not come back.
pub fn blind_events() -> &'static str {
    "logged in and subscribed, but not even a probe event comes back: attacks would not be seen. Is FreeSWITCH hanging or \
     overloaded (fs_cli -x status)? If not, reload mod_event_socket"
}

/// What it means that no probe event can be sent.
pub fn unproven_events(reply: &[u8]) -> String {
    format!(
        "FreeSWITCH does not take a probe event (\"{}\"): nothing proves that events flow until the first one comes",
        Text::new(reply)
    )
}

/// What it means that a probe line did not come back.
pub fn blind_log() -> &'static str {
    "the log does not reach the event socket: refusals by access lists are not seen. The core's loglevel is below warning: \
     fs_cli -x 'fsctl loglevel warning', and loglevel in switch.conf.xml so that it stays; or set log = false to do without"
}

/// What it means that no probe line can be written.
pub fn unproven_log(user: Option<&str>) -> String {
    format!(
        "{} may not use `api log`, so that nothing proves the log until its first line comes: add log to esl-allowed-api; then: \
         fs_cli -x reloadxml, ringfence reload",
        user.unwrap_or("the event socket")
    )
}
