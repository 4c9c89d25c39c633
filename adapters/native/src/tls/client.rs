use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};

use super::{TlsError, TlsStream, certificates};
use crate::runtime::io::Io;

/// The TLS configuration of a client: TLS 1.3 and 1.2, with HTTP/1.1 inside. Cheap to clone.
///
/// The server's certificate is always checked, and its name must be the URL's host.
///
/// ```no_run
/// # use crossws_native::ClientTls;
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// // Trusts a private authority alone: `connect("wss://db.internal/").tls(tls)`.
/// let tls = ClientTls::from_pem(std::fs::read("authority.pem")?)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct ClientTls {
    config: Arc<ClientConfig>,
}

impl ClientTls {
    /// Creates a configuration that trusts the certificates in the system's store. The files of the
    /// store are read on this thread; `SSL_CERT_FILE` and `SSL_CERT_DIR` name others.
    ///
    /// # Errors
    /// When the store has no usable certificate.
    pub fn system() -> Result<Self, TlsError> {
        let loaded = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        let (added, _) = roots.add_parsable_certificates(loaded.certs);
        if added == 0 {
            let reasons: Vec<_> = loaded.errors.iter().map(ToString::to_string).collect();
            return Err(TlsError::NoRoots(reasons.join("; ")));
        }
        Self::from_roots(roots)
    }

    /// Creates a configuration that trusts only these certificates, in PEM: those of a private
    /// authority, or a server's own.
    ///
    /// # Errors
    /// When the text has no certificate, or one that cannot be trusted.
    pub fn from_pem(roots: impl AsRef<[u8]>) -> Result<Self, TlsError> {
        let mut store = RootCertStore::empty();
        for certificate in certificates(roots.as_ref())? {
            store.add(certificate).map_err(TlsError::Certificate)?;
        }
        Self::from_roots(store)
    }

    fn from_roots(roots: RootCertStore) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Config)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self::from_config(config))
    }

    /// Creates it from rustls's own configuration: for client certificates, or another provider of
    /// cryptography. ALPN then offers only `http/1.1`, since a WebSocket begins with it, and early
    /// data is off, since an attacker who records it can send it again.
    pub fn from_config(mut config: ClientConfig) -> Self {
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.enable_early_data = false;
        Self {
            config: Arc::new(config),
        }
    }

    /// Returns the encrypted stream over a plain one to this host, a name or an address. The TLS
    /// handshake takes place in its reads and writes.
    ///
    /// # Errors
    /// When a certificate cannot have this name, or rustls cannot create a connection.
    pub fn stream<I: Io>(&self, io: I, host: &str) -> Result<impl Io + use<I>, TlsError> {
        // A URL writes an IPv6 address in brackets.
        let bare = host
            .strip_prefix('[')
            .and_then(|host| host.strip_suffix(']'));
        let name = ServerName::try_from(bare.unwrap_or(host).to_owned())
            .map_err(|_| TlsError::ServerName(host.to_owned()))?;
        let connection = UnbufferedClientConnection::new(Arc::clone(&self.config), name);
        let mut stream = TlsStream::new(io, connection.map_err(TlsError::Config)?);
        stream.session.begin().map_err(TlsError::Config)?;
        Ok(stream)
    }
}

// Shows nothing of the configuration, which may contain a private key.
crossws_core::opaque_debug!(ClientTls);
