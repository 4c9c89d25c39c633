//! A shutdown stops accepting, closes peers, waits, forces the rest, and reports.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::{Pipes, read_head, serve, soon, start, upgrade_request};
use crossws_core::{CloseCode, ClosedBy, Hub, hooks};
use crossws_tokio::{Server, ServerHandle, Shutdown};
use futures_util::{SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::client_async;

#[tokio::test]
async fn peers_are_closed_and_every_close_hook_has_ended() {
    let (ended, mut seen) = mpsc::unbounded_channel();
    let server = serve(hooks().on_close(move |_, closed| {
        let ended = ended.clone();
        async move {
            // The shutdown waits for a hook that takes a while.
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
        // The client's library replies to the close while the test reads on.
        let _ = client.0.get_mut();
        let _ = soon("the end", futures_util::StreamExt::next(&mut client.0)).await;
    }
    let report = soon("the report", stopping).await.unwrap();
    assert_eq!((report.closed, report.flushed, report.forced), (5, 5, 0));
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
async fn a_signal_stops_listening_and_ends_at_once_without_connections() {
    let server = Server::builder(hooks()).bind("127.0.0.1:0").await.unwrap();
    let addr = server.local_addr();
    // The grace is longer than `soon` waits.
    let shutdown = Shutdown::default().grace(Duration::from_secs(3600));
    let report = server.run_until(tokio::task::yield_now(), shutdown);
    assert_eq!(soon("the report", report).await.unwrap().closed, 0);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn connections_that_outlive_the_grace_are_forced_and_reported() {
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
    assert_eq!((report.closed, report.flushed, report.forced), (1, 0, 1));
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
async fn a_current_request_is_answered_before_the_server_ends() {
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

/// If it waited for itself, it would wait for the whole grace: its own connection ends when it
/// returns.
#[tokio::test]
async fn a_hook_that_awaits_the_shutdown_does_not_wait_for_itself() {
    let own: Arc<OnceLock<ServerHandle>> = Arc::default();
    let (reports, mut seen) = mpsc::unbounded_channel();
    let hooks = hooks().on_message({
        let own = Arc::clone(&own);
        move |_, _| {
            let (own, reports) = (Arc::clone(&own), reports.clone());
            async move {
                let shutdown = Shutdown::default().grace(Duration::from_secs(3600));
                let report = own.get().unwrap().shutdown(shutdown).await;
                reports.send(report).unwrap();
            }
        }
    });
    let server = serve(hooks).await;
    assert!(own.set(server.handle.clone()).is_ok());
    let mut other = server.connect("/").await;
    let mut admin = server.connect("/").await;
    admin.send("stop").await;
    assert_eq!(u16::from(other.close_frame().await.unwrap().code), 1012);
    let _ = soon("the end", futures_util::StreamExt::next(&mut other.0)).await;
    let report = soon("the report", seen.recv()).await.unwrap();
    assert_eq!((report.closed, report.flushed, report.forced), (1, 1, 0));
    // Its own connection is closed like the others.
    assert_eq!(u16::from(admin.close_frame().await.unwrap().code), 1012);
}

/// A load balancer learns of the shutdown before the clients do.
#[tokio::test(start_paused = true)]
async fn a_server_serves_during_the_delay_and_reports_that_it_is_not_ready() {
    let hub = Hub::default();
    let (pipes, listener) = mpsc::unbounded_channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = Server::builder(hooks().on_message(|peer, text| async move { peer.send(text) }))
        .hub(hub.clone())
        .listen(Pipes(listener))
        .unwrap();
    let delay = Shutdown::default().delay(Duration::from_secs(5));
    let report = tokio::spawn(server.run_until(stopped, delay));
    let connect = async || {
        let (client, pipe) = tokio::io::duplex(1 << 16);
        pipes.send(pipe).unwrap();
        let (client, _) = client_async("ws://localhost/", client).await.unwrap();
        client
    };
    let mut early = connect().await;
    assert!(hub.is_ready());
    stop.send(()).unwrap();
    while hub.is_ready() {
        tokio::task::yield_now().await;
    }
    let start = Instant::now();
    let mut late = connect().await;
    late.send("still?".into()).await.unwrap();
    assert_eq!(
        late.next().await.unwrap().unwrap().into_text().unwrap(),
        "still?"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    for client in [&mut early, &mut late] {
        assert!(client.next().await.unwrap().unwrap().is_close());
        assert!(client.next().await.is_none());
    }
    assert_eq!(start.elapsed().as_secs(), 5);
    let report = report.await.unwrap().unwrap();
    assert_eq!((report.closed, report.flushed), (2, 2));
}

/// If they did, each would wait for the other's connection, for the whole grace.
#[tokio::test]
async fn hooks_that_await_the_shutdown_do_not_wait_for_each_other() {
    let own: Arc<OnceLock<ServerHandle>> = Arc::default();
    let (reports, mut seen) = mpsc::unbounded_channel();
    let both = Arc::new(tokio::sync::Barrier::new(2));
    let hooks = hooks().on_message({
        let own = Arc::clone(&own);
        move |_, _| {
            let (own, reports, both) = (Arc::clone(&own), reports.clone(), Arc::clone(&both));
            async move {
                both.wait().await;
                let shutdown = Shutdown::default().grace(Duration::from_secs(3600));
                let report = own.get().unwrap().shutdown(shutdown).await;
                reports.send(report).unwrap();
            }
        }
    });
    let server = serve(hooks).await;
    assert!(own.set(server.handle.clone()).is_ok());
    let ends = [server.connect("/").await, server.connect("/").await].map(|mut admin| async move {
        admin.send("stop").await;
        assert_eq!(u16::from(admin.close_frame().await.unwrap().code), 1012);
        let _ = soon("the end", futures_util::StreamExt::next(&mut admin.0)).await;
    });
    futures_util::future::join_all(ends).await;
    for _ in 0..2 {
        let report = soon("the report", seen.recv()).await.unwrap();
        assert_eq!(report.forced, 0, "{report}");
    }
}

/// It waits for every connection of that other server.
#[tokio::test]
async fn a_hook_that_awaits_another_servers_shutdown_waits_for_all_of_it() {
    let other: Arc<OnceLock<ServerHandle>> = Arc::default();
    let (reports, mut seen) = mpsc::unbounded_channel();
    let admins = hooks().on_message({
        let other = Arc::clone(&other);
        move |_, _| {
            let (other, reports) = (Arc::clone(&other), reports.clone());
            async move {
                let report = other.get().unwrap().shutdown(Shutdown::default()).await;
                reports.send(report).unwrap();
            }
        }
    });
    let (admins, server) = (serve(admins).await, serve(hooks()).await);
    assert!(other.set(server.handle.clone()).is_ok());
    let mut client = server.connect("/").await;
    let mut admin = admins.connect("/").await;
    admin.send("stop").await;
    assert_eq!(u16::from(client.close_frame().await.unwrap().code), 1012);
    let _ = soon("the end", futures_util::StreamExt::next(&mut client.0)).await;
    let report = soon("the report", seen.recv()).await.unwrap();
    assert_eq!((report.closed, report.flushed), (1, 1), "{report}");
}
