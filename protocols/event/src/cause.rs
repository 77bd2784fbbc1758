//! What happened, to which service, and how well the address is proven.

use serde::{Deserialize, Serialize};

/// What a security event says happened.
///
/// The order is by weight: folding several events of one attempt keeps the greatest, except that
/// [`Cause::Succeeded`] ends an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Cause {
    /// The PBX asked for credentials. Normal for every phone; evidence only by rate when never answered.
    Challenged,
    /// The login succeeded.
    Succeeded,
    /// Refused after a good password, by a registrar limit for instance: honest phones do this.
    AfterAuth,
    /// A request the PBX does not offer to this peer.
    Refused,
    /// A session, memory or load limit refused it.
    Limit,
    /// The account exists but not over this transport.
    BadTransport,
    /// A request that does not parse.
    Malformed,
    /// A number that does not exist was called.
    UnknownExtension,
    /// A tool known for scanning announced itself.
    Scanner,
    /// An access list refused the peer.
    AclDenied,
    /// The account does not exist.
    UnknownAccount,
    /// The credentials were wrong.
    WrongPassword,
}

impl Cause {
    /// Every cause, lightest first.
    pub const ALL: [Self; 12] = [
        Self::Challenged,
        Self::Succeeded,
        Self::AfterAuth,
        Self::Refused,
        Self::Limit,
        Self::BadTransport,
        Self::Malformed,
        Self::UnknownExtension,
        Self::Scanner,
        Self::AclDenied,
        Self::UnknownAccount,
        Self::WrongPassword,
    ];

    /// The name used in configuration, records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Challenged => "challenged",
            Self::Succeeded => "succeeded",
            Self::AfterAuth => "after-auth",
            Self::Refused => "refused",
            Self::Limit => "limit",
            Self::BadTransport => "bad-transport",
            Self::Malformed => "malformed",
            Self::UnknownExtension => "unknown-extension",
            Self::Scanner => "scanner",
            Self::AclDenied => "acl-denied",
            Self::UnknownAccount => "unknown-account",
            Self::WrongPassword => "wrong-password",
        }
    }
}

/// The part of a PBX that a peer talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Service {
    /// Asterisk's PJSIP stack.
    #[serde(rename = "pjsip")]
    PjSip,
    /// Asterisk's older chan_sip.
    ChanSip,
    /// Asterisk's IAX2.
    Iax2,
    /// Asterisk's manager interface.
    Ami,
    /// HTTP and ARI.
    Http,
    /// FreeSWITCH's SIP stack.
    Sofia,
    /// FreeSWITCH's WebRTC signalling.
    Verto,
    /// FreeSWITCH's event socket.
    Esl,
    /// Anything else, a user's own log for instance.
    Other,
}

impl Service {
    /// Every service.
    pub const ALL: [Self; 9] = [
        Self::PjSip,
        Self::ChanSip,
        Self::Iax2,
        Self::Ami,
        Self::Http,
        Self::Sofia,
        Self::Verto,
        Self::Esl,
        Self::Other,
    ];

    /// The name used in configuration, records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::PjSip => "pjsip",
            Self::ChanSip => "chan-sip",
            Self::Iax2 => "iax2",
            Self::Ami => "ami",
            Self::Http => "http",
            Self::Sofia => "sofia",
            Self::Verto => "verto",
            Self::Esl => "esl",
            Self::Other => "other",
        }
    }
}

/// How well an event proves that its peer really sits at the address it names; a greater value proves more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[repr(u8)]
pub enum Proof {
    /// The address is only what the peer itself claimed in its message: nobody is banned for it unless an admin wants that.
    Claimed,
    /// Nothing proves it: one spoofed UDP packet can make such an event.
    #[default]
    None,
    /// The peer answered a challenge that was sent to that address.
    Answered,
    /// The transport has a handshake (TCP and everything above it).
    Handshake,
}

impl Proof {
    /// The name used in records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::None => "none",
            Self::Answered => "answered",
            Self::Handshake => "handshake",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_serde_writes() {
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.name());
        }
        for service in Service::ALL {
            assert_eq!(serde_json::to_value(service).unwrap(), service.name());
        }
        for proof in [Proof::Claimed, Proof::None, Proof::Answered, Proof::Handshake] {
            assert_eq!(serde_json::to_value(proof).unwrap(), proof.name());
        }
    }

    #[test]
    fn a_wrong_password_outweighs_its_challenge() {
        assert!(Cause::WrongPassword > Cause::UnknownAccount);
        assert!(Cause::UnknownAccount > Cause::Challenged);
        assert!(Proof::Handshake > Proof::Answered && Proof::Answered > Proof::None);
        assert!(Proof::None > Proof::Claimed);
    }
}
