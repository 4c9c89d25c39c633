//! A shutdown stops accepting, tells peers, waits, forces the rest, and reports.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::time::Duration;

use common::{read_head, serve, soon, start, upgrade_request};
use crossws_core::{CloseCode, ClosedBy, hooks};
use crossws_tokio::{Server, Shutdown};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

#[tokio::test]
async fn peers_are_told_and_every_close_hook_has_ended() {
    let (ended, mut seen) = mpsc::unbounded_channel();
    let server = serve(hooks().on_close(move |_, closed| {
        let ended = ended.clone();
        async move {
            // A hook that takes a while is waited for.
            tokio::task::yield_now().await;
            ended.send(closed).unwrap();
        }
    }))
    .await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(server.connect("/").await);
    }
    while server.hub().peers().len() < 5 {
        tokio::task::yield_now().await;
    }
    let stopping = tokio::spawn({
        let handle = server.handle.clone();
        async move { handle.shutdown(Shutdown::default()).await }
    });
    for client in &mut clients {
        let frame = client.close_frame().await.unwrap();
        assert_eq!(u16::from(frame.code), 1012);
        assert_eq!(frame.reason.as_str(), "restarting");
        // The client's library answers the close while it is read on.
        let _ = client.0.get_mut();
        let _ = soon("the end", futures_util::StreamExt::next(&mut client.0)).await;
    }
    let report = soon("the report", stopping).await.unwrap();
    assert_eq!((report.told, report.finished, report.forced), (5, 5, 0));
    for _ in 0..5 {
        let closed = seen.try_recv().expect("each close hook had ended");
        assert_eq!(closed.by, ClosedBy::Shutdown);
        assert_eq!((closed.code, closed.clean), (1012, true));
    }
    assert!(
        TcpStream::connect(server.addr).await.is_err(),
        "listening has stopped"
    );
}

#[tokio::test]
async fn a_signal_stops_listening_and_does_not_wait_for_nobody() {
    let server = Server::builder(hooks()).bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr();
    // The grace is longer than `soon` waits.
    let shutdown = Shutdown::default().grace(Duration::from_secs(3600));
    let report = server.run_until(tokio::task::yield_now(), shutdown);
    assert_eq!(soon("the report", report).await.unwrap().told, 0);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn what_outlives_the_grace_is_forced_and_reported() {
    let server =
        serve(hooks().on_message(|_, _| async { std::future::pending::<()>().await })).await;
    let mut stuck = server.connect("/").await;
    stuck.send("go").await;
    while server.hub().stats().sessions < 1 {
        tokio::task::yield_now().await;
    }
    let shutdown = Shutdown::default()
        .frame(CloseCode::AWAY)
        .grace(Duration::from_millis(100));
    let report = soon("the report", server.handle.shutdown(shutdown)).await;
    assert_eq!((report.told, report.finished, report.forced), (1, 0, 1));
    assert_eq!(server.hub().stats().sessions, 0);
}

#[tokio::test]
async fn an_upgrade_in_progress_is_waited_for_and_refused() {
    let (entered, mut seen) = mpsc::unbounded_channel();
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let waiting = release.clone();
    let server = serve(hooks().on_upgrade(move |_| {
        let entered = entered.clone();
        let mut release = waiting.subscribe();
        async move {
            entered.send(()).unwrap();
            release.recv().await.unwrap();
            Ok(crossws_core::Upgrade::new())
        }
    }))
    .await;
    let mut early = server.raw(&upgrade_request("/")).await;
    soon("the hook", seen.recv()).await.unwrap();
    server.hub().shutdown(CloseCode::RESTART.into());
    let handle = server.handle.clone();
    let stopping = tokio::spawn(async move { handle.shutdown(Shutdown::default()).await });
    while !server.hub().is_shutting_down() {
        tokio::task::yield_now().await;
    }
    assert!(!stopping.is_finished(), "the hook that runs is waited for");
    release.send(()).unwrap();
    assert!(read_head(&mut early).await.starts_with("HTTP/1.1 503"));
    soon("the report", stopping).await.unwrap();
}

#[tokio::test]
async fn a_request_at_hand_is_answered_before_the_server_is_gone() {
    let (entered, mut seen) = mpsc::unbounded_channel();
    let (release, _) = tokio::sync::broadcast::channel::<()>(1);
    let waiting = release.clone();
    let router = axum::Router::new().route(
        "/slow",
        axum::routing::get(move || async move {
            let mut release = waiting.subscribe();
            entered.send(()).unwrap();
            release.recv().await.unwrap();
            "done"
        }),
    );
    let server = start(Server::builder(hooks()).http(router)).await;
    let mut client = server
        .raw("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    soon("the handler", seen.recv()).await.unwrap();
    let handle = server.handle.clone();
    let stopping = tokio::spawn(async move { handle.shutdown(Shutdown::default()).await });
    while !server.hub().is_shutting_down() {
        tokio::task::yield_now().await;
    }
    release.send(()).unwrap();
    assert!(read_head(&mut client).await.starts_with("HTTP/1.1 200"));
    let mut body = [0; 4];
    soon("the body", client.read_exact(&mut body))
        .await
        .unwrap();
    assert_eq!(&body, b"done");
    soon("the report", stopping).await.unwrap();
}
