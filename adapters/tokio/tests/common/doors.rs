//! The entrances of requests. They differ in the code that reads a request's head.

use std::net::SocketAddr;

use axum::Router;
use axum::routing::get;
use crossws_core::{Hub, Resolve};
use crossws_tokio::{Acceptor, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{read_head, soon, start};

fn pages() -> Router {
    Router::new().fallback(get(|| async { "a page" }))
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Door {
    /// The server's own reader.
    First,
    /// hyper in the server, because the connection began with a page.
    Later,
    /// A service that has the sockets inside.
    Through,
    /// hyper in a foreign server.
    Foreign,
}

pub const DOORS: [Door; 4] = [Door::First, Door::Later, Door::Through, Door::Foreign];

const PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Opens a connection whose next request comes through this entrance.
pub async fn connect(door: Door, sockets: impl Resolve, hub: Hub) -> TcpStream {
    let addr = match door {
        Door::Foreign => foreign(Acceptor::new(sockets, hub)).await,
        Door::Through => {
            let builder = Server::builder(sockets).hub(hub);
            let inside = |sockets| {
                Router::new()
                    .route("/", get(|| async { "a page" }))
                    .fallback_service(sockets)
            };
            start(builder.http_through(inside)).await.addr
        }
        _ => {
            let server = Server::builder(sockets).hub(hub).http(pages());
            start(server).await.addr
        }
    };
    let mut stream = TcpStream::connect(addr).await.unwrap();
    if door == Door::Later {
        page(&mut stream).await;
    }
    stream
}

async fn foreign<R: Resolve>(acceptor: Acceptor<R>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = pages().layer(acceptor.layer());
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

/// Asks for a page and reads it.
pub async fn page(stream: &mut TcpStream) {
    stream.write_all(PAGE).await.unwrap();
    assert!(read_head(stream).await.starts_with("HTTP/1.1 200"));
    let mut page = [0; 6];
    soon("a page", stream.read_exact(&mut page)).await.unwrap();
    assert_eq!(&page, b"a page");
}

pub async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    read_head(stream).await
}

pub fn status(head: &str) -> u16 {
    head.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Returns the values of a header, matching its name case-insensitively.
pub fn header<'a>(head: &'a str, name: &str) -> Vec<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .filter(|(one, _)| one.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .collect()
}

/// Asserts that the server ends the connection without another request.
pub async fn ends(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    let ended = soon("the connection's end", stream.read_to_end(&mut rest)).await;
    ended.unwrap();
}
