//! axum's WebSockets, with one flush for all queued messages. Over HTTP/2 too; encrypted by
//! axum-server.

use std::io;
use std::net::TcpListener as StdListener;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::Uri;
use axum::response::Response;
use axum::serve::ListenerExt;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsConfig, from_tcp_rustls};
use crossws_bench_peers::{App, Rooms, address, app, tls};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let tls = tls();
    let address = address(match tls {
        Some(_) => "axum 0.8.9, axum-server 0.9.2",
        None => "axum 0.8.9",
    });
    let router = Router::new().fallback(upgrade).with_state(Rooms::default());
    if let Some((chain, key)) = tls {
        let config = RustlsConfig::from_pem_file(chain, key).await?;
        let listener = StdListener::bind(&address)?;
        listener.set_nonblocking(true)?;
        let server = from_tcp_rustls(listener, config)?;
        println!("https://{address}");
        return server
            .map(|acceptor| acceptor.acceptor(NoDelayAcceptor::new()))
            .serve(router.into_make_service())
            .await;
    }
    let listener = TcpListener::bind(&address).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    println!("http://{address}");
    axum::serve(listener, router).await
}

async fn upgrade(
    State(rooms): State<Rooms<Message>>,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let app = app(uri.path());
    upgrade.on_upgrade(async move |socket| {
        let _ = match app {
            App::Echo => echo(socket).await,
            App::Room(name) => chat(socket, &rooms, name).await,
        };
    })
}

async fn echo(mut socket: WebSocket) -> Result<(), axum::Error> {
    while let Some(message) = socket.next().await {
        let message = message?;
        if matches!(message, Message::Text(_) | Message::Binary(_)) {
            socket.send(message).await?;
        }
    }
    Ok(())
}

async fn chat(
    mut socket: WebSocket,
    rooms: &Rooms<Message>,
    name: String,
) -> Result<(), axum::Error> {
    let (member, mut inbox) = rooms.join(name);
    socket.send(Message::text("ready")).await?;
    let mut queued = Vec::new();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(message) => {
                    let message = message?;
                    if matches!(message, Message::Text(_) | Message::Binary(_)) {
                        member.publish(&message);
                    }
                }
                None => return Ok(()),
            },
            _ = inbox.recv_many(&mut queued, 1024) => {
                for message in queued.drain(..) {
                    socket.feed(message).await?;
                }
                socket.flush().await?;
            }
        }
    }
}
