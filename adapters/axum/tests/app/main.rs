//! WebSockets as routes of an axum app, over sockets.

#![allow(clippy::unwrap_used, clippy::panic)]

mod bad_input;
mod http2;
mod routes;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message as Wire, http};
use tokio_tungstenite::{WebSocketStream, client_async};

/// Longer than anything here takes, so that a test that hangs fails and names the condition.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(20), future).await {
        Ok(output) => output,
        Err(_) => panic!("waited too long for {what}"),
    }
}

async fn serve(app: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    addr
}

struct Client(WebSocketStream<TcpStream>);

impl Client {
    async fn connect(addr: SocketAddr, path: &str) -> Self {
        Self::try_connect(addr, path, &[]).await.unwrap()
    }

    async fn try_connect(
        addr: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, StatusCode> {
        let mut request = format!("ws://{addr}{path}").into_client_request().unwrap();
        for (name, value) in headers {
            request
                .headers_mut()
                .insert(*name, http::HeaderValue::from_str(value).unwrap());
        }
        let stream = TcpStream::connect(addr).await.unwrap();
        match soon("a response", client_async(request, stream)).await {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(Error::Http(response)) => Err(response.status()),
            Err(error) => panic!("{error}"),
        }
    }

    async fn send(&mut self, text: &str) {
        self.0.send(Wire::text(text)).await.unwrap();
    }

    async fn text(&mut self) -> String {
        match soon("a message", self.0.next()).await.unwrap().unwrap() {
            Wire::Text(text) => text.to_string(),
            other => panic!("expected text, got {other:?}"),
        }
    }
}

/// Sends one request and returns the whole response.
async fn request(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    soon("a response", stream.read_to_string(&mut response))
        .await
        .unwrap();
    response
}
