use std::cell::Cell;
use std::time::Duration;

use crossws_client::{ClientHandle, connect};
use crossws_core::Limits;
use crossws_proxy::Proxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::{accept, head, serve, upgraded};

const MESSAGE: usize = 32 << 10;
/// 24 MiB: more than the buffers of both connections hold.
const COUNT: usize = 768;

fn numbered(number: usize) -> Vec<u8> {
    let mut message = vec![b'.'; MESSAGE];
    message[..8].copy_from_slice(&number.to_be_bytes());
    message
}

/// Sends the rest of the messages, each when there is room.
async fn send(client: &ClientHandle, next: &Cell<usize>) {
    while next.get() < COUNT {
        client.drained(MESSAGE).await;
        client.send(numbered(next.get())).unwrap();
        next.set(next.get() + 1);
    }
}

#[tokio::test]
async fn an_upstream_that_does_not_read_holds_its_client_back_and_loses_nothing() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(64 << 10).unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let (begin, begun) = oneshot::channel::<()>();
    let upstream = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = head(&mut stream).await;
        let response = upgraded("").replace("{accept}", &accept(&head));
        stream.write_all(response.as_bytes()).await.unwrap();
        begun.await.unwrap();
        let mut bytes = vec![0; 8 + MESSAGE];
        for number in 0..COUNT {
            stream.read_exact(&mut bytes).await.unwrap();
            assert_eq!(bytes[..2], [0x82, 0xfe]);
            let (key, payload) = bytes[4..].split_at(4);
            let payload = payload.iter().zip(key.iter().cycle());
            let payload: Vec<u8> = payload.map(|(byte, key)| byte ^ key).collect();
            assert!(payload == numbered(number), "{number}");
        }
    });
    // The upstream reads data frames only.
    let quiet = Limits::default().ping_interval(None);
    let (proxy, _handle) = serve(Proxy::to(format!("ws://{addr}/")).limits(quiet)).await;
    let client = connect(format!("ws://{proxy}/")).await.unwrap();
    let next = Cell::new(0);
    // However long it lasts: it cannot end while the upstream does not read. On a busy machine each turn
    // takes longer, so they are counted from the last message that there was room for.
    let mut turns = 0;
    while turns < 400 {
        let before = next.get();
        let held = timeout(Duration::from_millis(1), send(&client, &next)).await;
        assert!(held.is_err(), "24 MiB are somewhere");
        turns = if next.get() == before { turns + 1 } else { 0 };
    }
    begin.send(()).unwrap();
    send(&client, &next).await;
    upstream.await.unwrap();
}
