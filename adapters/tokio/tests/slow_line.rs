//! Clients that are slow, and clients that only seem slow, over pipes and in virtual time.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::time::Duration;

use bytes::{Buf, BytesMut};
use common::Pipes;
use crossws_core::{BoxError, Closed, ClosedBy, HooksBuilder, Hub, Limits, hooks};
use crossws_tokio::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// What the systems on both sides buffer.
const BUFFERS: usize = 192 << 10;

/// A client's side of a connection, and how the server reports its end.
struct Client {
    pipe: DuplexStream,
    unread: BytesMut,
    closed: mpsc::UnboundedReceiver<Closed>,
}

impl Client {
    /// Connects to a server with these hooks and limits.
    async fn connect(hooks: HooksBuilder, limits: Limits) -> Self {
        let (ends, closed) = mpsc::unbounded_channel();
        let hooks = hooks.on_close(move |_, closed| {
            let ends = ends.clone();
            async move { ends.send(closed).map_err(BoxError::from) }
        });
        let server = Server::builder(hooks).hub(Hub::builder().limits(limits).build());
        let (pipes, listener) = mpsc::unbounded_channel();
        tokio::spawn(server.listen(Pipes(listener)).unwrap().run());
        let (mut pipe, theirs) = duplex(BUFFERS);
        pipes.send(theirs).unwrap();
        tokio::spawn(async move { pipes.closed().await });
        let head =
            b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        pipe.write_all(head).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(pipe.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101"));
        let unread = BytesMut::new();
        Self {
            pipe,
            unread,
            closed,
        }
    }

    /// Takes `most` bytes at most, and sends a pong for each ping among them. Returns the number of
    /// bytes of messages, or `None` at the end.
    async fn take(&mut self, most: usize) -> Option<usize> {
        let mut bytes = vec![0; most];
        let count = self.pipe.read(&mut bytes).await.unwrap();
        self.unread.extend_from_slice(&bytes[..count]);
        let mut messages = 0;
        while let Some((opcode, head, len)) = frame(&self.unread) {
            self.unread.advance(head + len);
            match opcode {
                0x9 => self.send(0xa, b"").await,
                _ => messages += len,
            }
        }
        (count > 0).then_some(messages)
    }

    /// Sends a short frame, masked with zeros.
    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        let len = u8::try_from(payload.len()).unwrap();
        let head = [0x80 | opcode, 0x80 | len, 0, 0, 0, 0];
        self.pipe
            .write_all(&[&head, payload].concat())
            .await
            .unwrap();
    }

    fn is_open(&self) -> bool {
        self.closed.is_empty()
    }
}

/// Returns the first frame's opcode, and the lengths of its head and its payload, once the frame is
/// complete.
fn frame(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (head, len) = match *bytes.get(1)? {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        ),
        len => (2, usize::from(len)),
    };
    (bytes.len() >= head + len).then_some((bytes[0] & 0xf, head, len))
}

/// Returns hooks that send `count` messages of 1,000 bytes when a peer opens.
fn sends(count: usize) -> HooksBuilder {
    hooks().on_open(move |peer| async move {
        for _ in 0..count {
            peer.send(vec![0; 1000])?;
        }
        Ok::<_, BoxError>(())
    })
}

/// The client's system reports room once half of its buffer is free.
#[tokio::test(start_paused = true)]
async fn a_client_that_takes_ten_kib_a_second_stays() {
    let mut client = Client::connect(sends(1000), Limits::default()).await;
    let mut taken = 0;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(300) {
        sleep(Duration::from_secs(10)).await;
        let mut left = 96 << 10;
        while left > 0 && taken < 1_000_000 {
            let count = client
                .take(left.min(8 << 10))
                .await
                .expect("the connection ended");
            taken += count;
            left -= left.min(8 << 10);
        }
        assert!(client.is_open(), "closed after {:?}", start.elapsed());
        if taken >= 1_000_000 {
            break;
        }
    }
    assert_eq!(taken, 1_000_000);
    client.send(0x1, b"still here").await;
}

/// A ping that is written together with the end of the queue has the whole queue before it.
#[tokio::test(start_paused = true)]
async fn a_ping_in_full_buffers_may_take_long() {
    let limits = Limits::default().ping_interval(Duration::from_secs(1));
    let mut client = Client::connect(sends(200), limits).await;
    // The ping waits after the queue, and goes into the buffers when there is room.
    sleep(Duration::from_secs(2)).await;
    client.take(16 << 10).await.unwrap();
    sleep(Duration::from_secs(45)).await;
    assert!(client.is_open());
    sleep(Duration::from_secs(10)).await;
    let closed = client.closed.recv().await.unwrap();
    assert_eq!((closed.code, closed.by), (3008, ClosedBy::Timeout));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_is_closed_after_the_queues_age() {
    let start = Instant::now();
    let mut client = Client::connect(sends(500), Limits::default()).await;
    let closed = client.closed.recv().await.unwrap();
    assert_eq!(closed.code, 1013);
    let age = start.elapsed().as_secs();
    assert!((30..=31).contains(&age), "{age} s");
}

/// Received bytes count as signs of life, so that only this limit bounds it.
#[tokio::test(start_paused = true)]
async fn a_message_that_arrives_slowly_is_closed_after_its_time() {
    let start = Instant::now();
    let mut client = Client::connect(hooks(), Limits::default()).await;
    client
        .pipe
        .write_all(&[0x82, 0xfd, 0, 0, 0, 0])
        .await
        .unwrap();
    while client.is_open() {
        sleep(Duration::from_secs(5)).await;
        if client.pipe.write_all(b"x").await.is_err() {
            break;
        }
    }
    let closed = client.closed.recv().await.unwrap();
    assert_eq!(
        (closed.code, &*closed.reason),
        (3008, "message took too long")
    );
    let age = start.elapsed().as_secs();
    assert!((120..=126).contains(&age), "{age} s");
}

/// Control frames between its parts do not restart its time, and its last byte ends it.
#[tokio::test(start_paused = true)]
async fn the_time_is_a_messages_own() {
    let limits = Limits::default().message_timeout(Duration::from_secs(60));
    let mut client = Client::connect(hooks(), limits.clone()).await;
    for _ in 0..10 {
        for part in [
            &[0x01, 0x81, 0, 0, 0, 0, b'a'][..],
            &[0x80, 0x81, 0, 0, 0, 0, b'b'],
        ] {
            client.pipe.write_all(part).await.unwrap();
            sleep(Duration::from_secs(20)).await;
            client.send(0xa, b"").await;
        }
    }
    assert!(client.is_open());
    let start = Instant::now();
    client
        .pipe
        .write_all(&[0x01, 0x81, 0, 0, 0, 0, b'a'])
        .await
        .unwrap();
    while client.is_open() {
        sleep(Duration::from_secs(5)).await;
        client.send(0xa, b"").await;
    }
    let age = start.elapsed().as_secs();
    assert!((60..=66).contains(&age), "{age} s");
}

/// The client's bytes lie unread meanwhile.
#[tokio::test(start_paused = true)]
async fn a_message_does_not_age_while_this_side_does_not_read() {
    let waits = hooks().on_message(|_, _| sleep(Duration::from_secs(100)));
    let limits = Limits::default()
        .max_inbound(1_usize)
        .ping_interval(None)
        .idle_timeout(None)
        .message_timeout(Duration::from_secs(60));
    let mut client = Client::connect(waits, limits).await;
    for _ in 0..4 {
        client.send(0x2, b"a message").await;
    }
    client
        .pipe
        .write_all(&[0x82, 0x82, 0, 0, 0, 0, b'x'])
        .await
        .unwrap();
    // The last of the four hooks has begun, so the server reads again.
    sleep(Duration::from_secs(330)).await;
    assert!(client.is_open());
    let closed = client.closed.recv().await.unwrap();
    assert_eq!(&*closed.reason, "message took too long");
}
