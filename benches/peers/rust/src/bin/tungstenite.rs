//! tokio-tungstenite, batched: it handles everything that has arrived and encodes everything that
//! is queued before it flushes.

use std::io;

use crossws_bench_peers::{App, Rooms, address, app};
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = address("tokio-tungstenite 0.30.0");
    let listener = TcpListener::bind(&address).await?;
    println!("http://{address}");
    let rooms = Rooms::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(serve(stream, rooms.clone()));
    }
}

async fn serve(stream: TcpStream, rooms: Rooms<Message>) -> Result<(), Error> {
    let mut path = String::new();
    // The library chose the error's type.
    #[allow(clippy::result_large_err)]
    let callback = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, callback).await?;
    match app(&path) {
        App::Echo => echo(socket).await,
        App::Room(name) => chat(socket, &rooms, name).await,
    }
}

async fn echo(mut socket: WebSocketStream<TcpStream>) -> Result<(), Error> {
    while let Some(message) = socket.next().await {
        let mut next = Some(Some(message));
        while let Some(Some(message)) = next {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.feed(message).await?;
            }
            next = socket.next().now_or_never();
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn chat(
    mut socket: WebSocketStream<TcpStream>,
    rooms: &Rooms<Message>,
    name: String,
) -> Result<(), Error> {
    let (member, mut inbox) = rooms.join(name);
    socket.send(Message::text("ready")).await?;
    let mut queued = Vec::new();
    loop {
        tokio::select! {
            message = socket.next() => {
                let mut next = Some(message);
                while let Some(Some(message)) = next {
                    let message = message?;
                    if message.is_text() || message.is_binary() {
                        member.publish(&message);
                    }
                    next = socket.next().now_or_never();
                }
                if let Some(None) = next {
                    return Ok(());
                }
            }
            _ = inbox.recv_many(&mut queued, 1024) => {
                for message in queued.drain(..) {
                    socket.feed(message).await?;
                }
                if inbox.is_empty() {
                    socket.flush().await?;
                }
            }
        }
    }
}
