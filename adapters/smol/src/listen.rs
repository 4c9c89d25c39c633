use std::io::Result;
use std::net::SocketAddr;

use crossws_native::{Listen, tune};
#[cfg(unix)]
use smol::net::unix::{UnixListener, UnixStream};
use smol::net::{TcpListener, TcpStream};

use crate::io::{self, Stream};
use crate::runtime::Smol;

impl Listen<Smol> for TcpListener {
    type Io = Stream<TcpStream>;

    async fn accept(&mut self) -> Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, addr) = TcpListener::accept(self).await?;
        tune(&stream);
        Ok((io::tcp(stream), Some(addr)))
    }

    fn local_addr(&self) -> Result<Option<SocketAddr>> {
        TcpListener::local_addr(self).map(Some)
    }

    /// No other code has a handle to a stream that was accepted here.
    fn ends_on_drop(&self) -> bool {
        true
    }
}

/// Unix-domain sockets: for a proxy on the same machine.
#[cfg(unix)]
impl Listen<Smol> for UnixListener {
    type Io = Stream<UnixStream>;

    async fn accept(&mut self) -> Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, _) = UnixListener::accept(self).await?;
        Ok((io::unix(stream), None))
    }

    fn local_addr(&self) -> Result<Option<SocketAddr>> {
        Ok(None)
    }
}
