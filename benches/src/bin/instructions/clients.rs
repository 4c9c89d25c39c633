//! What the rows of a client do: ours, and those of other projects.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crossws::client::connect;
use crossws_bench::wire;
use crossws_core::adapter::Background;
use crossws_native::Io;
use fastwebsockets::{FragmentCollector, OpCode, Role, WebSocket, WebSocketError};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{Error, protocol};

use crate::memory::{Client, Socket};
use crate::servers::{exchange, expect};
use crate::tasks::Tasks;
use crate::upstreams::Upstreams;

/// A client that sends back what it receives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// `Connect::run`.
    Ours,
    /// `Client::next`, in a task of its own.
    Next,
    /// tokio-tungstenite, which flushes once it has handled everything that has arrived.
    Tungstenite,
    /// fastwebsockets. It writes each message by itself. Here, a write is no system call.
    Fastwebsockets,
}

impl Engine {
    /// Returns the end of the names of the engine's rows.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Self::Ours => "",
            Self::Next => "-next",
            Self::Tungstenite => "-tungstenite",
            Self::Fastwebsockets => "-fastwebsockets",
        }
    }

    /// Opens a connection. Returns its other end, which the row plays.
    fn open(self, tasks: &mut Tasks) -> io::Result<Client> {
        match self {
            Self::Ours | Self::Next => self.open_ours(tasks),
            Self::Tungstenite => Ok(accepted(tasks, |stream| async {
                let _ = tungstenite(stream).await;
            })),
            Self::Fastwebsockets => Ok(accepted(tasks, |stream| async {
                let _ = fastwebsockets(stream).await;
            })),
        }
    }

    fn open_ours(self, tasks: &mut Tasks) -> io::Result<Client> {
        let spawned = tasks.spawned();
        let upstreams = Upstreams::new(Arc::clone(&spawned));
        let connect = connect("ws://server/").on(upstreams.clone());
        spawned.spawn(Box::pin(async move {
            if self == Self::Ours {
                let running = connect.run(|client, message| async move { client.send(message) });
                let _ = running.await;
            } else if let Ok(mut client) = connect.await {
                while let Some(message) = client.next().await
                    && client.send(message).is_ok()
                {}
            }
        }));
        tasks.settle();
        let server = upstreams.last()?;
        let (_, answer) = wire::accept(&server.kept())?;
        server.send(answer.as_bytes());
        tasks.settle();
        server.written();
        Ok(server)
    }
}

/// Spawns a client whose handshake is over.
fn accepted<F>(tasks: &mut Tasks, client: impl FnOnce(Stream) -> F) -> Client
where
    F: Future<Output = ()> + 'static,
{
    let (server, socket) = Client::upstream();
    server.kept();
    tasks.spawn(Box::pin(client(Stream(socket))));
    tasks.settle();
    server
}

async fn tungstenite(stream: Stream) -> Result<(), Error> {
    let role = protocol::Role::Client;
    let mut socket = WebSocketStream::from_raw_socket(stream, role, None).await;
    while let Some(message) = socket.next().await {
        let mut next = Some(Some(message));
        while let Some(Some(message)) = next {
            socket.feed(message?).await?;
            next = socket.next().now_or_never();
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn fastwebsockets(stream: Stream) -> Result<(), WebSocketError> {
    let socket = WebSocket::after_handshake(stream, Role::Client);
    let mut socket = FragmentCollector::new(socket);
    loop {
        let frame = socket.read_frame().await?;
        match frame.opcode {
            OpCode::Text | OpCode::Binary => socket.write_frame(frame).await?,
            _ => return Ok(()),
        }
    }
}

/// Sends this many messages of this many bytes to a client per turn. Fails if one does not come back.
pub(crate) fn echo(engine: Engine, turns: u32, depth: usize, size: usize) -> io::Result<()> {
    let mut tasks = Tasks::default();
    let server = engine.open(&mut tasks)?;
    let (back, sent) = exchange(depth, size);
    for _ in 0..turns {
        server.send(&sent);
        tasks.settle();
        expect(&server, back.len() as u64)?;
    }
    Ok(())
}

/// A socket as tokio's clients read and write it.
struct Stream(Socket);

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let put = |bytes: &[u8]| {
            let count = bytes.len().min(buf.remaining());
            buf.put_slice(bytes.get(..count).unwrap_or_default());
            count
        };
        self.0.poll_take(cx, put).map(|_| Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_shutdown(cx)
    }
}
