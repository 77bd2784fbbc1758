//! The fifteen security events of Asterisk 16 and 22, and the headers of each in the order they are sent.

/// A header that stands behind `RemoteAddress` (or, for [`Self::AccountId`], only there in one kind of event).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Module,
    AclName,
    SessionTv,
    RequestType,
    RequestParams,
    AuthMethod,
    AccountId,
    UsingPassword,
    ExpectedAddress,
    Challenge,
    Response,
    ExpectedResponse,
    ReceivedChallenge,
    ReceivedHash,
    AttemptedTransport,
}

impl Field {
    pub(crate) fn name(self) -> &'static [u8] {
        match self {
            Self::Module => b"Module",
            Self::AclName => b"ACLName",
            Self::SessionTv => b"SessionTV",
            Self::RequestType => b"RequestType",
            Self::RequestParams => b"RequestParams",
            Self::AuthMethod => b"AuthMethod",
            Self::AccountId => b"AccountID",
            Self::UsingPassword => b"UsingPassword",
            Self::ExpectedAddress => b"ExpectedAddress",
            Self::Challenge => b"Challenge",
            Self::Response => b"Response",
            Self::ExpectedResponse => b"ExpectedResponse",
            Self::ReceivedChallenge => b"ReceivedChallenge",
            Self::ReceivedHash => b"ReceivedHash",
            Self::AttemptedTransport => b"AttemptedTransport",
        }
    }
}

/// One of the fifteen security events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An access list refused the peer, or a registrar limit did (`ACLName` tells).
    FailedAcl,
    /// The account does not exist.
    InvalidAccountId,
    /// A limit of sessions was reached.
    SessionLimit,
    /// A limit of memory was reached.
    MemoryLimit,
    /// A limit of load was reached.
    LoadAverageLimit,
    /// The request is not offered.
    RequestNotSupported,
    /// The request is not allowed to this user.
    RequestNotAllowed,
    /// The way to authenticate is not allowed.
    AuthMethodNotAllowed,
    /// The request does not parse.
    RequestBadFormat,
    /// The login succeeded.
    SuccessfulAuth,
    /// The peer came from another address than expected.
    UnexpectedAddress,
    /// A challenge was answered wrongly.
    ChallengeResponseFailed,
    /// The password was wrong.
    InvalidPassword,
    /// Credentials were asked for.
    ChallengeSent,
    /// The account may not use this transport.
    InvalidTransport,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 15] = [
        Self::FailedAcl,
        Self::InvalidAccountId,
        Self::SessionLimit,
        Self::MemoryLimit,
        Self::LoadAverageLimit,
        Self::RequestNotSupported,
        Self::RequestNotAllowed,
        Self::AuthMethodNotAllowed,
        Self::RequestBadFormat,
        Self::SuccessfulAuth,
        Self::UnexpectedAddress,
        Self::ChallengeResponseFailed,
        Self::InvalidPassword,
        Self::ChallengeSent,
        Self::InvalidTransport,
    ];

    /// The kind that Asterisk calls so.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        Some(match name {
            b"FailedACL" => Self::FailedAcl,
            b"InvalidAccountID" => Self::InvalidAccountId,
            b"SessionLimit" => Self::SessionLimit,
            b"MemoryLimit" => Self::MemoryLimit,
            b"LoadAverageLimit" => Self::LoadAverageLimit,
            b"RequestNotSupported" => Self::RequestNotSupported,
            b"RequestNotAllowed" => Self::RequestNotAllowed,
            b"AuthMethodNotAllowed" => Self::AuthMethodNotAllowed,
            b"RequestBadFormat" => Self::RequestBadFormat,
            b"SuccessfulAuth" => Self::SuccessfulAuth,
            b"UnexpectedAddress" => Self::UnexpectedAddress,
            b"ChallengeResponseFailed" => Self::ChallengeResponseFailed,
            b"InvalidPassword" => Self::InvalidPassword,
            b"ChallengeSent" => Self::ChallengeSent,
            b"InvalidTransport" => Self::InvalidTransport,
            _ => return None,
        })
    }

    /// What Asterisk calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::FailedAcl => "FailedACL",
            Self::InvalidAccountId => "InvalidAccountID",
            Self::SessionLimit => "SessionLimit",
            Self::MemoryLimit => "MemoryLimit",
            Self::LoadAverageLimit => "LoadAverageLimit",
            Self::RequestNotSupported => "RequestNotSupported",
            Self::RequestNotAllowed => "RequestNotAllowed",
            Self::AuthMethodNotAllowed => "AuthMethodNotAllowed",
            Self::RequestBadFormat => "RequestBadFormat",
            Self::SuccessfulAuth => "SuccessfulAuth",
            Self::UnexpectedAddress => "UnexpectedAddress",
            Self::ChallengeResponseFailed => "ChallengeResponseFailed",
            Self::InvalidPassword => "InvalidPassword",
            Self::ChallengeSent => "ChallengeSent",
            Self::InvalidTransport => "InvalidTransport",
        }
    }

    /// Whether `AccountID` stands before `SessionID`, as it does everywhere but in one kind.
    pub(crate) fn account_comes_first(self) -> bool {
        self != Self::RequestBadFormat
    }

    /// The headers that must follow `RemoteAddress`, in order.
    pub(crate) fn required(self) -> &'static [Field] {
        match self {
            Self::RequestNotSupported | Self::RequestNotAllowed | Self::RequestBadFormat => {
                &[Field::RequestType]
            }
            Self::AuthMethodNotAllowed => &[Field::AuthMethod],
            Self::SuccessfulAuth => &[Field::UsingPassword],
            Self::UnexpectedAddress => &[Field::ExpectedAddress],
            Self::ChallengeResponseFailed => &[Field::Challenge, Field::Response, Field::ExpectedResponse],
            Self::ChallengeSent => &[Field::Challenge],
            Self::InvalidTransport => &[Field::AttemptedTransport],
            Self::FailedAcl
            | Self::InvalidAccountId
            | Self::SessionLimit
            | Self::MemoryLimit
            | Self::LoadAverageLimit
            | Self::InvalidPassword => &[],
        }
    }

    /// The headers that may follow those, in order.
    pub(crate) fn optional(self) -> &'static [Field] {
        match self {
            Self::FailedAcl => &[Field::Module, Field::AclName, Field::SessionTv],
            Self::RequestNotAllowed => &[Field::Module, Field::SessionTv, Field::RequestParams],
            Self::RequestBadFormat => &[
                Field::Module,
                Field::SessionTv,
                Field::AccountId,
                Field::RequestParams,
            ],
            Self::InvalidPassword => &[
                Field::Module,
                Field::SessionTv,
                Field::Challenge,
                Field::ReceivedChallenge,
                Field::ReceivedHash,
            ],
            _ => &[Field::Module, Field::SessionTv],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_their_kinds() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_name(kind.name().as_bytes()), Some(kind));
        }
        assert_eq!(Kind::from_name(b"TestEvent"), None);
        assert_eq!(Kind::from_name(b"successfulauth"), None);
    }
}
