use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use crossws_core::Capabilities;
use http::header::{HeaderMap, SEC_WEBSOCKET_EXTENSIONS};
use http::{Request, Response};

use crate::cases::Case;
use crate::{Control, Profile, Reply};

/// A boxed future. Cases run on one thread, so it need not be `Send`.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An adapter under test.
pub trait Target: Sync {
    /// Returns its name, for the table and for messages. No case uses it.
    fn name(&self) -> &str;

    /// Returns its declared capabilities, which select the cases.
    fn capabilities(&self) -> Capabilities;

    /// Returns whether the adapter reads the requests' heads itself, and therefore bounds their
    /// size and time. Otherwise a foreign HTTP server does.
    fn reads_heads(&self) -> bool {
        true
    }

    /// Returns whether its clients speak HTTP/2, so that handshakes of HTTP/1.1 do not reach it.
    fn speaks_http2(&self) -> bool {
        false
    }

    /// Returns whether its clients read event streams and post, so that requests of other methods are
    /// for the hooks too, and a client's reply to a close cannot be seen.
    fn reads_events(&self) -> bool {
        false
    }

    /// Returns whether it drops all unstored state before each step of a case, as hibernating
    /// servers do occasionally.
    fn sleeps(&self) -> bool {
        false
    }

    /// Returns why a case that the capabilities select does not apply, for a target that has another
    /// server between its clients and the application.
    fn excludes(&self, case: &Case) -> Option<&'static str> {
        let _ = case;
        None
    }

    /// Starts a server for one case: an [`App`](crate::App) with an empty journal.
    fn start(&self, profile: Profile) -> Fut<'_, Box<dyn Server>>;
}

/// A running server. Dropping it ends it and its connections.
pub trait Server {
    /// Requests a WebSocket. The target adds the headers of the handshake itself (`Host`, key,
    /// version, …).
    ///
    /// # Errors
    /// Returns the whole refusal, or `None` when the connection ended without a response.
    fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>>;

    /// Returns whether connections are encrypted, so that URLs have `https` and `wss`.
    fn is_secure(&self) -> bool {
        false
    }

    /// Applies a [`Control`] in the process of the hooks.
    fn control(&self, control: Control) -> Fut<'_, Reply>;

    /// Sends a plain HTTP request to the same port, without an upgrade.
    /// [`App::http`](crate::App::http) responds to it, unless the adapter does.
    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>>;

    /// Opens a connection for raw bytes. Only with `Capabilities::RAW_HTTP`.
    fn raw(&self) -> Fut<'_, Box<dyn Raw>> {
        panic!("this target declares RAW_HTTP and has no raw connection")
    }

    /// Opens a WebSocket for this target, with these offers of extensions if there are any, on which the
    /// case sends bytes. Only with `Capabilities::RAW_FRAMES`.
    ///
    /// # Errors
    /// Returns the status of a refusal.
    fn frames(&self, target: String, offers: String) -> Fut<'_, Result<Framed, u16>> {
        Box::pin(async move {
            let mut raw = self.raw().await;
            let offers = match offers.as_str() {
                "" => String::new(),
                offers => format!("Sec-WebSocket-Extensions: {offers}\r\n"),
            };
            let head = format!(
                "GET {target} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Sec-WebSocket-Version: 13\r\n{offers}\r\n"
            );
            raw.write(head.as_bytes()).await.unwrap();
            let response = raw.response().await.expect("an answer");
            match response.status().as_u16() {
                101 => Ok(Framed::new(raw, response.headers())),
                status => Err(status),
            }
        })
    }

    /// Lets time pass: virtual time if the target has it, otherwise real time.
    fn advance(&self, time: Duration) -> Fut<'_, ()>;

    /// Shuts the server down. Only with `Capabilities::SHUTDOWN`.
    fn shutdown(&self, order: Shutdown) -> Fut<'_, Report> {
        let _ = order;
        panic!("this target declares SHUTDOWN and has none")
    }
}

/// The settings of a shutdown.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// The code and reason that close the peers; `None` for the adapter's default.
    pub frame: Option<(u16, String)>,
    /// The time after which the rest is dropped.
    pub deadline: Duration,
}

/// The result of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Connections whose last hook ended in time.
    pub closed: usize,
    /// Connections that were dropped.
    pub forced: usize,
}

/// An upgrade that was accepted.
pub struct Connected {
    /// The 101 if the platform exposes it, otherwise what the client can observe.
    pub response: Response<()>,
    /// The connection.
    pub client: Box<dyn Client>,
}

/// A connection on which a case sends frames as bytes.
pub struct Framed {
    /// The connection, after its handshake.
    pub raw: Box<dyn Raw>,
    /// The negotiated extensions; empty for none.
    pub extensions: String,
}

impl Framed {
    /// Creates one from the headers of its 101.
    pub fn new(raw: Box<dyn Raw>, headers: &HeaderMap) -> Self {
        let extensions = headers.get(SEC_WEBSOCKET_EXTENSIONS);
        let extensions = extensions.map_or("", |value| value.to_str().unwrap());
        let extensions = extensions.to_owned();
        Self { raw, extensions }
    }
}

/// The client's end of a WebSocket. It reads only when `next` is called. It replies to a close
/// frame when it reads it, as every client does. Only the case replies to pings.
pub trait Client {
    /// Sends a frame.
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>>;

    /// Returns the next frame, or the end.
    fn next(&mut self) -> Fut<'_, Event>;

    /// Waits until the server has acknowledged every message that was sent. Returns `false`, at once, if it
    /// acknowledges none.
    fn acknowledged(&mut self) -> Fut<'_, bool> {
        Box::pin(std::future::ready(false))
    }

    /// Disappears without a close frame.
    fn vanish(self: Box<Self>);
}

/// The connection is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// A frame that a client sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame, with or without a code and a reason.
    Close(Option<(u16, String)>),
}

/// An event that a client receives.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame.
    Close(Option<(u16, String)>),
    /// A compressed message in its raw form; only from a [`Raw`].
    Compressed(Vec<u8>),
    /// The connection ended in order.
    End,
    /// The connection was cut.
    Cut,
}

/// A connection at the level of bytes.
pub trait Raw {
    /// Writes bytes at once.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Fut<'a, Result<(), Gone>>;

    /// Reads an HTTP response. Returns `None` if the connection ends first.
    fn response(&mut self) -> Fut<'_, Option<Response<Bytes>>>;

    /// Reads a frame, or the end. A frame that a server must not send fails the case.
    fn frame(&mut self) -> Fut<'_, Event>;

    /// Ends the writing side, and continues to read.
    fn finish(&mut self) -> Fut<'_, ()>;
}
