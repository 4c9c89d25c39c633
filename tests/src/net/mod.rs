//! Servers that are reached over TCP, with clients of other libraries.

mod client;
mod events;
mod frames;
mod http1;
pub mod http2;
mod raw;
mod streamed;
mod tls;
mod translated;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use crossws_core::Hub;
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::rustls::ClientConfig;

use crate::{Connected, Control, Fut, Journal, Raw, Reply, Report, Server, Shutdown};

pub use frames::take as take_frame;
pub use streamed::Streamed;

use client::NetClient;
use events::EventsClient;
use http2::Http2;
use raw::NetRaw;
use tls::Encrypted;
use translated::Translated;

/// A connection to a server, encrypted or not.
type Stream = Box<dyn Duplex>;

trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A server as its clients see it: an address.
#[derive(Debug, Clone)]
pub struct Port {
    addr: SocketAddr,
    /// The certificates that its clients trust, if it uses TLS.
    tls: Option<Arc<ClientConfig>>,
    /// The one connection of all clients, if they speak HTTP/2.
    http2: Option<Arc<OnceCell<Http2>>>,
    /// Whether its clients read event streams and post.
    events: bool,
    ends: bool,
}

impl Port {
    /// Creates the port of a server that ends the connection once both close frames are sent, as
    /// servers should (RFC 6455 section 7.1.1).
    pub fn new(addr: SocketAddr) -> Self {
        Self {
            addr,
            tls: None,
            http2: None,
            events: false,
            ends: true,
        }
    }

    /// Creates the port of a server that leaves the end of the connection to its platform, which
    /// may be slow: for the case, the connection has ended once both close frames are sent.
    pub fn on_a_platform(addr: SocketAddr) -> Self {
        Self {
            ends: false,
            ..Self::new(addr)
        }
    }

    /// The same port, for clients that read event streams and post.
    pub fn for_events(mut self) -> Self {
        self.events = true;
        self
    }

    async fn dial(&self) -> Stream {
        self.try_dial().await.expect("a server that listens")
    }

    /// As [`dial`](Self::dial), for a server that may have shut down.
    async fn try_dial(&self) -> io::Result<Stream> {
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            Some(tls) => Box::new(Encrypted::connect(stream, tls).await),
            None => Box::new(stream),
        })
    }

    /// Returns the connection of HTTP/2, if the clients speak it.
    async fn http2(&self) -> Option<&Http2> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let begin = async || Http2::over(self.dial().await, scheme).await.unwrap();
        Some(self.http2.as_ref()?.get_or_init(begin).await)
    }

    /// See [`Server::connect`].
    ///
    /// # Errors
    /// As [`Server::connect`].
    pub async fn upgrade(
        &self,
        mut request: Request<()>,
    ) -> Result<Connected, Option<Response<Bytes>>> {
        if self.events {
            return EventsClient::connect(self, request).await;
        }
        if let Some(connection) = self.http2().await {
            http1::name_host(request.headers_mut(), self.addr);
            let (mut response, tunnel) = connection.open(request).await?;
            // What a case understands.
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            return Ok(Connected {
                response,
                client: Box::new(NetClient::new(Box::new(tunnel), Vec::new(), self.ends)),
            });
        }
        let mut stream = self.dial().await;
        let key = http1::key();
        let head = http1::upgrade(request, self.addr, &key);
        let answered = http1::exchange(&mut stream, &head).await;
        let (response, rest) = answered.ok_or(None)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(Some(response));
        }
        http1::check_101(&response, &key);
        Ok(Connected {
            response: response.map(drop),
            client: Box::new(NetClient::new(stream, rest, self.ends)),
        })
    }

    /// See [`Server::http`].
    pub async fn http(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        if let Some(connection) = self.http2().await {
            http1::name_host(request.headers_mut(), self.addr);
            return connection.request(request).await.expect("an answer");
        }
        let mut stream = self.dial().await;
        let bytes = http1::plain(request, self.addr);
        let answered = http1::exchange(&mut stream, &bytes).await;
        answered.expect("an answer").0
    }

    /// Sends a plain request whose response has no end, such as an event stream.
    pub async fn stream(&self, request: Request<Bytes>) -> Response<Streamed> {
        let bytes = http1::plain(request, self.addr);
        let opened = Streamed::open(self.dial().await, &bytes).await;
        opened.expect("a response")
    }

    /// See [`Server::raw`].
    pub async fn raw(&self) -> Box<dyn Raw> {
        if let Some(connection) = self.http2().await {
            return Box::new(Translated::new(connection.clone()));
        }
        Box::new(NetRaw::new(self.dial().await))
    }
}

/// A server of this process that listens on an address.
pub struct Local {
    /// Where it listens.
    pub addr: SocketAddr,
    /// The certificates that its clients trust, if it uses TLS.
    pub tls: Option<Arc<ClientConfig>>,
    /// The one connection of its clients, if they speak HTTP/2.
    pub http2: Option<Arc<OnceCell<Http2>>>,
    /// Whether its clients read event streams and post.
    pub events: bool,
    /// Its hub.
    pub hub: Hub,
    /// The journal of its hooks.
    pub journal: Arc<Journal>,
    /// Shuts it down.
    pub stop: Box<dyn Fn(Shutdown) -> Fut<'static, Report>>,
}

impl Local {
    fn port(&self) -> Port {
        Port {
            tls: self.tls.clone(),
            http2: self.http2.clone(),
            events: self.events,
            ..Port::new(self.addr)
        }
    }
}

impl Server for Local {
    fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>> {
        Box::pin(async move { self.port().upgrade(request).await })
    }

    fn is_secure(&self) -> bool {
        self.tls.is_some()
    }

    fn control(&self, control: Control) -> Fut<'_, Reply> {
        Box::pin(control.apply(&self.hub, &self.journal))
    }

    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>> {
        Box::pin(async move { self.port().http(request).await })
    }

    fn raw(&self) -> Fut<'_, Box<dyn Raw>> {
        Box::pin(async move { self.port().raw().await })
    }

    fn advance(&self, time: Duration) -> Fut<'_, ()> {
        Box::pin(tokio::time::sleep(time))
    }

    fn shutdown(&self, order: Shutdown) -> Fut<'_, Report> {
        (self.stop)(order)
    }
}
