//! Reads the headers of one security event in exactly the order Asterisk writes them.

use memchr::memmem;
use nom::combinator::opt;
use nom::{IResult, Parser};
use ringfence_event::{Peer, Service, Transport};

use super::kind::{Field, Kind};
use crate::address::peer;
use crate::frame::{Ending, Frame, header, lines_that_begin};

/// What one security event says, its address read and its order checked.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a> {
    pub(crate) kind: Kind,
    pub(crate) time: &'a [u8],
    pub(crate) service: Service,
    pub(crate) account: &'a [u8],
    pub(crate) session: &'a [u8],
    pub(crate) remote: Peer,
    pub(crate) tail: Tail<'a>,
    /// Whether lines were added to it that Asterisk does not write.
    pub(crate) injected: bool,
}

/// The headers behind `RemoteAddress` that mean something to us.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tail<'a> {
    pub(crate) acl_name: &'a [u8],
    pub(crate) request_type: &'a [u8],
    pub(crate) using_password: &'a [u8],
    pub(crate) challenge: &'a [u8],
    pub(crate) received_challenge: &'a [u8],
    account: &'a [u8],
}

impl<'a> Statement<'a> {
    /// Reads a frame whose first line says `kind`; `None` when its order is broken beyond what can be relied on.
    pub(crate) fn read(frame: &Frame<'a>, kind: Kind) -> Option<Self> {
        let ending = frame.ending();
        let (rest, head) = head(ending, frame.bytes()).ok()?;
        strict(kind, ending, head, rest).or_else(|| with_added_lines(kind, ending, head, rest))
    }

    fn new(
        kind: Kind,
        head: Head<'a>,
        account: &'a [u8],
        triple: Triple<'a>,
        tail: Tail<'a>,
    ) -> Option<Self> {
        let remote = peer(triple.remote)?;
        let service = service(head.service);
        if remote.addr().is_unspecified() || !triple.local.starts_with(b"IPV") {
            return None;
        }
        // chan_sip and the manager always know their transport and name a pointer; asking for both leaves no room for a
        // whole invented triple in the 79 bytes that chan_sip keeps of a name: the shortest has 81
        if matches!(service, Service::ChanSip | Service::Ami) {
            let known = |peer: Peer| peer.transport() != Transport::Unknown;
            if !known(remote) || !peer(triple.local).is_some_and(known) || !is_pointer(triple.session) {
                return None;
            }
        }
        Some(Self {
            kind,
            time: head.time,
            service,
            account,
            session: triple.session,
            remote,
            tail,
            injected: false,
        })
    }
}

/// Whether it is the address of something that Asterisk allocated. Its own program takes up more than the first megabyte,
/// so that no allocation has an address of fewer than six digits.
fn is_pointer(session: &[u8]) -> bool {
    session
        .strip_prefix(b"0x")
        .is_some_and(|digits| digits.len() >= 6 && digits.iter().all(u8::is_ascii_hexdigit))
}

/// The service that a broken block claims in its genuine first lines, for judging its neighbours.
pub(crate) fn claimed_service(frame: &Frame<'_>) -> Option<Service> {
    let (_, head) = head(frame.ending(), frame.bytes()).ok()?;
    Some(service(head.service))
}

#[derive(Clone, Copy)]
struct Head<'a> {
    time: &'a [u8],
    service: &'a [u8],
}

#[derive(Clone, Copy)]
struct Triple<'a> {
    session: &'a [u8],
    local: &'a [u8],
    remote: &'a [u8],
}

/// Everything in front of the first value that a peer can choose.
fn head(ending: Ending, input: &[u8]) -> IResult<&[u8], Head<'_>, ()> {
    let (input, _) = header(ending, b"Event")(input)?;
    let (input, privilege) = header(ending, b"Privilege")(input)?;
    if !privilege.starts_with(b"security") {
        return Err(nom::Err::Error(()));
    }
    let mut input = input;
    // the server's own additions: timestampevents=yes, debug=yes, a system name
    if !input.starts_with(b"EventTV") {
        for name in [
            &b"Timestamp"[..],
            b"SequenceNumber",
            b"File",
            b"Line",
            b"Func",
            b"SystemName",
        ] {
            (input, _) = opt(header(ending, name)).parse(input)?;
        }
    }
    let (input, time) = header(ending, b"EventTV")(input)?;
    let (input, _severity) = header(ending, b"Severity")(input)?;
    let (input, service) = header(ending, b"Service")(input)?;
    let (input, _version) = header(ending, b"EventVersion")(input)?;
    Ok((input, Head { time, service }))
}

fn triple(ending: Ending, input: &[u8]) -> IResult<&[u8], Triple<'_>, ()> {
    let (input, session) = header(ending, b"SessionID")(input)?;
    let (input, local) = header(ending, b"LocalAddress")(input)?;
    let (input, remote) = header(ending, b"RemoteAddress")(input)?;
    Ok((
        input,
        Triple {
            session,
            local,
            remote,
        },
    ))
}

fn strict<'a>(kind: Kind, ending: Ending, head: Head<'a>, rest: &'a [u8]) -> Option<Statement<'a>> {
    let (rest, account) = if kind.account_comes_first() {
        header(ending, b"AccountID")(rest).ok()?
    } else {
        (rest, &[][..])
    };
    let (rest, triple) = triple(ending, rest).ok()?;
    let tail = tail(kind, ending, rest)?;
    let account = if kind.account_comes_first() {
        account
    } else {
        tail.account
    };
    Statement::new(kind, head, account, triple, tail)
}

/// The headers behind `RemoteAddress`, to the end of the block.
fn tail(kind: Kind, ending: Ending, mut rest: &[u8]) -> Option<Tail<'_>> {
    let mut tail = Tail::default();
    for &field in kind.required() {
        let value;
        (rest, value) = header(ending, field.name())(rest).ok()?;
        tail.keep(field, value);
    }
    for &field in kind.optional() {
        if rest.is_empty() {
            break;
        }
        if let Ok((behind, value)) = header(ending, field.name())(rest) {
            rest = behind;
            tail.keep(field, value);
        }
    }
    rest.is_empty().then_some(tail)
}

impl<'a> Tail<'a> {
    fn keep(&mut self, field: Field, value: &'a [u8]) {
        match field {
            Field::AclName => self.acl_name = value,
            Field::RequestType => self.request_type = value,
            Field::UsingPassword => self.using_password = value,
            Field::Challenge => self.challenge = value,
            Field::ReceivedChallenge => self.received_challenge = value,
            Field::AccountId => self.account = value,
            _ => {}
        }
    }
}

/// Reads a block to which lines were added, as long as only one address can be the real one.
///
/// The name of the account is then everything up to the block's only triple. Whatever stands behind the triple is read
/// if it is in order and left out if not.
fn with_added_lines<'a>(kind: Kind, ending: Ending, head: Head<'a>, rest: &'a [u8]) -> Option<Statement<'a>> {
    for name in [&b"SessionID:"[..], b"LocalAddress:"] {
        if lines_that_begin(rest, name, ending) != 1 {
            return None;
        }
    }
    let (account, rest) = if kind.account_comes_first() {
        let value = rest.strip_prefix(b"AccountID: ")?;
        let at = match ending {
            Ending::CrLf => memmem::find(value, b"\r\nSessionID:")?,
            Ending::Lf => memmem::find(value, b"\nSessionID:")?,
        };
        let (account, behind) = value.split_at_checked(at)?;
        (account, behind.strip_prefix(ending.bytes())?)
    } else {
        (&[][..], rest)
    };
    let (rest, triple) = triple(ending, rest).ok()?;
    let tail = tail(kind, ending, rest).unwrap_or_default();
    let statement = Statement::new(kind, head, account, triple, tail)?;
    Some(Statement {
        injected: true,
        ..statement
    })
}

fn service(name: &[u8]) -> Service {
    match name {
        b"PJSIP" => Service::PjSip,
        b"SIP" => Service::ChanSip,
        b"AMI" => Service::Ami,
        b"IAX2" => Service::Iax2,
        _ => Service::Other,
    }
}
