//! A server on a free port, and clients of other libraries.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic
)]

pub mod doors;

use std::net::SocketAddr;
use std::time::Duration;

use crossws_core::{Hub, Resolve};
use crossws_tokio::io::{Stream, stream};
use crossws_tokio::{Listen, Server, ServerBuilder, ServerHandle, Tokio};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything here takes, so that a test that hangs fails with its name.
pub const SOON: Duration = Duration::from_secs(20);

/// Waits for a future. Panics with `what` if it does not complete.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(SOON, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

/// A listener of pipes.
pub struct Pipes(pub mpsc::UnboundedReceiver<DuplexStream>);

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

pub struct Running {
    pub addr: SocketAddr,
    pub handle: ServerHandle,
}

pub async fn start<R: Resolve>(builder: ServerBuilder<R>) -> Running {
    let server = builder.bind("127.0.0.1:0").await.unwrap();
    let running = Running {
        addr: server.local_addr(),
        handle: server.handle(),
    };
    tokio::spawn(server.run());
    running
}

pub async fn serve<R: Resolve>(resolver: R) -> Running {
    start(Server::builder(resolver)).await
}

impl Running {
    pub fn hub(&self) -> &Hub {
        self.handle.hub()
    }

    pub async fn connect(&self, path: &str) -> Client {
        let stream = TcpStream::connect(self.addr).await.unwrap();
        Client::over(stream, self.addr, path).await
    }

    /// Opens a connection whose bytes the test writes and reads itself.
    pub async fn raw(&self, request: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }
}

pub fn upgrade_request(path: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// Reads until the blank line after a response's head.
pub async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = soon("a response's head", stream.read_u8()).await.unwrap();
        head.push(byte);
    }
    String::from_utf8(head).unwrap()
}

pub struct Client(pub WebSocketStream<TcpStream>);

impl Client {
    pub async fn over(stream: TcpStream, addr: SocketAddr, path: &str) -> Self {
        let url = format!("ws://{addr}{path}");
        let (socket, _) = soon("the 101", client_async(url, stream)).await.unwrap();
        Self(socket)
    }

    pub async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// Returns the next text message.
    pub async fn text(&mut self) -> String {
        loop {
            match soon("a message", self.0.next()).await.unwrap().unwrap() {
                Message::Text(text) => return text.to_string(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("expected text, got {other:?}"),
            }
        }
    }

    /// Reads to the connection's end.
    pub async fn end(&mut self) {
        while let Some(Ok(_)) = soon("the connection's end", self.0.next()).await {}
    }

    /// Returns the server's close frame; messages before it are skipped.
    pub async fn close_frame(&mut self) -> Option<CloseFrame> {
        loop {
            let next = soon("a close frame", self.0.next()).await;
            if let Message::Close(frame) = next.unwrap().unwrap() {
                return frame;
            }
        }
    }
}
