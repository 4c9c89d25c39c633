//! Connections that an `upgrade` hook passes to another library.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::Request;
use axum::response::IntoResponse;
use axum::routing::get;
use common::{Client, read_head, serve, soon, start, upgrade_request};
use crossws_core::{Deflate, Hooks, Hub, Rejection, Shutdown, Upgrade, UpgradeRequest, ok};
use crossws_tokio::{Acceptor, RawStream, Server};
use futures_util::{SinkExt, StreamExt, TryStreamExt};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::Role;

/// tokio-tungstenite replies to each text in upper case; with `/bytes`, each byte goes back.
struct Taken;

impl Hooks for Taken {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        if request.path() == "/bytes" {
            return Ok(Upgrade::take(|mut stream: RawStream| async move {
                let (mut reader, mut writer) = tokio::io::split(&mut stream);
                tokio::io::copy(&mut reader, &mut writer).await?;
                writer.shutdown().await
            }));
        }
        let protocol = request.protocols().next().map(str::to_owned);
        let upgrade = Upgrade::take(|stream: RawStream| async move {
            let mut socket = WebSocketStream::from_raw_socket(stream, Role::Server, None).await;
            while let Some(message) = socket.try_next().await? {
                if let Ok(text) = message.to_text() {
                    let text = text.to_uppercase();
                    socket.send(text.into()).await?;
                }
            }
            ok()
        });
        Ok(upgrade
            .protocol(protocol.as_deref())
            .header("x-served-by", "tungstenite")?)
    }
}

#[tokio::test]
async fn another_library_serves_a_connection_after_the_101() {
    let hub = Hub::builder().deflate(Deflate::default()).build();
    let server = start(Server::builder(Taken).hub(hub)).await;
    let request = upgrade_request("/").replace(
        "\r\n\r\n",
        "\r\nSec-WebSocket-Protocol: graphql-ws\r\n\
         Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
    );
    let mut stream = server.raw(&request).await;
    let head = read_head(&mut stream).await.to_lowercase();
    assert!(head.starts_with("http/1.1 101"), "{head}");
    assert!(head.contains("\r\nx-served-by: tungstenite\r\n"), "{head}");
    assert!(
        head.contains("\r\nsec-websocket-protocol: graphql-ws\r\n"),
        "{head}"
    );
    assert!(!head.contains("sec-websocket-extensions"), "{head}");

    let socket = WebSocketStream::from_raw_socket(stream, Role::Client, None).await;
    let mut client = Client(socket);
    client.send("hello").await;
    assert_eq!(client.text().await, "HELLO");
    // It has no peer, but a shutdown waits for it.
    let stats = server.hub().stats();
    assert_eq!((stats.peers, stats.sessions), (0, 1));
    client.0.close(None).await.unwrap();
    while soon("the end", client.0.next()).await.is_some() {}
    soon("the end of it all", server.hub().idle()).await;
}

#[tokio::test]
async fn bytes_that_the_client_sent_ahead_are_read_first() {
    let server = serve(Taken).await;
    let request = upgrade_request("/bytes") + "sent ahead";
    let mut stream = server.raw(&request).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101"));
    stream.write_all(b", and later").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut back = String::new();
    soon("the echo", stream.read_to_string(&mut back))
        .await
        .unwrap();
    assert_eq!(back, "sent ahead, and later");
}

#[tokio::test]
async fn a_shutdown_waits_for_a_connection_that_was_taken_and_then_drops_it() {
    let server = serve(Taken).await;
    let mut client = server.connect("/").await;
    client.send("hello").await;
    assert_eq!(client.text().await, "HELLO");
    let shutdown = Shutdown::default().grace(Duration::from_millis(50));
    let report = soon("the shutdown", server.handle.shutdown(shutdown)).await;
    assert_eq!((report.closed, report.flushed, report.forced), (1, 0, 1));
    let end = soon("the end", client.0.next()).await;
    assert!(!matches!(end, Some(Ok(_))), "{end:?}");
}

#[tokio::test]
async fn a_request_of_another_server_is_taken_too() {
    async fn connect(
        State(acceptor): State<Acceptor>,
        request: Request<Body>,
    ) -> impl IntoResponse {
        acceptor.handle_upgrade(request).await.unwrap()
    }
    let acceptor = Acceptor::new(Taken, Hub::default());
    let app = Router::new().route("/", get(connect)).with_state(acceptor);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let stream = TcpStream::connect(addr).await.unwrap();
    let mut client = Client::over(stream, addr, "/").await;
    client.send("through axum").await;
    assert_eq!(client.text().await, "THROUGH AXUM");
}

#[tokio::test]
async fn credentials_that_expire_are_not_taken() {
    struct Expiring;
    impl Hooks for Expiring {
        async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
            let upgrade = Taken.upgrade(request).await?;
            Ok(upgrade.expires(Duration::from_secs(60)))
        }
    }
    let server = serve(Expiring).await;
    let mut stream = server.raw(&upgrade_request("/")).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 500"));
}
