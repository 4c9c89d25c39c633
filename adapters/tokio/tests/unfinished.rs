//! One budget for all unfinished data of a hub: parts of messages, handshakes, plain HTTP.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use common::{Client, Running, read_head, soon, start, upgrade_request};
use crossws_core::{Hub, Limits, hooks, resolve_with};
use crossws_tokio::{HeadLimits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The bytes that a connection counts for before its upgrade.
const CONNECTION: usize = 4 << 10;

fn hub(most: usize) -> Hub {
    let limits = Limits::default().max_unfinished(most);
    Hub::builder().limits(limits).build()
}

async fn echo(hub: Hub) -> Running {
    let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
    start(Server::builder(echo).hub(hub)).await
}

/// Waits until the bytes that the hub's connections hold satisfy a condition.
async fn holds(server: &Running, what: &str, enough: impl Fn(usize) -> bool) {
    soon(what, async {
        while !enough(server.hub().stats().unfinished) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// Opens a WebSocket and sends these bytes, masked with zeros.
async fn say(server: &Running, bytes: &[u8]) -> TcpStream {
    let mut stream = server.raw(&upgrade_request("/")).await;
    assert!(read_head(&mut stream).await.starts_with("HTTP/1.1 101"));
    stream.write_all(bytes).await.unwrap();
    stream
}

/// Encodes the header of a binary message of `len` bytes in one frame.
fn header(len: u32) -> Vec<u8> {
    let mut header = vec![0x82, 0x80 | 127, 0, 0, 0, 0];
    header.extend(len.to_be_bytes());
    header.extend([0; 4]);
    header
}

/// Returns all bytes up to the end of the stream, or its reset.
async fn rest(stream: &mut TcpStream) -> Vec<u8> {
    let mut rest = Vec::new();
    let _ = soon("the end", stream.read_to_end(&mut rest)).await;
    rest
}

#[tokio::test]
async fn parts_of_messages_share_one_budget_and_a_finished_one_releases_it() {
    const LEN: usize = 100_000;
    const PART: usize = 90_000;
    let server = echo(hub(400_000)).await;
    let part = [header(LEN as u32), vec![7; PART]].concat();
    let mut first = say(&server, &part).await;
    holds(&server, "the first part", |bytes| bytes >= PART).await;
    let mut second = say(&server, &part).await;
    holds(&server, "the second part", |bytes| bytes >= 2 * PART).await;

    // 300,000 bytes are for messages: there is room for these two parts, and not for a third.
    let mut third = say(&server, &part).await;
    let end = rest(&mut third).await;
    assert_eq!(end, *b"\x88\x13\x03\xf5server overloaded");
    let held = server.hub().stats().unfinished;
    assert!((2 * PART..=300_000).contains(&held), "{held}");

    // The other connections continue.
    for stream in [&mut first, &mut second] {
        stream.write_all(&[7; LEN - PART]).await.unwrap();
        let mut answer = vec![0; 10 + LEN];
        soon("the echo", stream.read_exact(&mut answer))
            .await
            .unwrap();
        assert!(answer.ends_with(&[7; LEN]));
    }
    holds(&server, "nothing to be held", |bytes| bytes == 0).await;
    let mut fourth = say(&server, &part).await;
    holds(&server, "room again", |bytes| bytes >= PART).await;
    fourth.write_all(&[7; LEN - PART]).await.unwrap();
    assert_eq!(soon("an answer", fourth.read_u8()).await.unwrap(), 0x82);
    // A connection releases its part when it ends.
    drop((first, second, fourth));
    let lost = say(&server, &part).await;
    holds(&server, "one more part", |bytes| bytes >= PART).await;
    drop(lost);
    holds(&server, "nothing to be held", |bytes| bytes == 0).await;
}

#[tokio::test]
async fn fragments_count_as_parts_of_one_frame_do() {
    let server = echo(hub(100_000)).await;
    let fragment = [&[0x02, 0x80 | 126, 0x40, 0, 0, 0, 0, 0][..], &[0; 16 << 10]].concat();
    let more = [&[0x00, 0x80 | 126, 0x40, 0, 0, 0, 0, 0][..], &[0; 16 << 10]].concat();
    let mut stream = say(&server, &fragment).await;
    for _ in 0..7 {
        // A server that has already closed may reset.
        let _ = stream.write_all(&more).await;
    }
    let end = rest(&mut stream).await;
    assert_eq!(end, *b"\x88\x13\x03\xf5server overloaded");
    holds(&server, "nothing to be held", |bytes| bytes == 0).await;
}

#[tokio::test]
async fn a_handshake_without_room_is_refused_and_one_that_ends_makes_room() {
    let server = echo(hub(2 * CONNECTION)).await;
    let first = server.raw("").await;
    holds(&server, "the first", |bytes| bytes == CONNECTION).await;
    let mut second = server.raw("").await;
    holds(&server, "the second", |bytes| bytes == 2 * CONNECTION).await;
    let mut third = server.raw("").await;
    let answer = String::from_utf8(rest(&mut third).await).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after"), "{answer}");
    // The head of a connection that is already accepted finds no room either.
    let head = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX-Large: {}",
        "x".repeat(3000)
    );
    second.write_all(head.as_bytes()).await.unwrap();
    assert!(read_head(&mut second).await.starts_with("HTTP/1.1 503"));
    drop((first, second));
    holds(&server, "nothing to be held", |bytes| bytes == 0).await;
    let mut late = server.connect("/").await;
    late.send("hello").await;
    assert_eq!(late.text().await, "hello");
    holds(&server, "an open connection to hold nothing", |bytes| {
        bytes == 0
    })
    .await;
}

#[tokio::test]
async fn plain_http_without_a_request_ends_and_makes_room() {
    let mut head = HeadLimits::default();
    head.keep_alive = Duration::from_millis(100);
    let none = resolve_with(|_| None::<Arc<crossws_core::HooksBuilder>>);
    let router = Router::new().route("/", get(|| async { "a page" }));
    let builder = Server::builder(none).head_limits(head).http(router);
    let server = start(builder).await;
    let mut page = server
        .raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(read_head(&mut page).await.starts_with("HTTP/1.1 200"));
    assert!(rest(&mut page).await.starts_with(b"a page"));
    holds(&server, "nothing to be held", |bytes| bytes == 0).await;
}

#[tokio::test]
async fn plain_http_leaves_room_for_handshakes_and_releases_it() {
    // An HTTP connection counts for an additional head. The budget has room for one, with a quarter
    // for handshakes.
    let page = CONNECTION + (16 << 10);
    let hub = hub(page + page / 2);
    let claimed = Arc::new(hooks().on_message(|peer, message| async move { peer.send(message) }));
    let resolver = resolve_with(move |req| (req.path() == "/ws").then(|| Arc::clone(&claimed)));
    let router = Router::new().route("/", get(|| async { "a page" }));
    let server = start(Server::builder(resolver).hub(hub).http(router)).await;
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut first = server.raw(request).await;
    assert!(read_head(&mut first).await.starts_with("HTTP/1.1 200"));
    holds(&server, "the first", |bytes| bytes == page).await;

    let mut second = server.raw(request).await;
    assert!(read_head(&mut second).await.starts_with("HTTP/1.1 503"));
    drop(second);
    holds(&server, "the second to be gone", |bytes| bytes == page).await;
    let mut socket = server.connect("/ws").await;
    socket.send("hello").await;
    assert_eq!(socket.text().await, "hello");

    // A connection that becomes a WebSocket holds nothing more.
    let mut body = [0; 6];
    soon("the page", first.read_exact(&mut body)).await.unwrap();
    let mut upgraded = Client::over(first, server.addr, "/ws").await;
    upgraded.send("over hyper").await;
    assert_eq!(upgraded.text().await, "over hyper");
    holds(&server, "nothing to be held", |bytes| bytes == 0).await;
    let mut third = server.raw(request).await;
    assert!(read_head(&mut third).await.starts_with("HTTP/1.1 200"));
}
