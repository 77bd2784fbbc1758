//! The daemon's end of the control socket.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::protocol::{AdminAnswer, AdminRequest, Refusal};

/// A request is a short line; more is a mistake.
const LINE: u64 = 4096;
/// Admins at a time; further ones wait in the listen queue.
const CONNECTIONS: usize = 32;
/// An admin connection that asks nothing for this long is closed.
const IDLE: Duration = Duration::from_mins(1);

/// The control socket, removed again when dropped.
#[derive(Debug)]
pub struct Listener {
    socket: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Listener {
    /// Creates the socket with these permission bits, its group set when named. A socket that nobody answers on is replaced; one that is
    /// answered means that another daemon runs ([`io::ErrorKind::AddrInUse`]).
    pub fn bind(path: &Path, mode: u32, group: Option<nix::unistd::Gid>) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        if path.exists() {
            take_over(path)?;
        }
        let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(path);
        nix::sys::stat::umask(before);
        let listener = bound?;
        if let Some(group) = group {
            nix::unistd::chown(path, None, Some(group)).map_err(io::Error::from)?;
        }
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        let inode = fs::symlink_metadata(path)?.ino();
        Ok(Self {
            socket: listener,
            path: path.into(),
            inode,
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // another daemon's socket may stand there by now
        if fs::symlink_metadata(&self.path).is_ok_and(|there| there.ino() == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a socket that a dead daemon left behind; nothing else is ever removed.
fn take_over(path: &Path) -> io::Result<()> {
    if !fs::symlink_metadata(path)?.file_type().is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "something that is not a socket stands there",
        ));
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Ok(_) => Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "another daemon answers on it",
        )),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path),
        Err(error) => Err(error),
    }
}

/// Answers requests with `answer` until the task is dropped.
pub async fn serve<F, A>(listener: Listener, answer: F)
where
    F: Fn(AdminRequest) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = AdminAnswer> + Send,
{
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(permit) = Arc::clone(&free).acquire_owned().await else {
            return;
        };
        match listener.socket.accept().await {
            Ok((stream, _)) => {
                let answer = answer.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    if let Err(error) = converse(stream, answer).await {
                        tracing::debug!("an admin connection ended: {error}");
                    }
                });
            }
            Err(error) => {
                // out of file descriptors, for instance: passing
                tracing::warn!("the control socket can't accept: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse<F, A>(stream: UnixStream, answer: F) -> io::Result<()>
where
    F: Fn(AdminRequest) -> A,
    A: Future<Output = AdminAnswer>,
{
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    let mut line = Vec::new();
    loop {
        line.clear();
        let mut limited = (&mut read).take(LINE);
        let got = tokio::time::timeout(IDLE, limited.read_until(b'\n', &mut line)).await??;
        if got == 0 {
            return Ok(());
        }
        let reply = match serde_json::from_slice(&line) {
            Ok(request) => answer(request).await,
            Err(error) => AdminAnswer::Refused(Refusal {
                exit: 64,
                message: format!("not a request: {error}"),
            }),
        };
        let mut out = serde_json::to_vec(&reply).map_err(io::Error::other)?;
        out.push(b'\n');
        tokio::time::timeout(IDLE, write.write_all(&out)).await??;
    }
}
