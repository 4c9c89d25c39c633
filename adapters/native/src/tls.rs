//! Encrypted connections: certificates from PEM, and rustls over any [`Io`].

mod client;
mod listen;
mod scratch;
mod sealed;
mod session;
mod stream;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::UnbufferedServerConnection;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use thiserror::Error;

use crate::runtime::io::Io;

pub use client::ClientTls;
pub(crate) use listen::TlsListener;
pub use stream::TlsStream;

/// The TLS configuration of a server: TLS 1.3 and 1.2. Cheap to clone.
///
/// ```no_run
/// # use crossws_core::Resolve;
/// # use crossws_native::{ServerBuilder, ServerRuntime, Tls};
/// # type Done = Result<(), Box<dyn std::error::Error>>;
/// # async fn run<R: Resolve, T: ServerRuntime>(server: ServerBuilder<R, T>) -> Done {
/// // `server` is `Server::builder(hooks)`.
/// let tls = Tls::from_pem_files("chain.pem", "key.pem")?;
/// server.tls(tls).bind("0.0.0.0:443").await?.run().await?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

impl Tls {
    /// Creates the configuration from a chain of certificates, the server's own first, and its
    /// private key (PKCS#8, PKCS#1 or SEC1), both as PEM. Other sections are skipped, so that one
    /// text may contain both.
    ///
    /// # Errors
    /// The error says which of the two is missing or invalid, or that they do not match.
    pub fn from_pem(chain: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let chain = certificates(chain.as_ref())?;
        let key = private_key(key.as_ref())?;
        let provider = Arc::new(ring::default_provider());
        let key = provider
            .key_provider
            .load_private_key(key)
            .map_err(TlsError::Key)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // Some kinds of keys cannot be compared.
            Ok(()) | Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(TlsError::Mismatch),
            Err(error) => return Err(TlsError::Certificate(error)),
        }
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
        Self::from_config(config)
    }

    /// As [`from_pem`](Self::from_pem), from files, which are read on this thread.
    ///
    /// # Errors
    /// As [`from_pem`](Self::from_pem); and if a file cannot be read, which one.
    pub fn from_pem_files(
        chain: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        Self::from_pem(read(chain.as_ref())?, read(key.as_ref())?)
    }

    /// Creates it from rustls's own configuration: for client certificates, certificates that
    /// change while the server runs, or another provider of cryptography.
    ///
    /// Two of its settings are overwritten. ALPN offers what the server speaks: `http/1.1`, and `h2` where
    /// [`ServerBuilder::http2`](crate::ServerBuilder) is set. Early data is refused, since an attacker who records it can send it again.
    ///
    /// # Errors
    /// When rustls cannot create a connection with it.
    pub fn from_config(mut config: ServerConfig) -> Result<Self, TlsError> {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.max_early_data_size = 0;
        let config = Arc::new(config);
        // An error of this connection would be the error of every other.
        UnbufferedServerConnection::new(Arc::clone(&config)).map_err(TlsError::Config)?;
        Ok(Self { config })
    }

    /// Offers HTTP/2 too, and prefers it.
    #[cfg(feature = "http2")]
    pub(crate) fn with_http2(self) -> Self {
        let mut config = Arc::unwrap_or_clone(self.config);
        config.alpn_protocols.insert(0, b"h2".to_vec());
        let config = Arc::new(config);
        Self { config }
    }

    /// Returns the encrypted stream over a plain one. The TLS handshake takes place in its reads
    /// and writes, so that the deadline of the request's head bounds both.
    ///
    /// A [`Server`](crate::Server) does this by itself: use this for streams that are accepted
    /// elsewhere, and mark them there as [`secure`](crossws_core::ConnectionInfo::with_secure).
    ///
    /// # Errors
    /// When rustls cannot create a connection.
    pub fn stream<I: Io>(&self, io: I) -> Result<TlsStream<I>, TlsError> {
        let connection = UnbufferedServerConnection::new(Arc::clone(&self.config));
        Ok(TlsStream::new(io, connection.map_err(TlsError::Config)?))
    }
}

// Shows nothing of the configuration, which contains a private key.
crossws_core::opaque_debug!(Tls);

/// Why TLS cannot be configured. `Debug` prints the same sentence as `Display`, because a `main`
/// that returns this error prints `Debug`.
///
/// ```
/// use crossws_native::{Tls, TlsError};
///
/// let error = Tls::from_pem("", "").unwrap_err();
/// assert!(matches!(error, TlsError::NoCertificate));
/// ```
#[derive(Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The text that should hold certificates is not PEM.
    #[error("the certificates are not valid PEM: {0}")]
    CertificatePem(#[source] pem::Error),
    /// The text that should hold the private key is not PEM.
    #[error("the private key is not valid PEM: {0}")]
    KeyPem(#[source] pem::Error),
    /// There is no `CERTIFICATE` section.
    #[error("there is no certificate in the PEM: a section CERTIFICATE is needed")]
    NoCertificate,
    /// There is no section with a private key.
    #[error(
        "there is no private key in the PEM: a section PRIVATE KEY, RSA PRIVATE KEY or \
         EC PRIVATE KEY is needed"
    )]
    NoKey,
    /// The private key is encrypted with a passphrase.
    #[error("the private key is encrypted: it must be in the PEM without a passphrase")]
    EncryptedKey,
    /// The certificate cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Certificate(#[source] rustls::Error),
    /// The private key cannot be used.
    #[error("the private key cannot be used: {0}")]
    Key(#[source] rustls::Error),
    /// The private key does not belong to the first certificate.
    #[error("the private key does not belong to the first certificate of the chain")]
    Mismatch,
    /// The system's store of trusted certificates could not be read, or is empty.
    #[error("the system has no trusted certificates: {0}")]
    NoRoots(String),
    /// A URL's host is neither a name nor an address that a certificate can have.
    #[error("`{0}` is not a name that a certificate can have")]
    ServerName(String),
    /// rustls refuses the configuration.
    #[error("the TLS configuration cannot be used: {0}")]
    Config(#[source] rustls::Error),
}

impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File {
        path: path.to_owned(),
        source,
    })
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = chain.map_err(TlsError::CertificatePem)?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    Ok(chain)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    match PrivateKeyDer::from_pem_slice(pem) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if is_encrypted(pem) => Err(TlsError::EncryptedKey),
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey),
        Err(error) => Err(TlsError::KeyPem(error)),
    }
}

fn is_encrypted(pem: &[u8]) -> bool {
    let label = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    pem.windows(label.len()).any(|window| window == label)
}

#[cfg(test)]
mod tests;
