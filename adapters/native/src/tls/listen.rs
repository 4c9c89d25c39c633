use std::io;
use std::net::SocketAddr;

use super::{Tls, TlsStream};
use crate::runtime::listen::Listen;

/// A listener whose connections are encrypted.
pub(crate) struct TlsListener<L> {
    pub(crate) listener: L,
    pub(crate) tls: Tls,
}

impl<T, L: Listen<T>> Listen<T> for TlsListener<L> {
    type Io = TlsStream<L::Io>;

    /// Does not wait for the TLS handshake, which the connection's own task does.
    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (io, addr) = self.listener.accept().await?;
        let stream = self.tls.stream(io).map_err(io::Error::other)?;
        Ok((stream, addr))
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        self.listener.local_addr()
    }

    fn is_secure(&self) -> bool {
        true
    }
}
