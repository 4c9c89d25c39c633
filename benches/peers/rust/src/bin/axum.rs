//! axum's WebSockets, with one flush for all queued messages.

use std::io;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::Uri;
use axum::response::Response;
use axum::serve::ListenerExt;
use crossws_bench_peers::{App, Rooms, address, app};
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpListener;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = address("axum 0.8.9");
    let listener = TcpListener::bind(&address).await?.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    println!("http://{address}");
    let router = Router::new().fallback(upgrade).with_state(Rooms::default());
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
