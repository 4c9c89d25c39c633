//! A server that sends what a test says.

use std::net::SocketAddr;

use base64::Engine as _;
use crossws_client::{Client, Connect, ConnectError, Disconnected, connect};
use crossws_core::Closed;
use sha1_smol::Sha1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Returns the head of the next request.
pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

/// Returns the value that proves that a request was read.
pub(crate) fn accept(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
        .unwrap();
    let digest = Sha1::from(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).digest();
    base64::engine::general_purpose::STANDARD.encode(digest.bytes())
}

/// Starts a server that reads one request and runs this.
pub(crate) async fn server<F, Fut>(serve: F) -> (SocketAddr, JoinHandle<Fut::Output>)
where
    F: FnOnce(TcpStream) -> Fut + Send + 'static,
    Fut: Future<Output: Send> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await
    });
    (addr, task)
}

/// Returns the error of a client whose server sends this in place of a response. `{accept}` stands for
/// the right value of `Sec-WebSocket-Accept`.
pub(crate) async fn refused(
    response: &'static [u8],
    setup: fn(Connect) -> Connect,
) -> ConnectError {
    let (addr, _server) = server(move |mut stream| async move {
        let head = head(&mut stream).await;
        let response = String::from_utf8_lossy(response).replace("{accept}", &accept(&head));
        stream.write_all(response.as_bytes()).await.unwrap();
        // Stays open, so that no end of the stream is the reason.
        let _ = stream.read_u8().await;
        drop(stream);
    })
    .await;
    setup(connect(format!("ws://{addr}/"))).await.unwrap_err()
}

/// Starts a server that sends these bytes after the 101. The task returns what the client then sends.
pub(crate) async fn serving(
    extensions: &'static str,
    frames: Vec<u8>,
) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    server(move |mut stream| async move {
        let head = head(&mut stream).await;
        let response = format!(
            "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: {}\r\n{extensions}\r\n",
            accept(&head)
        );
        let bytes = [response.as_bytes(), &frames].concat();
        stream.write_all(&bytes).await.unwrap();
        let mut sent = Vec::new();
        let _ = stream.read_to_end(&mut sent).await;
        sent
    })
    .await
}

/// Opens a connection on which the server sends these bytes after the 101. The task returns what the
/// client then sends.
pub(crate) async fn opened(
    extensions: &'static str,
    frames: Vec<u8>,
    setup: fn(Connect) -> Connect,
) -> (Client, JoinHandle<Vec<u8>>) {
    let (addr, server) = serving(extensions, frames).await;
    let client = setup(connect(format!("ws://{addr}/"))).await.unwrap();
    (client, server)
}

/// Returns how a client ended that was open.
pub(crate) async fn end(client: &Client) -> Closed {
    match &*client.closed().await {
        Disconnected::Closed(closed) => closed.clone(),
        other => panic!("it was open: {other:?}"),
    }
}

/// Unmasks a client's frames. Returns their opcodes and payloads.
pub(crate) fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut frames = Vec::new();
    while let [first, len, a, b, c, d, rest @ ..] = bytes {
        assert_eq!(len & 0x80, 0x80, "a client masks");
        let len = usize::from(len & 0x7f);
        assert!(len < 126, "short frames only");
        let key = [a, b, c, d];
        let payload = rest[..len].iter().zip(key.iter().cycle());
        frames.push((
            first & 15,
            payload.map(|(byte, key)| byte ^ **key).collect(),
        ));
        bytes = &rest[len..];
    }
    frames
}
