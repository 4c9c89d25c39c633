//! A server on a Unix-domain socket.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crossws_core::hooks;
use crossws_tokio::Server;
use futures_util::{SinkExt, StreamExt};
use tokio::net::{UnixListener, UnixStream};
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn it_echoes_over_a_unix_domain_socket() {
    let path = std::env::temp_dir().join(format!("crossws-tokio-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
    let server = Server::builder(echo)
        .listen(UnixListener::bind(&path).unwrap())
        .unwrap();
    tokio::spawn(server.run());
    let stream = UnixStream::connect(&path).await.unwrap();
    let (mut client, _) = client_async("ws://localhost/", stream).await.unwrap();
    client.send(Message::text("hi")).await.unwrap();
    let echoed = client.next().await.unwrap().unwrap();
    assert_eq!(echoed, Message::text("hi"));
    std::fs::remove_file(&path).unwrap();
}
