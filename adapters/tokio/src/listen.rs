use std::io;
use std::net::SocketAddr;

use crossws_native::{Listen, tune};
use tokio::net::{TcpListener, TcpStream};

use crate::io::TokioIo;
use crate::runtime::Tokio;

impl Listen<Tokio> for TcpListener {
    type Io = TokioIo<TcpStream>;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, addr) = TcpListener::accept(self).await?;
        tune(&stream);
        Ok((TokioIo::tcp(stream), Some(addr)))
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        TcpListener::local_addr(self).map(Some)
    }
}

/// Unix-domain sockets: for a proxy on the same machine.
#[cfg(unix)]
impl Listen<Tokio> for tokio::net::UnixListener {
    type Io = TokioIo<tokio::net::UnixStream>;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        let (stream, _) = tokio::net::UnixListener::accept(self).await?;
        Ok((TokioIo::new(stream), None))
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        Ok(None)
    }
}
