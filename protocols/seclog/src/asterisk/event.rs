//! The fifteen events of the security log, and the fields of each in the order they are written.

/// One of the fifteen security events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    FailedAcl,
    InvalidAccountId,
    SessionLimit,
    MemoryLimit,
    LoadAverageLimit,
    RequestNotSupported,
    RequestNotAllowed,
    AuthMethodNotAllowed,
    RequestBadFormat,
    SuccessfulAuth,
    UnexpectedAddress,
    ChallengeResponseFailed,
    InvalidPassword,
    ChallengeSent,
    InvalidTransport,
}

impl Event {
    pub(super) fn from_name(name: &[u8]) -> Option<Self> {
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

    /// Whether `AccountID` stands before `SessionID`, as it does everywhere but in one event.
    pub(super) fn account_comes_first(self) -> bool {
        self != Self::RequestBadFormat
    }

    /// The fields that must follow `RemoteAddress`, in order.
    pub(super) fn required(self) -> &'static [&'static [u8]] {
        match self {
            Self::RequestNotSupported | Self::RequestNotAllowed | Self::RequestBadFormat => &[b"RequestType"],
            Self::AuthMethodNotAllowed => &[b"AuthMethod"],
            Self::SuccessfulAuth => &[b"UsingPassword"],
            Self::UnexpectedAddress => &[b"ExpectedAddress"],
            Self::ChallengeResponseFailed => &[b"Challenge", b"Response", b"ExpectedResponse"],
            Self::ChallengeSent => &[b"Challenge"],
            Self::InvalidTransport => &[b"AttemptedTransport"],
            _ => &[],
        }
    }

    /// The fields that may follow those, in order.
    pub(super) fn optional(self) -> &'static [&'static [u8]] {
        match self {
            Self::FailedAcl => &[b"Module", b"ACLName", b"SessionTV"],
            Self::RequestNotAllowed => &[b"Module", b"SessionTV", b"RequestParams"],
            Self::RequestBadFormat => &[b"Module", b"SessionTV", b"AccountID", b"RequestParams"],
            Self::InvalidPassword => &[
                b"Module",
                b"SessionTV",
                b"Challenge",
                b"ReceivedChallenge",
                b"ReceivedHash",
            ],
            _ => &[b"Module", b"SessionTV"],
        }
    }
}
