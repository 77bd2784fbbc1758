//! Notices when somebody else changes our table: `nft flush ruleset`, a firewall that reloads, a curious admin.
//!
//! The kernel announces every change of the ruleset, ours included. Ours are told apart by the netlink port they came
//! from and are thrown away by a socket filter in the kernel, so that a hundred thousand bans wake nobody up.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::libc::ENOBUFS;
use nix::sys::socket::{setsockopt, sockopt};
use ringfence_nfnl::{FAMILY_INET, GROUP_NFTABLES, Kind, Message, Reply, messages, request};
use socket2::{SockFilter, SockRef};

use super::layout::TABLE;
use crate::fence::Change;

/// Called from the watching thread for each datagram that tells of a change; must return quickly.
pub type OnChange = Box<dyn Fn(Change) + Send>;

/// The thread needs little.
const STACK: usize = 128 << 10;
/// Room for what others change at once; what doesn't fit is reported as [`Change::Lost`].
const RECEIVE_BUFFER: usize = 1 << 20;
/// The kernel announces changes in datagrams of at most a page or two.
const INBOX: usize = 32 << 10;

/// Watches until it is dropped.
pub struct Watch {
    socket: Arc<Socket>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the network namespace of the calling thread; `own` is the netlink port whose changes are ours.
    pub(super) fn start(own: u32, on_change: OnChange) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        SockRef::from(&socket).attach_filter(&all_but(own))?;
        if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
            setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BUFFER)?;
        }
        socket.add_membership(GROUP_NFTABLES)?;
        let socket = Arc::new(socket);
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("ringfence-watch".to_owned())
            .stack_size(STACK)
            .spawn({
                let (socket, stop) = (Arc::clone(&socket), Arc::clone(&stop));
                move || watch(&socket, &stop, &on_change)
            })?;
        Ok(Self {
            socket,
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The answer to this question wakes the thread up; if it can't be asked, the thread stays behind, asleep.
        if self.socket.send(&request::generation(1), 0).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}

/// A filter that accepts every datagram but those whose first message names the port `own` (`nlmsg_pid`, at byte 12).
/// All messages of a datagram come from one transaction.
fn all_but(own: u32) -> [SockFilter; 4] {
    const LOAD_WORD: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    // The filter machine loads big-endian what the header holds in the machine's own order.
    let own = u32::from_be_bytes(own.to_ne_bytes());
    [
        SockFilter::new(LOAD_WORD, 0, 0, 12),
        SockFilter::new(JUMP_EQUAL, 0, 1, own),
        SockFilter::new(RETURN, 0, 0, 0),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
    ]
}

fn watch(socket: &Socket, stop: &AtomicBool, on_change: &OnChange) {
    let mut inbox = Vec::with_capacity(INBOX);
    loop {
        inbox.clear();
        let received = socket.recv(&mut inbox, 0);
        if stop.load(Ordering::Acquire) {
            return;
        }
        let change = match received {
            Ok(_) => messages(&inbox)
                .map_while(Result::ok)
                .filter_map(|message| change(&message))
                .max(),
            Err(error) if error.raw_os_error() == Some(ENOBUFS) => Some(Change::Lost),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
            // Nothing will come any more; the comparison on a timer remains.
            Err(error) => {
                tracing::error!(%error, "can no longer listen to changes of the ruleset");
                return;
            }
        };
        if let Some(change) = change {
            on_change(change);
        }
    }
}

/// What a notification means for our table.
fn change(message: &Message<'_>) -> Option<Change> {
    match message.reply().ok()? {
        Reply::Overrun => Some(Change::Lost),
        Reply::Object(Kind::NewGeneration) => None,
        Reply::Object(_) if message.family() != Some(FAMILY_INET) || message.table() != Some(TABLE) => None,
        Reply::Object(
            Kind::DeleteTable | Kind::DeleteChain | Kind::DeleteRule | Kind::DeleteSet | Kind::DeleteElement,
        ) => Some(Change::Removed),
        Reply::Object(Kind::NewTable | Kind::NewChain | Kind::NewRule | Kind::NewSet | Kind::NewElement) => {
            Some(Change::Altered)
        }
        _ => None,
    }
}
