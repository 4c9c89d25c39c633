//! How long an HTTP connection is kept between requests, over pipes and in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use common::Pipes;
use crossws_core::{HooksBuilder, resolve_with};
use crossws_tokio::{HeadLimits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// How long the slow page takes: longer than any time of a connection.
const SLOW: Duration = Duration::from_secs(100);

/// More than the pipe and hyper's buffers hold.
const LARGE: usize = 4 << 20;

/// Returns a client's side of a connection to a server of pages.
async fn connect(limits: HeadLimits) -> DuplexStream {
    let pages = Router::new()
        .route("/", get(|| async { "a page" }))
        .route("/large", get(|| async { "x".repeat(LARGE) }))
        .route("/slow", get(|| async { sleep(SLOW).await }))
        .route("/upload", post(|body: String| async move { body }));
    let none = resolve_with(|_| None::<Arc<HooksBuilder>>);
    let (pipes, listener) = mpsc::unbounded_channel();
    let server = Server::builder(none).http(pages).head_limits(limits);
    tokio::spawn(server.listen(Pipes(listener)).unwrap().run());
    let (client, server) = duplex(64 << 10);
    pipes.send(server).unwrap();
    // Keeps the listener open when the test drops its half of the channel.
    tokio::spawn(async move { pipes.closed().await });
    client
}

const PAGE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

/// Reads a response up to its body's last bytes.
async fn read_until(client: &mut DuplexStream, end: &str) {
    let mut read = Vec::new();
    while !read.ends_with(end.as_bytes()) {
        match client.read_u8().await {
            Ok(byte) => read.push(byte),
            Err(_) => panic!(
                "the connection ended after {:?}",
                String::from_utf8_lossy(&read)
            ),
        }
    }
    assert!(read.starts_with(b"HTTP/1.1 200"));
}

async fn page(client: &mut DuplexStream) {
    client.write_all(PAGE).await.unwrap();
    read_until(client, "a page").await;
}

/// Returns how long the server keeps a connection on which nothing more is sent.
async fn kept(mut client: DuplexStream) -> Duration {
    let since = Instant::now();
    let mut rest = Vec::new();
    let _ = client.read_to_end(&mut rest).await;
    since.elapsed()
}

fn about(expected: Duration, kept: Duration) {
    assert!(kept >= expected, "{kept:?}");
    assert!(kept < expected + Duration::from_secs(1), "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_outlives_the_deadline_of_a_head() {
    let mut client = connect(HeadLimits::default()).await;
    page(&mut client).await;
    // Longer than the usual 60 s of load balancers, after which they close.
    sleep(Duration::from_secs(70)).await;
    page(&mut client).await;
    // Each response restarts the time.
    sleep(Duration::from_secs(70)).await;
    page(&mut client).await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends_after_75_seconds() {
    let mut client = connect(HeadLimits::default()).await;
    page(&mut client).await;
    about(Duration::from_secs(75), kept(client).await);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_an_idle_connection_is_a_setting() {
    let mut limits = HeadLimits::default();
    limits.keep_alive = Duration::from_secs(5);
    let mut client = connect(limits).await;
    page(&mut client).await;
    about(Duration::from_secs(5), kept(client).await);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_of_a_later_head_begins_with_its_first_byte() {
    let mut client = connect(HeadLimits::default()).await;
    page(&mut client).await;
    sleep(Duration::from_secs(70)).await;
    let (first, rest) = PAGE.split_at(1);
    client.write_all(first).await.unwrap();
    sleep(Duration::from_secs(9)).await;
    client.write_all(rest).await.unwrap();
    read_until(&mut client, "a page").await;

    // Occasional bytes do not prolong it.
    client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let since = Instant::now();
    sleep(Duration::from_secs(9)).await;
    client.write_all(b"Host: localhost\r\n").await.unwrap();
    kept(client).await;
    about(Duration::from_secs(10), since.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_slow_page_is_waited_for() {
    let mut client = connect(HeadLimits::default()).await;
    for _ in 0..2 {
        client
            .write_all(b"GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        read_until(&mut client, "\r\n\r\n").await;
    }
    about(Duration::from_secs(75), kept(client).await);
}

#[tokio::test(start_paused = true)]
async fn a_slow_upload_is_no_idle_connection() {
    let mut client = connect(HeadLimits::default()).await;
    page(&mut client).await;
    client
        .write_all(b"POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n")
        .await
        .unwrap();
    for byte in b"bytes" {
        sleep(Duration::from_secs(30)).await;
        client.write_all(&[*byte]).await.unwrap();
    }
    read_until(&mut client, "bytes").await;
}

#[tokio::test(start_paused = true)]
async fn pipelined_requests_are_answered_and_then_it_is_idle() {
    let mut client = connect(HeadLimits::default()).await;
    client
        .write_all(&[PAGE, PAGE, PAGE].concat())
        .await
        .unwrap();
    for _ in 0..3 {
        read_until(&mut client, "a page").await;
    }
    about(Duration::from_secs(75), kept(client).await);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_reads_slowly_gets_all_of_a_page() {
    let mut client = connect(HeadLimits::default()).await;
    client
        .write_all(b"GET /large HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    read_until(&mut client, "\r\n\r\n").await;
    let mut left = LARGE;
    let mut chunk = vec![0; 64 << 10];
    while left > 0 {
        // More than two minutes in all.
        sleep(Duration::from_secs(5)).await;
        let most = chunk.len().min(left);
        client.read_exact(&mut chunk[..most]).await.unwrap();
        left -= most;
    }
}
