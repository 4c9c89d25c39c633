//! WebSockets in an axum app: a shop whose customers watch their orders.
//!
//!     cargo run --example axum
//!     websocat -H 'Cookie: session=7f3a' ws://127.0.0.1:3000/orders/7
//!     curl -b session=7f3a -d '{"text":"shipped"}' -H 'Content-Type: application/json' \
//!         http://127.0.0.1:3000/orders/7/notify
//!
//! The session's user, the path's parameters and the state are those of any other route.

use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::post;
use crossws::BoxError;
use crossws::axum::websocket;
use crossws::prelude::*;
use crossws::tokio::{Shutdown, stop_signal};
use serde::{Deserialize, Serialize};

#[derive(Clone)]
struct User(&'static str);

#[derive(Serialize, Deserialize)]
struct Note {
    text: String,
}

#[derive(Serialize)]
struct Told {
    peers: usize,
}

/// Those who watch one order hear what becomes of it.
struct Orders;

impl Hooks for Orders {
    async fn open(&self, peer: &Peer) -> HookResult {
        let User(name) = *peer.attached::<User>()?;
        let id: u64 = peer.path()?;
        let text = format!("hello {name}, this is order {id}");
        peer.send(Json(Note { text }))?;
        Ok(())
    }
}

/// The namespace of an order, by which a handler finds its watchers however they spelled the path.
fn order(id: u64) -> String {
    format!("order:{id}")
}

async fn notify(
    State(hub): State<Hub>,
    Path(id): Path<u64>,
    axum::Json(note): axum::Json<Note>,
) -> Result<axum::Json<Told>, StatusCode> {
    let told = hub.in_namespace(&order(id)).broadcast(Json(note));
    let told = told.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    let peers = told.queued;
    Ok(axum::Json(Told { peers }))
}

/// Stands for any middleware that puts its user into the request's extensions.
async fn session(mut request: Request, next: Next) -> Result<Response, StatusCode> {
    let cookie = request.headers().get("cookie");
    let user = match cookie.map(|cookie| cookie.as_bytes()) {
        Some(b"session=7f3a") => User("ann"),
        Some(b"session=c19e") => User("bob"),
        _ => return Err(StatusCode::UNAUTHORIZED),
    };
    request.extensions_mut().insert(user);
    Ok(next.run(request).await)
}

fn shop(hub: Hub) -> axum::Router {
    let orders = route(Orders)
        .adopt::<User>()
        .namespace(|request| Ok(order(request.path_as()?)));
    axum::Router::new()
        .route("/orders/{id}", websocket(orders))
        .route("/orders/{id}/notify", post(notify))
        .layer(from_fn(session))
        .with_state(hub)
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let hub = Hub::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("http://{}", listener.local_addr()?);
    axum::serve(listener, shop(hub.clone()))
        .with_graceful_shutdown(stop_signal()?)
        .await?;
    // axum knows nothing of the connections that were upgraded.
    println!(
        "{}",
        crossws::axum::shutdown(&hub, Shutdown::default()).await
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn serve() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, shop(Hub::default())).await });
        addr
    }

    /// Sends one request, and returns the stream and the response's head.
    async fn send(addr: SocketAddr, request: String) -> (TcpStream, String) {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        (stream, String::from_utf8(head).unwrap())
    }

    async fn watch(addr: SocketAddr, path: &str, session: &str) -> (TcpStream, String) {
        let handshake = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        let cookie = format!("Cookie: session={session}");
        send(
            addr,
            format!("GET {path} HTTP/1.1\r\nHost: shop\r\n{handshake}\r\n{cookie}\r\n\r\n"),
        )
        .await
    }

    /// The text of the next frame, which is short.
    async fn text(stream: &mut TcpStream) -> String {
        assert_eq!(stream.read_u8().await.unwrap(), 0x81);
        let len = stream.read_u8().await.unwrap();
        let mut text = vec![0; len.into()];
        stream.read_exact(&mut text).await.unwrap();
        String::from_utf8(text).unwrap()
    }

    async fn notify(addr: SocketAddr, id: u64) -> String {
        let body = r#"{"text":"shipped"}"#;
        let (mut stream, head) = send(
            addr,
            format!(
                "POST /orders/{id}/notify HTTP/1.1\r\nHost: shop\r\nCookie: session=7f3a\r\n\
                 Connection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n\
                 {body}",
                body.len()
            ),
        )
        .await;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let mut told = String::new();
        stream.read_to_string(&mut told).await.unwrap();
        told
    }

    #[tokio::test]
    async fn watchers_of_an_order_are_told_however_they_spelled_its_path() {
        let addr = serve().await;
        let (mut ann, _) = watch(addr, "/orders/7", "7f3a").await;
        let hello = r#"{"text":"hello ann, this is order 7"}"#;
        assert_eq!(text(&mut ann).await, hello);
        let (mut bob, _) = watch(addr, "/orders/%37", "c19e").await;
        let hello = r#"{"text":"hello bob, this is order 7"}"#;
        assert_eq!(text(&mut bob).await, hello);
        assert_eq!(notify(addr, 8).await, r#"{"peers":0}"#);
        assert_eq!(notify(addr, 7).await, r#"{"peers":2}"#);
        assert_eq!(text(&mut ann).await, r#"{"text":"shipped"}"#);
        assert_eq!(text(&mut bob).await, r#"{"text":"shipped"}"#);
    }

    #[tokio::test]
    async fn without_a_session_or_an_order_there_is_no_upgrade() {
        let addr = serve().await;
        let (_, head) = watch(addr, "/orders/7", "0").await;
        assert!(head.starts_with("HTTP/1.1 401"), "{head}");
        let (_, head) = watch(addr, "/orders/seven", "7f3a").await;
        assert!(head.starts_with("HTTP/1.1 400"), "{head}");
    }
}
