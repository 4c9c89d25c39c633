//! The proxy over sockets: real addresses, upstreams that break the rules, and slow ones.

#![allow(clippy::unwrap_used, clippy::panic)]

mod addresses;
mod hostile;
mod rebinding;
mod slow;

use std::net::SocketAddr;

use base64::Engine as _;
use crossws_client::{Client, connect};
use crossws_core::{Closed, Hooks, hooks};
use crossws_tokio::{Server, ServerHandle};
use sha1_smol::Sha1;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Runs a server of these hooks.
pub(crate) async fn serve(hooks: impl Hooks) -> (SocketAddr, ServerHandle) {
    let server = Server::builder(hooks).bind("127.0.0.1:0").await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    tokio::spawn(async { server.run().await.unwrap() });
    (addr, handle)
}

pub(crate) fn echo() -> impl Hooks {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

/// Returns the next text of a client.
pub(crate) async fn text(client: &mut Client) -> String {
    client.next().await.unwrap().text().unwrap().to_owned()
}

/// Returns how a client of a proxy ended.
pub(crate) async fn end(addr: SocketAddr) -> Closed {
    let client = connect(format!("ws://{addr}/")).await.unwrap();
    match &*client.closed().await {
        crossws_client::Disconnected::Closed(closed) => closed.clone(),
        other => panic!("it was open: {other:?}"),
    }
}

/// Returns the status with which a proxy refuses a client.
pub(crate) async fn refusal(addr: SocketAddr) -> u16 {
    let error = connect(format!("ws://{addr}/")).await.unwrap_err();
    error.status().unwrap().as_u16()
}

/// Runs an upstream that answers one request with this text, in which `{accept}` stands for the right
/// value, then sends these bytes, and returns what it reads until the end.
pub(crate) async fn script(response: String, bytes: Vec<u8>) -> (SocketAddr, JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        let response = response.replace("{accept}", &accept(&head));
        // In one write, so that they arrive together.
        let bytes = [response.as_bytes(), &bytes].concat();
        let _ = stream.write_all(&bytes).await;
        let mut read = Vec::new();
        let _ = stream.read_to_end(&mut read).await;
        read
    });
    (addr, task)
}

pub(crate) fn upgraded(headers: &str) -> String {
    format!(
        "HTTP/1.1 101 x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-accept: {{accept}}\r\n{headers}\r\n"
    )
}

pub(crate) async fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}

fn accept(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("sec-websocket-key: "))
        .unwrap();
    let digest = Sha1::from(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).digest();
    base64::engine::general_purpose::STANDARD.encode(digest.bytes())
}
