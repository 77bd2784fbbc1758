//! Opens the connection to a manager interface: TCP, and TLS when configured.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;

use super::settings::{AmiSettings, TlsSettings};
use crate::source::reach::{ReachError, reach};

/// Establishing a connection takes no longer than this, name look-up and TLS handshake included.
const PATIENCE: Duration = Duration::from_secs(5);

/// What to look at when nobody answers.
const HINT: &str =
    "Is Asterisk running, and manager.conf [general] enabled = yes, bindaddr and port as configured here?";

/// A connection, whatever carries it.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// An open connection.
pub struct Connection {
    /// The byte stream.
    pub wire: Box<dyn Wire>,
    /// The PBX's end.
    pub remote: SocketAddr,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// No connection came about.
    #[error(transparent)]
    Reach(#[from] ReachError),
    /// Nothing answered in time.
    #[error("no connection to {host}:{port} within {} s", PATIENCE.as_secs())]
    Timeout {
        /// The configured host.
        host: String,
        /// The configured port.
        port: u16,
    },
    /// The TLS set-up here is wrong: the admin's configuration is at fault.
    #[error("TLS: {0}")]
    Tls(String),
    /// The handshake failed: certificate, name or protocol.
    #[error(
        "the TLS handshake with {address} failed: {error}. Check ca_file, fingerprint and server_name, and that tlsenable = yes with tlsbindaddr on this port in manager.conf"
    )]
    Handshake {
        /// The PBX's address.
        address: SocketAddr,
        /// What TLS said.
        error: io::Error,
    },
}

/// Connects as `settings` say.
pub async fn dial(settings: &AmiSettings) -> Result<Connection, DialError> {
    let timeout = DialError::Timeout {
        host: settings.host.clone(),
        port: settings.port,
    };
    tokio::time::timeout(PATIENCE, connect(settings))
        .await
        .unwrap_or(Err(timeout))
}

async fn connect(settings: &AmiSettings) -> Result<Connection, DialError> {
    let (stream, remote) = reach(&settings.host, settings.port, HINT).await?;
    let Some(tls) = &settings.tls else {
        return Ok(Connection {
            wire: Box::new(stream),
            remote,
        });
    };
    let config = client_config(tls)?;
    let name = tls.server_name.clone().unwrap_or_else(|| settings.host.clone());
    let name = ServerName::try_from(name).map_err(|error| DialError::Tls(format!("server_name: {error}")))?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
        .map_err(|error| DialError::Handshake {
            address: remote,
            error,
        })?;
    Ok(Connection {
        wire: Box::new(stream),
        remote,
    })
}

fn client_config(tls: &TlsSettings) -> Result<ClientConfig, DialError> {
    let provider = Arc::new(ring::default_provider());
    let wrong = |error: rustls::Error| DialError::Tls(error.to_string());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(wrong)?;
    if let Some(fingerprint) = tls.pinned {
        let pinned = Pinned {
            fingerprint,
            provider,
        };
        return Ok(builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(pinned))
            .with_no_client_auth());
    }
    let mut roots = RootCertStore::empty();
    if let Some(file) = &tls.ca_file {
        let unreadable =
            |error: &dyn std::fmt::Display| DialError::Tls(format!("ca_file {}: {error}", file.display()));
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
    }
    if roots.is_empty() {
        return Err(DialError::Tls(
            "no authority to trust: give ca_file, or fingerprint to pin the certificate".into(),
        ));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// Accepts exactly one certificate, by its SHA-256: PBXes have self-signed ones, and their names mean little.
#[derive(Debug)]
struct Pinned {
    fingerprint: [u8; 32],
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let seen = Sha256::digest(end_entity.as_ref());
        if seen.as_slice() == self.fingerprint {
            return Ok(ServerCertVerified::assertion());
        }
        let mut hex = String::new();
        for byte in seen {
            let _ = write!(hex, "{byte:02x}");
        }
        Err(rustls::Error::General(format!(
            "the certificate's SHA-256 is {hex}, not the pinned fingerprint"
        )))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
