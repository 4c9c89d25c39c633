//! A room so large that the server's crew writes for it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::net::SocketAddr;

use crossws_core::{Hub, Upgrade, hooks};
use crossws_tokio::{Server, Shutdown};
use futures_util::StreamExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, client_async};

/// More than the crew takes at once, and few enough for one machine's sockets.
const CLIENTS: usize = 80;

/// These fit into a client's queue together, but not into its system's buffers.
const LARGE: usize = 50_000;
const MANY: usize = 16;

async fn connect(addr: SocketAddr) -> WebSocketStream<TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let stream = socket.connect(addr).await.unwrap();
    let (client, _) = client_async(format!("ws://{addr}/"), stream).await.unwrap();
    client
}

/// The sockets of all members are full in the middle of what the crew writes, and the connections'
/// own tasks continue.
async fn every_member_gets_every_message_whole_and_in_order() {
    let hub = Hub::default();
    let app = hooks()
        .on_upgrade(|_| async { Ok(Upgrade::new().topic("news")) })
        .on_open(|peer| async move { peer.send("ready") });
    let server = Server::builder(app).hub(hub.clone());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let running = tokio::spawn(server.run());
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = connect(addr).await;
        assert_eq!(
            client.next().await.unwrap().unwrap(),
            Message::from("ready")
        );
        clients.push(client);
    }

    let room = hub.in_namespace("/");
    for n in 0..MANY {
        let told = room.publish("news", format!("small {n}")).unwrap();
        assert_eq!(told.queued, CLIENTS);
        let large = vec![u8::try_from(n).unwrap(); LARGE];
        assert_eq!(room.publish("news", large).unwrap().queued, CLIENTS);
        if n == MANY / 2 {
            // The crew has written, and the connections that it wrote for sleep or wait for their
            // clients.
            for client in &mut clients {
                for n in 0..=n {
                    heard(client, n).await;
                }
            }
        }
    }
    for client in &mut clients {
        for n in MANY / 2 + 1..MANY {
            heard(client, n).await;
        }
    }
    assert_eq!(hub.stats().dropped, 0);
    drop(clients);
    let report = handle.shutdown(Shutdown::default()).await;
    assert_eq!(report.forced, 0);
    running.await.unwrap().unwrap();
}

async fn heard(client: &mut WebSocketStream<TcpStream>, n: usize) {
    let small = client.next().await.unwrap().unwrap();
    assert_eq!(small, Message::from(format!("small {n}")));
    let large = client.next().await.unwrap().unwrap().into_data();
    assert_eq!(large.len(), LARGE);
    assert!(large.iter().all(|byte| usize::from(*byte) == n));
}

#[tokio::test]
async fn on_one_thread() {
    every_member_gets_every_message_whole_and_in_order().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads() {
    every_member_gets_every_message_whole_and_in_order().await;
}
