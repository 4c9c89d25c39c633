//! What only HTTP/2 has: several WebSockets in one connection, the bounds of its streams, and their
//! end.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bounds;
mod ending;
mod malformed;
mod opening;
mod whole;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use crossws_conformance::net::http2::{Http2, Tunnel};
use crossws_core::{HooksBuilder, hooks};
use crossws_tokio::io::{Stream, stream};
use crossws_tokio::{HeadLimits, Listen, Server, ServerBuilder, ServerHandle, Tokio};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Runs a test.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    runtime.block_on(test);
}

/// Runs a test in virtual time, which passes when nothing else happens. It has pipes, and no sockets.
fn run_in_virtual_time(test: impl Future<Output = ()>) {
    run(async {
        tokio::time::pause();
        test.await;
    });
}

/// Waits for a future. Panics with `what` if it takes longer than anything here does.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// Hooks that return each message.
fn echo() -> HooksBuilder {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

/// The settings of a server whose clients know that it speaks HTTP/2.
fn known() -> crossws_tokio::Http2 {
    crossws_tokio::Http2::default().prior_knowledge(true)
}

struct Running {
    addr: SocketAddr,
    handle: ServerHandle,
}

async fn start<R: crossws_core::Resolve>(builder: ServerBuilder<R>) -> Running {
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    tokio::spawn(server.run());
    Running { addr, handle }
}

/// Serves an echo by HTTP/2.
async fn serve() -> Running {
    start(Server::builder(echo()).http2(known())).await
}

impl Running {
    async fn dial(&self) -> Http2 {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Http2::over(stream, "http").await.unwrap()
    }
}

/// A server that is reached over pipes.
struct Piped {
    pipes: mpsc::UnboundedSender<DuplexStream>,
    handle: ServerHandle,
}

impl Piped {
    /// Serves an echo by HTTP/2.
    fn serve(limits: HeadLimits) -> Self {
        let (pipes, listener) = mpsc::unbounded_channel();
        let server = Server::builder(echo()).http2(known()).head_limits(limits);
        let server = server.listen(Pipes(listener)).unwrap();
        let handle = server.handle();
        tokio::spawn(server.run());
        Self { pipes, handle }
    }

    fn dial(&self) -> DuplexStream {
        let (client, server) = duplex(64 << 10);
        self.pipes.send(server).unwrap();
        client
    }
}

struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listen<Tokio> for Pipes {
    type Io = Stream<DuplexStream>;

    async fn accept(&mut self) -> std::io::Result<(Self::Io, Option<SocketAddr>)> {
        match self.0.recv().await {
            Some(pipe) => Ok((stream(pipe), None)),
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Option<SocketAddr>> {
        Ok(None)
    }
}

fn get(path: &str) -> Request<()> {
    Request::get(path).body(()).unwrap()
}

/// Opens a WebSocket.
async fn open(connection: &Http2, path: &str) -> Tunnel {
    soon("a WebSocket", connection.open(get(path)))
        .await
        .unwrap()
        .1
}

/// Returns the status of a refused request.
async fn refused(connection: &Http2, request: Request<()>) -> StatusCode {
    let (response, _stream) = connection.begin(request).await.unwrap();
    let response: Response<_> = soon("a response", response).await.unwrap();
    response.status()
}

/// Encodes a client's frame of up to 65,535 bytes, with a mask of zeros.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | opcode];
    match payload.len() {
        len @ 0..=125 => bytes.push(0x80 | len as u8),
        len => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
    }
    bytes.extend([0; 4]);
    bytes.extend(payload);
    bytes
}

async fn say(tunnel: &mut Tunnel, text: &str) {
    tunnel.write_all(&frame(1, text.as_bytes())).await.unwrap();
}

/// Returns the next frame's opcode and payload, or `None` at the end of the stream.
async fn hear(tunnel: &mut Tunnel) -> Option<(u8, Bytes)> {
    let read = async {
        let first = tunnel.read_u8().await.ok()?;
        let len = match tunnel.read_u8().await.ok()? {
            126 => usize::from(tunnel.read_u16().await.ok()?),
            127 => usize::try_from(tunnel.read_u64().await.ok()?).unwrap(),
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        tunnel.read_exact(&mut payload).await.ok()?;
        Some((first & 15, Bytes::from(payload)))
    };
    soon("a frame", read).await
}

/// Asserts that the WebSocket works.
async fn works(tunnel: &mut Tunnel) {
    say(tunnel, "still here?").await;
    assert_eq!(hear(tunnel).await, Some((1, Bytes::from("still here?"))));
}
