//! The command line's end of the control socket.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::protocol::{AdminAnswer, AdminRequest};

/// The daemon answers within microseconds; a reload that resolves names may take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to the daemon.
#[derive(Debug)]
pub struct Client {
    stream: BufReader<UnixStream>,
    path: PathBuf,
}

/// Why the daemon can't be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens: the admin starts the daemon, or names another socket.
    #[error(
        "no daemon listens at {path}: {error}. Start it (`ringfence run`), or name its socket with --socket"
    )]
    Absent {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The socket's permissions keep the caller out.
    #[error(
        "not allowed to talk to the daemon at {path}. Run this as root, or as a member of the socket's group (control.group)"
    )]
    Permission {
        /// The socket.
        path: PathBuf,
    },
    /// The conversation broke.
    #[error("the daemon at {path} did not answer as expected: {detail}")]
    Broken {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        detail: String,
    },
}

impl Client {
    /// Connects to the daemon's socket.
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(path).map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => ClientError::Permission { path: path.into() },
            _ => ClientError::Absent {
                path: path.into(),
                error,
            },
        })?;
        let broken = |error: io::Error| ClientError::Broken {
            path: path.into(),
            detail: error.to_string(),
        };
        stream.set_read_timeout(Some(PATIENCE)).map_err(broken)?;
        stream.set_write_timeout(Some(PATIENCE)).map_err(broken)?;
        Ok(Self {
            stream: BufReader::new(stream),
            path: path.into(),
        })
    }

    /// Sends one request and waits for its answer.
    pub fn ask(&mut self, request: &AdminRequest) -> Result<AdminAnswer, ClientError> {
        let broken = |path: &Path, detail: String| ClientError::Broken {
            path: path.into(),
            detail,
        };
        let mut line = serde_json::to_vec(request).map_err(|error| broken(&self.path, error.to_string()))?;
        line.push(b'\n');
        self.stream
            .get_mut()
            .write_all(&line)
            .map_err(|error| broken(&self.path, error.to_string()))?;
        let mut answer = String::new();
        let read = self
            .stream
            .read_line(&mut answer)
            .map_err(|error| broken(&self.path, error.to_string()))?;
        if read == 0 {
            return Err(broken(&self.path, "it closed the connection".into()));
        }
        serde_json::from_str(&answer).map_err(|error| broken(&self.path, error.to_string()))
    }
}
