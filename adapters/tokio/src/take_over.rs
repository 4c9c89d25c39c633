use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use crossws_core::adapter::ClaimError;
use crossws_core::{Hub, Limit, Limits, Resolve, UpgradeRequest};
use crossws_native::{Agreed, Io, pump, run_claim, run_upgrade};
use crossws_proto::frame::{Decoder, Event, Opcode, Role, put_masked_frame};
use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame as TheirCloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::runtime::Tokio;

/// Runs hooks on a WebSocket that is already open: the server's side of a stream that
/// tokio-tungstenite has accepted, with the bytes that it has read ahead. Ends with the connection.
///
/// `request` is the upgraded request. The `upgrade` hook gets it, but the response has already been
/// sent: headers and a subprotocol that the hook chooses do not reach the client. tungstenite
/// continues to read and write the frames, so its own limits apply too, and there is no
/// compression.
///
/// ```no_run
/// # async fn run(stream: tokio::net::TcpStream, hub: crossws_core::Hub) {
/// # use std::sync::Arc;
/// # use crossws_core::{UpgradeRequest, http::Request, hooks};
/// let echo = Arc::new(hooks().on_message(|peer, message| async move { peer.send(message) }));
/// if let Ok(socket) = tokio_tungstenite::accept_async(stream).await {
///     let request = UpgradeRequest::new(Request::new(()).into_parts().0);
///     let _ = crossws_tokio::take_over(socket, request, &echo, &hub).await;
/// }
/// # }
/// ```
///
/// # Errors
/// When no hooks claim the request, or when it is refused. Then the stream is dropped.
///
/// # Cancel safety
/// Dropping the future drops the connection and the running hook; the `close` hook does not run.
pub async fn take_over<S, R>(
    socket: WebSocketStream<S>,
    request: UpgradeRequest,
    resolver: &Arc<R>,
    hub: &Hub,
) -> Result<(), ClaimError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    R: Resolve + ?Sized,
{
    let claim = run_claim(hub, resolver, request, &Tokio).await?;
    let accepted = run_upgrade(claim, &Tokio).await?;
    pump(
        Reframed::new(socket),
        Bytes::new(),
        accepted,
        Agreed::default(),
        Tokio,
    )
    .await;
    Ok(())
}

/// At most this many pings are remembered. The pump answers the last sixteen of a burst while it
/// writes as many pongs to the burst before.
const MOST_PINGS: usize = 32;

/// Presents a stream of messages as the stream of bytes that the pump reads and writes.
struct Reframed<S> {
    socket: WebSocketStream<S>,
    /// Incoming messages, encoded as frames of a client.
    incoming: BytesMut,
    /// Decodes the frames that the pump writes.
    outgoing: Decoder,
    /// tungstenite answers pings and close frames itself, so the pump's replies to these are left
    /// out.
    pinged: VecDeque<Bytes>,
    closed: bool,
    ended: bool,
}

impl<S> Reframed<S> {
    fn new(socket: WebSocketStream<S>) -> Self {
        let limits = Limits::default()
            .max_message_size(Limit::Unlimited)
            .max_fragments(Limit::Unlimited);
        Self {
            socket,
            incoming: BytesMut::new(),
            outgoing: Decoder::new(Role::Client, &limits),
            pinged: VecDeque::new(),
            closed: false,
            ended: false,
        }
    }

    fn put(&mut self, opcode: Opcode, payload: &[u8]) -> io::Result<()> {
        put_masked_frame(&mut self.incoming, opcode, payload).map_err(io::Error::other)
    }

    fn arrived(&mut self, message: Message) -> io::Result<()> {
        match message {
            Message::Text(text) => self.put(Opcode::Text, text.as_bytes()),
            Message::Binary(bytes) => self.put(Opcode::Binary, &bytes),
            Message::Ping(data) => {
                self.put(Opcode::Ping, &data)?;
                if self.pinged.len() == MOST_PINGS {
                    self.pinged.pop_front();
                }
                self.pinged.push_back(data);
                Ok(())
            }
            Message::Pong(data) => self.put(Opcode::Pong, &data),
            Message::Close(frame) => {
                self.closed = true;
                let payload = frame.map_or_else(Vec::new, |frame| {
                    let code = u16::from(frame.code).to_be_bytes();
                    [&code[..], frame.reason.as_bytes()].concat()
                });
                self.put(Opcode::Close, &payload)
            }
            // A stream never yields it.
            Message::Frame(_) => Ok(()),
        }
    }

    /// tungstenite has found a broken rule and does not tell the client. A frame that breaks the
    /// same rule makes the pump close with the right code.
    fn failed(&mut self, error: &Error) -> io::Result<()> {
        match error {
            Error::Capacity(_) => {
                let header = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
                self.incoming.extend_from_slice(&header);
                self.incoming.extend_from_slice(&[0; 4]);
                Ok(())
            }
            Error::Utf8(_) => self.put(Opcode::Text, &[0xff]),
            // A continuation without a message.
            Error::Protocol(_) => self.put(Opcode::Continuation, &[]),
            error => Err(io::Error::other(error.to_string())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Reframed<S> {
    /// Passes a frame of the pump to tungstenite.
    fn send(&mut self, event: Event) -> io::Result<()> {
        let message = match event {
            Event::Message(crossws_core::Message::Text(text)) => Message::text(text.as_str()),
            Event::Message(message) => Message::Binary(message.into_bytes()),
            Event::Ping(data) => Message::Ping(data),
            Event::Pong(data) => match self.pinged.iter().position(|ping| *ping == data) {
                // A pong. It also answers the pings before its own, which the pump may have
                // skipped.
                Some(at) => {
                    self.pinged.drain(..=at);
                    return Ok(());
                }
                None => Message::Pong(data),
            },
            Event::Close(frame) => Message::Close(frame.map(|frame| TheirCloseFrame {
                code: frame.code().get().into(),
                reason: frame.reason().as_str().into(),
            })),
        };
        Pin::new(&mut self.socket)
            .start_send(message)
            .map_err(io::Error::other)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Io for Reframed<S> {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.incoming.is_empty() {
            if self.ended {
                return Poll::Ready(Ok(0));
            }
            match ready!(Pin::new(&mut self.socket).poll_next(cx)) {
                Some(Ok(message)) => self.arrived(message)?,
                Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) | None => {
                    self.ended = true;
                }
                Some(Err(error)) => {
                    self.ended = true;
                    self.failed(&error)?;
                }
            }
        }
        let count = buf.len().min(self.incoming.len());
        self.incoming
            .copy_to_slice(buf.get_mut(..count).unwrap_or_default());
        if self.incoming.is_empty() {
            // An idle connection owns no buffer.
            self.incoming = BytesMut::new();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.closed {
            // The client has closed, and tungstenite replies to that: nothing more may be sent.
            return Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()));
        }
        ready!(Pin::new(&mut self.socket).poll_ready(cx)).map_err(io::Error::other)?;
        let mut bytes = Vec::new();
        for buf in bufs {
            bytes.extend_from_slice(buf);
        }
        let count = bytes.len();
        let mut input = &mut bytes[..];
        while let Some(event) = self.outgoing.decode(&mut input).map_err(io::Error::other)? {
            self.send(event)?;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match ready!(Pin::new(&mut self.socket).poll_flush(cx)) {
            // tungstenite's result for a completed close.
            Ok(()) | Err(Error::ConnectionClosed | Error::AlreadyClosed) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(io::Error::other(error))),
        }
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_flush(cx))?;
        Pin::new(self.socket.get_mut()).poll_shutdown(cx)
    }
}
