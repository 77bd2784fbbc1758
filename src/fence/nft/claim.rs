//! One daemon a kernel: two that enforce in one network namespace would each delete what the other bans.
//!
//! The claim is an abstract Unix socket: its name is unique in a network namespace, exactly as far as the rules reach, and
//! the kernel drops it with the process, however that ends.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::geteuid;

use crate::fence::FenceError;

/// The name of the claim, behind the NUL of abstract names.
const NAME: &[u8] = b"ringfence/nftables";

/// The right to enforce here, until it is dropped.
#[derive(Debug)]
pub struct Claim {
    _listener: Option<UnixListener>,
}

impl Claim {
    /// Claims the network namespace of the calling thread.
    pub(super) fn stake() -> Result<Self, FenceError> {
        let failed = |error| FenceError::Kernel {
            what: "the claim to be the only daemon here".into(),
            error,
        };
        let name = SocketAddr::from_abstract_name(NAME).map_err(failed)?;
        match UnixListener::bind_addr(&name) {
            Ok(listener) => Ok(Self {
                _listener: Some(listener),
            }),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => Self::against_holder(&name),
            Err(error) => Err(failed(error)),
        }
    }

    /// Somebody holds the name: a daemon, unless it is a user who may not enforce anything and only wants to be in the way.
    fn against_holder(name: &SocketAddr) -> Result<Self, FenceError> {
        let holder = UnixStream::connect_addr(name)
            .ok()
            .and_then(|stream| getsockopt(&stream, sockopt::PeerCredentials).ok());
        if let Some(holder) = holder
            && holder.uid() != 0
            && holder.uid() != geteuid().as_raw()
        {
            tracing::warn!(
                pid = holder.pid(),
                uid = holder.uid(),
                "a process of another user holds the name that tells daemons apart; going on without it"
            );
            return Ok(Self { _listener: None });
        }
        let who = holder.map_or_else(String::new, |holder| format!(" (pid {})", holder.pid()));
        Err(FenceError::Foreign {
            detail: format!("another ringfence{who} enforces in this network namespace already"),
            remedy: "Stop it first: two would delete each other's bans".into(),
        })
    }
}
