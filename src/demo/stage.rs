//! A private network namespace to ban in, so that the machine's own rules are not touched.

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getgid, getuid};

/// RTM_NEWLINK of rtnetlink: create or change an interface.
const NEW_LINK: u16 = 16;
/// NLM_F_REQUEST and NLM_F_ACK.
const REQUEST_ACK: u16 = 0x01 | 0x04;
/// The loopback interface is the first of every namespace.
const LOOPBACK: i32 = 1;
/// IFF_UP.
const UP: u32 = 1;

/// Moves the calling thread, and every thread it starts from now on, into a network namespace of its own. Without root a
/// user namespace is made around it. Must be called before any other thread exists. An error says why this machine does
/// not allow it.
pub fn enter() -> Result<(), String> {
    if getuid().is_root() {
        unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace ({error})"))?;
    } else {
        let (uid, gid) = (getuid(), getgid());
        unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)
            .map_err(|error| format!("no user and network namespace ({error})"))?;
        let map = |file: &str, line: String| {
            std::fs::write(format!("/proc/self/{file}"), line)
                .map_err(|error| format!("/proc/self/{file}: {error}"))
        };
        map("setgroups", "deny".into())?;
        map("uid_map", format!("0 {uid} 1"))?;
        map("gid_map", format!("0 {gid} 1"))?;
    }
    loopback_up().map_err(|error| format!("the loopback interface can't be brought up ({error})"))
}

fn loopback_up() -> std::io::Result<()> {
    let mut message = Vec::with_capacity(32);
    message.extend(32u32.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(REQUEST_ACK.to_ne_bytes());
    message.extend(1u32.to_ne_bytes()); // sequence number
    message.extend(0u32.to_ne_bytes()); // to the kernel
    message.extend([0, 0, 0, 0]); // ifinfomsg: family and type
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(UP.to_ne_bytes()); // flags
    message.extend(UP.to_ne_bytes()); // which flags change
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.send_to(&message, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let code = answer
        .get(16..20)
        .and_then(|bytes| bytes.try_into().ok())
        .map(i32::from_ne_bytes);
    match code {
        Some(0) => Ok(()),
        Some(errno) => Err(std::io::Error::from_raw_os_error(-errno)),
        None => Err(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            "a short answer",
        )),
    }
}
