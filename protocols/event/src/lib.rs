//! The vocabulary that every part of ringfence speaks: what a telephone system says about one login.
//!
//! Protocol crates turn bytes into [`SecurityEvent`]s, the engine turns them into verdicts. Nothing here does I/O,
//! reads a clock or allocates: an event is a plain value of bounded size, whatever the peer sent.

mod cause;
mod moment;
mod peer;
mod text;

pub use cause::{Cause, Proof, Service};
pub use moment::{Moment, Span};
pub use peer::{Peer, Transport};
pub use text::Text;

/// Which configured source an event came from: an index that the daemon hands out, shown by its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(pub u16);

/// One security-relevant statement of a PBX about one peer.
///
/// Several events usually belong to one attempt (a challenge, then its failure); folding them is the engine's work.
/// Every text in it was chosen by whoever talked to the PBX: see [`Text`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityEvent {
    /// When the PBX says it happened; `None` where the source carries no usable time. Informative in live use, the
    /// clock of a replay.
    pub at: Option<Moment>,
    /// The configured source that delivered it.
    pub source: SourceId,
    /// The part of the PBX that was talked to.
    pub service: Service,
    /// What happened.
    pub cause: Cause,
    /// Who did it, as the PBX saw the packet's source.
    pub peer: Peer,
    /// The account that was tried; empty when the event names none.
    pub account: Text,
    /// Where the PBX looked the account up, as far as the event tells: digest realm, else SIP domain, else profile; empty
    /// when the source knows no tenants.
    pub tenant: Text,
    /// The SIP domain that was addressed, which need not be the realm; empty when the event names none.
    pub domain: Text,
    /// The PBX's profile (its listener) that was talked to: the only one of these names that the PBX itself chose.
    pub profile: Text,
    /// Call-ID or session id that binds the events of one attempt together; empty when there is none that can be relied on.
    pub dialogue: Text,
    /// How well the event proves that the peer really sits at its address.
    pub proof: Proof,
    /// The PBX's own word for what happened (event name, ACL name, reason), for people.
    pub detail: Text,
}

impl SecurityEvent {
    /// An event of which nothing more is known: no time, no names, no proof.
    pub const fn blank(cause: Cause, service: Service, peer: Peer) -> Self {
        Self {
            at: None,
            source: SourceId(0),
            service,
            cause,
            peer,
            account: Text::EMPTY,
            tenant: Text::EMPTY,
            domain: Text::EMPTY,
            profile: Text::EMPTY,
            dialogue: Text::EMPTY,
            proof: Proof::None,
            detail: Text::EMPTY,
        }
    }
}
