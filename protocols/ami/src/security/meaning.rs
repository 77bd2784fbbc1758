//! What a security event means: its cause, its account, how well it proves the address.

use ringfence_event::{Cause, Proof, SecurityEvent, Service, SourceId, Text};

use super::kind::Kind;
use super::statement::Statement;
use crate::time::event_time;

/// Bytes of one value that are looked at; what is kept of a longer value is its beginning and a digest of this much, so
/// that a value of 100 kB costs no more time than one of 8 kB.
const MAX_VALUE: usize = 8 * 1024;
/// What PJSIP writes for an account that it could not identify.
const UNKNOWN: &[u8] = b"<unknown>";

impl Statement<'_> {
    /// The event in the common vocabulary, its source still to be set.
    ///
    /// `dialled` says that this chan_sip event belongs to a call, so that its `AccountID` is the number that was called.
    pub(crate) fn event(&self, dialled: bool) -> SecurityEvent {
        let account = self.account(dialled);
        SecurityEvent {
            at: event_time(self.time),
            source: SourceId::default(),
            service: self.service,
            cause: self.cause(),
            peer: self.remote,
            account: text(account),
            tenant: Text::EMPTY,
            domain: Text::EMPTY,
            profile: Text::EMPTY,
            dialogue: self.dialogue(),
            proof: self.proof(),
            detail: self.detail(account.is_empty()),
        }
    }

    fn cause(&self) -> Cause {
        match self.kind {
            Kind::ChallengeSent => Cause::Challenged,
            Kind::SuccessfulAuth => Cause::Succeeded,
            Kind::InvalidAccountId => Cause::UnknownAccount,
            // an account that does not exist, whose challenge was answered all the same
            Kind::ChallengeResponseFailed if self.is_pjsip_unknown() => Cause::UnknownAccount,
            Kind::ChallengeResponseFailed | Kind::InvalidPassword => Cause::WrongPassword,
            Kind::FailedAcl if self.tail.acl_name.starts_with(b"registrar_") => Cause::AfterAuth,
            Kind::FailedAcl if self.tail.acl_name == b"no_extension_match" => Cause::UnknownExtension,
            Kind::FailedAcl | Kind::UnexpectedAddress => Cause::AclDenied,
            // the manager names an account here only once it has logged in: a tool that lacks a permission is no attacker
            Kind::RequestNotAllowed | Kind::RequestBadFormat
                if self.service == Service::Ami && !self.account.is_empty() =>
            {
                Cause::AfterAuth
            }
            Kind::RequestBadFormat => Cause::Malformed,
            Kind::RequestNotSupported | Kind::RequestNotAllowed | Kind::AuthMethodNotAllowed => {
                Cause::Refused
            }
            Kind::SessionLimit | Kind::MemoryLimit | Kind::LoadAverageLimit => Cause::Limit,
            Kind::InvalidTransport => Cause::BadTransport,
        }
    }

    fn is_pjsip_unknown(&self) -> bool {
        self.service == Service::PjSip && self.account == UNKNOWN
    }

    /// The account that was tried; empty where `AccountID` is something else.
    fn account(&self, dialled: bool) -> &[u8] {
        if self.is_pjsip_unknown() {
            return &[];
        }
        if self.service != Service::ChanSip {
            return self.account;
        }
        match self.kind {
            // of a call chan_sip writes the caller's From URI here
            Kind::ChallengeSent | Kind::ChallengeResponseFailed => {
                uri_user(self.account).unwrap_or(self.account)
            }
            // only calls reach these
            Kind::SessionLimit => &[],
            Kind::FailedAcl if self.tail.acl_name == b"no_extension_match" => &[],
            _ if dialled => &[],
            _ => self.account,
        }
    }

    /// What binds the events of one attempt. The manager's session id is a pointer that the next connection gets again
    /// within the same second, so it binds nothing.
    fn dialogue(&self) -> Text {
        match self.service {
            Service::Ami => Text::EMPTY,
            _ => text(self.session),
        }
    }

    fn proof(&self) -> Proof {
        let answered = match self.kind {
            // chan_sip compares the nonce before the password; it gave that nonce to this address
            Kind::InvalidPassword => {
                self.service == Service::ChanSip
                    && !self.tail.challenge.is_empty()
                    && self.tail.challenge == self.tail.received_challenge
            }
            Kind::SuccessfulAuth => self.tail.using_password == b"1",
            _ => false,
        };
        let answered = if answered { Proof::Answered } else { Proof::None };
        self.remote.transport().proof().max(answered)
    }

    /// Asterisk's own words: the event, then its access list, its request, or the number that was called.
    fn detail(&self, without_account: bool) -> Text {
        let mut phrase = Phrase::default();
        phrase.add(self.kind.name().as_bytes());
        if !self.tail.acl_name.is_empty() {
            phrase.word(self.tail.acl_name);
        }
        if !self.tail.request_type.is_empty() {
            phrase.word(self.tail.request_type);
        }
        if without_account && self.service == Service::ChanSip && !self.account.is_empty() {
            phrase.word(self.account);
        }
        if self.injected {
            phrase.word(b"with added lines");
        }
        phrase.text()
    }
}

fn text(value: &[u8]) -> Text {
    Text::new(value.get(..MAX_VALUE).unwrap_or(value))
}

/// The user of a SIP URI, `sip:alice@example.net`.
pub(crate) fn uri_user(uri: &[u8]) -> Option<&[u8]> {
    let rest = uri.strip_prefix(b"sip:").or_else(|| uri.strip_prefix(b"sips:"))?;
    let at = memchr::memchr(b'@', rest)?;
    rest.get(..at)
}

/// A few words for people, cut at what a [`Text`] keeps whole.
struct Phrase {
    bytes: [u8; 63],
    len: usize,
}

impl Default for Phrase {
    fn default() -> Self {
        Self {
            bytes: [0; 63],
            len: 0,
        }
    }
}

impl Phrase {
    fn word(&mut self, word: &[u8]) {
        self.add(b" ");
        self.add(word);
    }

    fn add(&mut self, word: &[u8]) {
        let room = self.bytes.get_mut(self.len..).unwrap_or_default();
        let count = room.len().min(word.len());
        for (slot, byte) in room.iter_mut().zip(word) {
            *slot = *byte;
        }
        self.len += count;
    }

    fn text(&self) -> Text {
        Text::new(self.bytes.get(..self.len).unwrap_or_default())
    }
}
