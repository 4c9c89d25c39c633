use std::io::Result;
use std::net::SocketAddr;

use crossws_native::{Listen, tune};
use mio::net::TcpListener;

use crate::io::{self, Stream};
use crate::reactor::Watched;
use crate::runtime::OwnRuntime;

/// A TCP listener on this runtime.
pub struct Listener(pub(crate) Watched<TcpListener>);

impl Listen<OwnRuntime> for Listener {
    type Io = Stream;

    async fn accept(&mut self) -> Result<(Stream, Option<SocketAddr>)> {
        let listener = &self.0;
        let accepted = std::future::poll_fn(|cx| listener.poll_read(cx, TcpListener::accept));
        let (stream, addr) = accepted.await?;
        tune(&stream);
        Ok((io::tcp(stream)?, Some(addr)))
    }

    fn local_addr(&self) -> Result<Option<SocketAddr>> {
        self.0.socket.local_addr().map(Some)
    }
}
