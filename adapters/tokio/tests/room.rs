//! A room so large that the server's crew writes for it.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Duration;

use crossws_core::{Hub, Limits, Upgrade, hooks};
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

/// A hub whose clients have all the time that a busy machine may need. The bounds are the usual ones.
fn patient() -> Hub {
    const LONG: Duration = Duration::from_secs(3600);
    let limits = Limits::default().max_queue_age(LONG).ping_interval(None);
    Hub::builder().limits(limits).build()
}

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
    let hub = patient();
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

/// Clients that say much at the same moment, and the members that hear all of it.
const CROWD: usize = 128;
const MEMBERS: usize = 2;
const EACH: usize = 24;
const SIZE: u16 = 30_000;

/// A socket behind its handshake. Its reads wait, and not for long.
fn blocking(addr: SocketAddr, path: &str) -> std::net::TcpStream {
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {addr}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\x81\x05ready") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    stream
}

/// While one thread fetches or writes what waits for a member, and gets no core, the other three
/// publish.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_on_more_threads_than_cores_closes_no_reader() {
    let app = hooks()
        .on_upgrade(|request| {
            let is_member = request.path() == "/member";
            async move {
                let upgrade = Upgrade::new().namespace("/room");
                Ok(if is_member {
                    upgrade.topic("room")
                } else {
                    upgrade
                })
            }
        })
        .on_open(|peer| async move { peer.send("ready") })
        .on_message(|peer, message| async move { peer.publish("room", message).map(drop) });
    let server = Server::builder(app).hub(patient());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let running = tokio::spawn(server.run());
    let heard = tokio::task::spawn_blocking(move || {
        let members: Vec<_> = (0..MEMBERS).map(|_| blocking(addr, "/member")).collect();
        let crowd: Vec<_> = (0..CROWD).map(|_| blocking(addr, "/crowd")).collect();
        let all = CROWD * EACH * (4 + usize::from(SIZE));
        let hear = |mut member: std::net::TcpStream| {
            thread::spawn(move || {
                let mut scratch = vec![0; 1 << 20];
                let mut heard = 0;
                while heard < all
                    && let Ok(read @ 1..) = member.read(&mut scratch)
                {
                    heard += read;
                }
                heard
            })
        };
        let members: Vec<_> = members.into_iter().map(hear).collect();
        let begin = Arc::new(Barrier::new(CROWD));
        let say = |mut client: std::net::TcpStream| {
            let begin = Arc::clone(&begin);
            thread::spawn(move || {
                let mut frame = vec![0x82, 0x80 | 126];
                frame.extend(SIZE.to_be_bytes());
                frame.extend(vec![0; 4 + usize::from(SIZE)]);
                begin.wait();
                client.write_all(&frame.repeat(EACH)).unwrap();
                client
            })
        };
        let crowd: Vec<_> = crowd.into_iter().map(say).collect();
        let crowd: Vec<_> = crowd.into_iter().map(|said| said.join().unwrap()).collect();
        let heard = members.into_iter().map(|heard| heard.join().unwrap());
        let missing: Vec<_> = heard.map(|heard| all - heard).collect();
        drop(crowd);
        missing
    });
    assert_eq!(heard.await.unwrap(), [0; MEMBERS], "bytes are missing");
    handle.shutdown(Shutdown::default()).await;
    running.await.unwrap().unwrap();
}
