//! A connection, or an app's hook on it, delays no other connection and no clock.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use common::{Running, SOON, read_head, serve, soon, start, upgrade_request};
use crossws_core::{
    Closed, ClosedBy, HookResult, Hub, Limits, Message, Peer, Route, RouteSettings, UpgradeRequest,
    hooks, resolve_with,
};
use crossws_tokio::Server;
use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_tungstenite::tungstenite::Message as Received;

/// Reads until the server ends the stream, or resets it.
async fn end(stream: &mut TcpStream) {
    let mut rest = [0; 256];
    let read = async { while let Ok(1..) = stream.read(&mut rest).await {} };
    soon("the end", read).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heartbeats_continue_when_a_hook_uses_up_its_tasks_budget() {
    let soon = Duration::from_millis(200);
    let limits = Limits::default().ping_interval(soon).pong_timeout(soon);
    let hooks = hooks().on_open(|_: Peer| async {
        // More than tokio lets a task do in one poll. After that the task may not set a timer
        // either.
        let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
        for n in 0..200 {
            sender.send(n).unwrap();
        }
        for _ in 0..200 {
            receiver.recv().await;
        }
    });
    let hub = Hub::builder().limits(limits).build();
    let server = start(Server::builder(hooks).hub(hub)).await;
    let mut mute = server.raw(&upgrade_request("/")).await;
    read_head(&mut mute).await;
    end(&mut mute).await;
}

#[tokio::test]
async fn a_stored_peer_keeps_no_stream_open() {
    let kept: Arc<Mutex<Vec<Peer>>> = Arc::default();
    let hooks = {
        let kept = Arc::clone(&kept);
        hooks().on_message(move |peer: Peer, _: Message| {
            kept.lock().unwrap().push(peer.clone());
            async move { peer.terminate() }
        })
    };
    let server = serve(hooks).await;
    let mut stream = server.raw(&upgrade_request("/")).await;
    read_head(&mut stream).await;
    stream.write_all(b"\x81\x85\0\0\0\0hello").await.unwrap();
    end(&mut stream).await;
    assert_eq!(kept.lock().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_publication_arrives_while_the_publishers_hook_blocks() {
    let (done, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let hooks = hooks()
        .on_open(|peer: Peer| async move {
            peer.subscribe("room")?;
            HookResult::Ok(())
        })
        .on_message(move |peer: Peer, _: Message| {
            peer.publish("room", "news").unwrap();
            // A bad app: its thread does nothing else meanwhile.
            wait.lock().unwrap().recv_timeout(SOON).unwrap();
            async {}
        });
    let server = serve(hooks).await;
    let mut room = Vec::new();
    for _ in 0..10 {
        room.push(server.connect("/").await);
    }
    let mut publisher = server.connect("/").await;
    while server.hub().in_namespace("/").count("room") < 11 {
        tokio::task::yield_now().await;
    }
    publisher.send("go").await;
    for client in &mut room {
        assert_eq!(client.text().await, "news");
    }
    done.send(()).unwrap();
}

/// A server whose close hook blocks its thread when a silent client's time is over, until the test
/// releases it.
struct HeldUp {
    server: Running,
    begun: UnboundedReceiver<()>,
    done: mpsc::Sender<()>,
    ended: mpsc::Receiver<Result<(), mpsc::RecvTimeoutError>>,
}

impl HeldUp {
    async fn start() -> Self {
        let (done, wait) = mpsc::channel();
        let (begins, begun) = unbounded_channel();
        let (ends, ended) = mpsc::channel();
        let wait = Mutex::new(wait);
        let hooks = hooks().on_close(move |_: Peer, closed: Closed| {
            if closed.by == ClosedBy::Timeout {
                begins.send(()).unwrap();
                // A bad app: its thread does nothing else meanwhile.
                ends.send(wait.lock().unwrap().recv_timeout(SOON)).unwrap();
            }
            async {}
        });
        // The silent client's end is due before every deadline of the other clients: in one poll
        // its task sets the earliest time and runs the hook.
        let limits = Limits::default()
            .ping_interval(Duration::from_millis(400))
            .pong_timeout(Duration::from_millis(100))
            .close_timeout(Duration::from_millis(10));
        let hub = Hub::builder().limits(limits).build();
        // A client that replies must not be late on a busy machine.
        let patient = Arc::new(RouteSettings::new().pong_timeout(SOON));
        let hooks = Arc::new(hooks);
        let resolver = resolve_with(move |request: &mut UpgradeRequest| {
            let route = Route::new(Arc::clone(&hooks));
            match request.path() {
                "/patient" => route.settings(&patient),
                _ => route,
            }
        });
        Self {
            server: start(Server::builder(resolver).hub(hub)).await,
            begun,
            done,
            ended,
        }
    }

    /// Releases a hook.
    fn go_on(&self) {
        self.done.send(()).unwrap();
        let ended = self.ended.recv_timeout(SOON);
        assert_eq!(ended, Ok(Ok(())), "the hook went on");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn heartbeats_continue_while_a_hook_blocks() {
    let held_up = HeldUp::start().await;
    let mut mute = held_up.server.raw(&upgrade_request("/")).await;
    read_head(&mut mute).await;
    let mut client = held_up.server.connect("/patient").await;
    let pings = tokio::spawn(async move {
        for _ in 0..3 {
            let next = soon("a ping", client.0.next()).await;
            assert!(matches!(next, Some(Ok(Received::Ping(_)))), "{next:?}");
        }
    });
    // There is other work to do: a thread that blocks on an idle runtime may be the one that
    // watches tokio's own clock.
    while !pings.is_finished() {
        tokio::spawn(async {}).await.unwrap();
    }
    pings.await.unwrap();
    held_up.go_on();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 6)]
async fn heartbeats_continue_while_two_hooks_block() {
    let mut held_up = HeldUp::start().await;
    let mut client = held_up.server.connect("/patient").await;
    let mut first = held_up.server.raw(&upgrade_request("/")).await;
    read_head(&mut first).await;
    let (heard, mut pings) = unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(Received::Ping(_))) = client.0.next().await {
            heard.send(()).unwrap();
        }
    });
    let busy = tokio::spawn(async {
        loop {
            tokio::task::yield_now().await;
        }
    });
    soon("a hook", held_up.begun.recv()).await.unwrap();
    let mut second = held_up.server.raw(&upgrade_request("/")).await;
    read_head(&mut second).await;
    soon("another hook", held_up.begun.recv()).await.unwrap();
    while pings.try_recv().is_ok() {}
    for _ in 0..3 {
        soon("a ping", pings.recv()).await.unwrap();
    }
    busy.abort();
    held_up.go_on();
    held_up.go_on();
}
