//! Opens a TCP connection to a PBX by name or address.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;

/// Why a PBX can't be reached.
#[derive(Debug, thiserror::Error)]
pub enum ReachError {
    /// The name has no address: the admin's configuration or the resolver is at fault.
    #[error("the name {host} can't be resolved: {error}")]
    Resolve {
        /// The configured host.
        host: String,
        /// What the resolver said.
        error: io::Error,
    },
    /// Nobody listens there, or the network is in the way.
    #[error("{address} can't be reached: {error}. {hint}")]
    Connect {
        /// The address that was tried last.
        address: SocketAddr,
        /// What the system said.
        error: io::Error,
        /// What to look at.
        hint: &'static str,
    },
}

/// Connects to the first of the host's addresses that answers; `hint` tells the admin what to look at when none does.
pub async fn reach(host: &str, port: u16, hint: &'static str) -> Result<(TcpStream, SocketAddr), ReachError> {
    let resolve = |error| ReachError::Resolve {
        host: host.to_owned(),
        error,
    };
    let addresses = tokio::net::lookup_host((host, port)).await.map_err(resolve)?;
    let mut last = resolve(io::Error::new(io::ErrorKind::NotFound, "no address"));
    for address in addresses {
        let connected = match TcpStream::connect(address).await {
            Ok(stream) => stream.set_nodelay(true).map(|()| stream),
            Err(error) => Err(error),
        };
        match connected {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => last = ReachError::Connect { address, error, hint },
        }
    }
    Err(last)
}
