use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use crossws_core::Capabilities;
use http::{Request, Response};

use crate::{Control, Profile, Reply};

/// A boxed future. Cases run on one thread, so it need not be `Send`.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// An adapter under test.
pub trait Target: Sync {
    /// Its name, for the table and for messages. No case looks at it.
    fn name(&self) -> &str;

    /// What it declares to be able to do: this selects the cases.
    fn capabilities(&self) -> Capabilities;

    /// Whether the adapter reads the requests' heads itself, and so bounds their size and time;
    /// otherwise somebody else's HTTP server does.
    fn reads_heads(&self) -> bool {
        true
    }

    /// Whether it forgets before each step of a case all that is not stored, as hibernating
    /// servers do now and then.
    fn sleeps(&self) -> bool {
        false
    }

    /// A server of its own for one case: an [`App`](crate::App) with an empty journal.
    fn start(&self, profile: Profile) -> Fut<'_, Box<dyn Server>>;
}

/// A running server. Dropped, it and its connections end.
pub trait Server {
    /// Asks for a WebSocket. The target adds what the handshake itself needs (`Host`, key,
    /// version, …).
    ///
    /// # Errors
    /// With the refusal, whole; with `None` when the connection ended without an answer.
    fn connect(&self, request: Request<()>) -> Fut<'_, Result<Connected, Option<Response<Bytes>>>>;

    /// Whether connections are encrypted, so that URLs read `https` and `wss`.
    fn is_secure(&self) -> bool {
        false
    }

    /// Applies a [`Control`] where the hooks run.
    fn control(&self, control: Control) -> Fut<'_, Reply>;

    /// A plain HTTP request to the same port, without an upgrade. It is answered by
    /// [`App::http`](crate::App::http) unless the adapter itself has an answer.
    fn http(&self, request: Request<Bytes>) -> Fut<'_, Response<Bytes>>;

    /// A connection to write bytes to; only with `Capabilities::RAW_HTTP`.
    fn raw(&self) -> Fut<'_, Box<dyn Raw>> {
        panic!("this target declares RAW_HTTP and has no raw connection")
    }

    /// Lets time pass: virtual time where there is, else real time.
    fn advance(&self, time: Duration) -> Fut<'_, ()>;

    /// Shuts the server down; only with `Capabilities::SHUTDOWN`.
    fn shutdown(&self, order: Shutdown) -> Fut<'_, Report> {
        let _ = order;
        panic!("this target declares SHUTDOWN and has none")
    }
}

/// How to shut down.
#[derive(Debug, Clone)]
pub struct Shutdown {
    /// The code and reason that peers are told; the adapter's default if `None`.
    pub frame: Option<(u16, String)>,
    /// How long it may take until what is left is dropped.
    pub deadline: Duration,
}

/// What became of a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Connections whose last hook ended in time.
    pub closed: usize,
    /// Connections that were dropped.
    pub forced: usize,
}

/// An upgrade that was accepted.
pub struct Connected {
    /// The 101, where the platform has one; else what the client gets to see.
    pub response: Response<()>,
    /// The connection.
    pub client: Box<dyn Client>,
}

/// The client's end of a WebSocket. What is not taken with `next` is not read. A close frame is
/// answered when it is read, as every client does; pings only if the case answers them.
pub trait Client {
    /// Sends a frame.
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>>;

    /// Waits for the next frame, or the end.
    fn next(&mut self) -> Fut<'_, Event>;

    /// Is gone without a word.
    fn vanish(self: Box<Self>);
}

/// The connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// What a client sends.
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

/// What a client gets.
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
    /// A message that is compressed, as it came; only from a [`Raw`].
    Compressed(Vec<u8>),
    /// The connection ended in order.
    End,
    /// The connection was cut.
    Cut,
}

/// A connection at the level of bytes.
pub trait Raw {
    /// Writes bytes, in one go.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Fut<'a, Result<(), Gone>>;

    /// Reads an HTTP response; `None` if the connection ends before one.
    fn response(&mut self) -> Fut<'_, Option<Response<Bytes>>>;

    /// Reads a frame, or the end. A frame that a server must not send fails the case.
    fn frame(&mut self) -> Fut<'_, Event>;

    /// Sends the end of the stream, and goes on reading.
    fn finish(&mut self) -> Fut<'_, ()>;
}
