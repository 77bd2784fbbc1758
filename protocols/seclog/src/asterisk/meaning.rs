//! What a security event means: the same as the manager interface's event of the same name.

use ringfence_event::{Cause, Proof, SecurityEvent, Service, SourceId, Text};

use super::event::Event;
use super::said::{Kind, Said};
use super::security::Statement;

/// What PJSIP writes for an account that it could not identify.
const UNKNOWN: &[u8] = b"<unknown>";

impl Statement<'_> {
    /// The statement in the common vocabulary. `dialled` says that this chan_sip event belongs to a call, so that its account
    /// is the number that was called.
    pub(super) fn said(&self, dialled: bool) -> Said {
        let account = self.account(dialled);
        let event = SecurityEvent {
            at: self.at,
            source: SourceId::default(),
            service: self.service,
            cause: self.cause(),
            peer: self.remote,
            account: Text::new(account),
            tenant: Text::EMPTY,
            domain: Text::EMPTY,
            profile: Text::EMPTY,
            // the manager's session is a pointer that the next connection gets again
            dialogue: if self.service == Service::Ami {
                Text::EMPTY
            } else {
                Text::new(self.session)
            },
            proof: self.proof(),
            detail: self.detail(),
        };
        Said {
            event,
            kind: Kind::Security,
        }
    }

    fn cause(&self) -> Cause {
        match self.event {
            Event::ChallengeSent => Cause::Challenged,
            Event::SuccessfulAuth => Cause::Succeeded,
            Event::InvalidAccountId => Cause::UnknownAccount,
            Event::ChallengeResponseFailed if self.is_pjsip_unknown() => Cause::UnknownAccount,
            Event::ChallengeResponseFailed | Event::InvalidPassword => Cause::WrongPassword,
            Event::FailedAcl if self.acl_name.starts_with(b"registrar_") => Cause::AfterAuth,
            Event::FailedAcl if self.acl_name == b"no_extension_match" => Cause::UnknownExtension,
            Event::FailedAcl | Event::UnexpectedAddress => Cause::AclDenied,
            // the manager names an account here only once it has logged in
            Event::RequestNotAllowed | Event::RequestBadFormat
                if self.service == Service::Ami && !self.account.is_empty() =>
            {
                Cause::AfterAuth
            }
            Event::RequestBadFormat => Cause::Malformed,
            Event::RequestNotSupported | Event::RequestNotAllowed | Event::AuthMethodNotAllowed => {
                Cause::Refused
            }
            Event::SessionLimit | Event::MemoryLimit | Event::LoadAverageLimit => Cause::Limit,
            Event::InvalidTransport => Cause::BadTransport,
        }
    }

    fn is_pjsip_unknown(&self) -> bool {
        self.service == Service::PjSip && self.account == UNKNOWN
    }

    fn account(&self, dialled: bool) -> &[u8] {
        if self.is_pjsip_unknown() {
            return &[];
        }
        if self.service != Service::ChanSip {
            return self.account;
        }
        match self.event {
            // of a call chan_sip writes the caller's From URI here
            Event::ChallengeSent | Event::ChallengeResponseFailed => {
                uri_user(self.account).unwrap_or(self.account)
            }
            // only calls reach these
            Event::SessionLimit => &[],
            Event::FailedAcl if self.acl_name == b"no_extension_match" => &[],
            _ if dialled => &[],
            _ => self.account,
        }
    }

    fn proof(&self) -> Proof {
        let answered = match self.event {
            Event::InvalidPassword => {
                self.service == Service::ChanSip
                    && !self.challenge.is_empty()
                    && self.challenge == self.received_challenge
            }
            Event::SuccessfulAuth => self.using_password == b"1",
            _ => false,
        };
        let answered = if answered { Proof::Answered } else { Proof::None };
        self.remote.transport().proof().max(answered)
    }

    fn detail(&self) -> Text {
        let name: &[u8] = match self.event {
            Event::FailedAcl => b"FailedACL",
            Event::InvalidAccountId => b"InvalidAccountID",
            Event::SessionLimit => b"SessionLimit",
            Event::MemoryLimit => b"MemoryLimit",
            Event::LoadAverageLimit => b"LoadAverageLimit",
            Event::RequestNotSupported => b"RequestNotSupported",
            Event::RequestNotAllowed => b"RequestNotAllowed",
            Event::AuthMethodNotAllowed => b"AuthMethodNotAllowed",
            Event::RequestBadFormat => b"RequestBadFormat",
            Event::SuccessfulAuth => b"SuccessfulAuth",
            Event::UnexpectedAddress => b"UnexpectedAddress",
            Event::ChallengeResponseFailed => b"ChallengeResponseFailed",
            Event::InvalidPassword => b"InvalidPassword",
            Event::ChallengeSent => b"ChallengeSent",
            Event::InvalidTransport => b"InvalidTransport",
        };
        let more = if self.acl_name.is_empty() {
            self.request_type
        } else {
            self.acl_name
        };
        if more.is_empty() {
            return Text::new(name);
        }
        let more = more.get(..more.len().min(40)).unwrap_or(more);
        Text::new(&[name, b" ", more].concat())
    }
}

/// The user of a SIP URI, `sip:alice@example.net`.
pub(super) fn uri_user(uri: &[u8]) -> Option<&[u8]> {
    let rest = uri.strip_prefix(b"sip:").or_else(|| uri.strip_prefix(b"sips:"))?;
    rest.get(..memchr::memchr(b'@', rest)?)
}
