//! Slow clients, hostile clients and a server without free file descriptors: each is contained.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use std::process::Stdio;
use std::time::Duration;

use common::{SOON, read_head, serve, soon, start, upgrade_request};
use crossws_core::{ClosedBy, ErrorKind, Hub, Limits, OnError, Origin, Overflow, hooks};
use crossws_tokio::{HeadLimits, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::mpsc;

fn hub(limits: Limits) -> Hub {
    Hub::builder().limits(limits).build()
}

#[tokio::test]
async fn a_client_that_never_reads_is_closed_and_delays_no_other() {
    let (ended, mut seen) = mpsc::unbounded_channel();
    let app = hooks()
        .on_open(|peer| async move { peer.subscribe("room").map(drop) })
        .on_close(move |peer, closed| {
            let ended = ended.clone();
            async move { ended.send((peer.dropped(), closed)).unwrap() }
        });
    let limits = Limits::default().max_buffered(256 << 10);
    let server = start(Server::builder(app).hub(hub(limits))).await;
    let mut reader = server.connect("/").await;
    // Reads the 101 and nothing more.
    let mut slow = server.raw(&upgrade_request("/")).await;
    read_head(&mut slow).await;
    while server.hub().in_namespace("/").count("room") < 2 {
        tokio::task::yield_now().await;
    }
    let text = "x".repeat(8 << 10);
    let mut published = 0;
    while server.hub().in_namespace("/").count("room") == 2 {
        let amounts = server
            .hub()
            .peers()
            .iter()
            .map(|peer| peer.buffered_amount())
            .max();
        assert!(amounts.unwrap() <= 256 << 10, "the queue is bounded");
        server
            .hub()
            .in_namespace("/")
            .publish("room", text.as_str())
            .unwrap();
        published += 1;
        // The reader gets every message, in time.
        assert_eq!(reader.text().await.len(), text.len());
    }
    assert!(published > 32, "the kernel's buffers were filled first");
    // The close frame is the last thing that the slow client reads.
    let mut rest = Vec::new();
    soon("the slow one's end", slow.read_to_end(&mut rest))
        .await
        .unwrap();
    assert!(
        rest.ends_with(b"slow consumer"),
        "a close frame after whole frames"
    );
    let (dropped, closed) = soon("the close hook", seen.recv()).await.unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (1013, ClosedBy::Server, false)
    );
    assert!(dropped > 0);
    assert!(server.hub().stats().dropped > 0);
    server
        .hub()
        .in_namespace("/")
        .publish("room", "still here")
        .unwrap();
    assert_eq!(reader.text().await, "still here");
}

#[tokio::test]
async fn a_queue_of_which_nothing_is_written_becomes_too_old() {
    let (ended, mut seen) = mpsc::unbounded_channel();
    let app = hooks()
        .on_open(|peer| async move {
            // More than the kernel takes, less than the queue's other bounds.
            for _ in 0..4 {
                peer.send(vec![0; 8 << 20])?;
            }
            Ok::<_, crossws_core::SendError>(())
        })
        .on_close(move |_, closed| {
            let ended = ended.clone();
            async move { ended.send(closed).unwrap() }
        });
    let limits = Limits::default()
        .max_buffered(64 << 20)
        .max_queue_age(Duration::from_millis(50))
        .close_timeout(Duration::from_millis(50));
    let server = start(Server::builder(app).hub(hub(limits))).await;
    let mut slow = server.raw(&upgrade_request("/")).await;
    read_head(&mut slow).await;
    let closed = soon("the close hook", seen.recv()).await.unwrap();
    assert_eq!((closed.code, closed.by), (1013, ClosedBy::Server));
}

#[tokio::test]
async fn under_a_dropping_policy_the_slow_one_stays_and_its_losses_are_counted() {
    for policy in [Overflow::DropNewest, Overflow::DropOldest] {
        let app = hooks().on_open(|peer| async move { peer.subscribe("room").map(drop) });
        let limits = Limits::default().max_queued(50).overflow(policy);
        let server = start(Server::builder(app).hub(hub(limits))).await;
        let mut slow = server.raw(&upgrade_request("/")).await;
        read_head(&mut slow).await;
        while server.hub().in_namespace("/").count("room") < 1 {
            tokio::task::yield_now().await;
        }
        let peer = server.hub().peers().remove(0);
        let mut published = 0u64;
        let text = "x".repeat(64 << 10);
        let mut queued = 0;
        while peer.dropped() < 100 {
            let told = server
                .hub()
                .in_namespace("/")
                .publish("room", text.as_str())
                .unwrap();
            queued += told.queued as u64;
            published += 1;
            if published.is_multiple_of(16) {
                tokio::task::yield_now().await;
            }
        }
        assert_eq!(server.hub().peers().len(), 1);
        match policy {
            Overflow::DropNewest => assert_eq!(queued + peer.dropped(), published),
            _ => assert_eq!(queued, published, "the newest always finds room"),
        }
        let all_told = async {
            // The connection's task tells what it was woken for.
            while server.hub().stats().dropped < peer.dropped() {
                tokio::task::yield_now().await;
            }
        };
        soon("what was dropped is counted", all_told).await;
        assert_eq!(server.hub().stats().dropped, peer.dropped());
    }
}

#[tokio::test]
async fn an_oversized_message_gets_its_code_although_more_is_on_its_way() {
    let (failed, mut seen) = mpsc::unbounded_channel();
    let app = hooks().on_error(move |_, error| {
        let failed = failed.clone();
        async move {
            failed.send(error.kind()).unwrap();
            OnError::Keep
        }
    });
    let limits = Limits::default().max_message_size(1000);
    let server = start(Server::builder(app).hub(hub(limits))).await;
    let mut stream = server.raw(&upgrade_request("/")).await;
    read_head(&mut stream).await;
    // A frame of 1 MiB begins, and its payload follows: unread bytes must not reset the connection
    // before the close frame is read.
    let mut frame = vec![0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 0, 1, 2, 3, 4];
    frame.resize(20_000, 7);
    stream.write_all(&frame).await.unwrap();
    let mut answer = Vec::new();
    soon("the close", stream.read_to_end(&mut answer))
        .await
        .unwrap();
    assert_eq!(
        &answer[..4],
        b"\x88\x11\x03\xf1",
        "1009, then the end: {answer:?}"
    );
    assert_eq!(
        soon("the error hook", seen.recv()).await,
        Some(ErrorKind::Protocol)
    );
}

#[tokio::test]
async fn a_client_that_answers_a_ping_after_its_close_frame_reads_everything() {
    let (ended, mut seen) = mpsc::unbounded_channel();
    let app = hooks()
        .on_open(|peer| async move {
            peer.ping("").unwrap();
            for _ in 0..MESSAGES {
                peer.send("x".repeat(1000)).unwrap();
            }
        })
        .on_close(move |_, closed| {
            let ended = ended.clone();
            async move { ended.send(closed.clean).unwrap() }
        });
    let server = start(Server::builder(app)).await;
    // The client's system buffers the unread bytes, which a reset would destroy.
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut client = socket.connect(server.addr).await.unwrap();
    let request = upgrade_request("/");
    client.write_all(request.as_bytes()).await.unwrap();
    read_head(&mut client).await;
    client.write_all(&CLOSE).await.unwrap();
    assert_eq!(soon("the close hook", seen.recv()).await, Some(true));
    // The client has not read the end yet, so it answers the ping (RFC 6455 section 5.5.2).
    let mut ping = [0; 2];
    client.read_exact(&mut ping).await.unwrap();
    assert_eq!(ping, *b"\x89\x00");
    client.write_all(&PONG).await.unwrap();
    let mut rest = Vec::new();
    soon("the end", client.read_to_end(&mut rest))
        .await
        .unwrap();
    assert_eq!(rest.len(), MESSAGES * 1004 + 4);
    assert!(rest.ends_with(b"\x88\x02\x03\xe8"));
}

/// More than the client buffers, and less than the server's system buffers.
const MESSAGES: usize = 32;

/// A client's close frame, masked with zeros.
const CLOSE: [u8; 8] = *b"\x88\x82\0\0\0\0\x03\xe8";
const PONG: [u8; 6] = *b"\x8a\x80\0\0\0\0";

#[tokio::test]
async fn a_slow_head_gets_408_and_a_silent_connection_is_dropped() {
    let mut limits = HeadLimits::default();
    limits.timeout = Duration::from_millis(100);
    let server = Server::builder(hooks()).head_limits(limits);
    let server = server.bind("127.0.0.1:0").await.unwrap();
    // Written before the server accepts, so that it is there when its time begins.
    let mut dribbler = TcpStream::connect(server.local_addr()).await.unwrap();
    let half = b"GET / HTTP/1.1\r\nHost: loc";
    dribbler.write_all(half).await.unwrap();
    let mut silent = TcpStream::connect(server.local_addr()).await.unwrap();
    tokio::spawn(server.run());
    assert!(read_head(&mut dribbler).await.starts_with("HTTP/1.1 408"));
    let mut nothing = Vec::new();
    soon("the end", silent.read_to_end(&mut nothing))
        .await
        .unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn an_upgrade_that_takes_too_long_is_answered_and_one_too_many_refused() {
    let app = hooks().on_upgrade(|request| async move {
        if request.path() == "/slow" {
            std::future::pending::<()>().await;
        }
        Ok(crossws_core::Upgrade::new())
    });
    let limits = Limits::default()
        .upgrade_timeout(Duration::from_millis(50))
        .max_peers(1);
    let server = start(Server::builder(app).hub(hub(limits))).await;
    let mut slow = server.raw(&upgrade_request("/slow")).await;
    let head = read_head(&mut slow).await;
    assert!(
        head.starts_with("HTTP/1.1 503") && head.contains("retry-after"),
        "{head}"
    );
    let _only = server.connect("/").await;
    while server.hub().peers().is_empty() {
        tokio::task::yield_now().await;
    }
    let mut more = server.raw(&upgrade_request("/")).await;
    assert!(read_head(&mut more).await.starts_with("HTTP/1.1 503"));
}

#[tokio::test]
async fn a_lost_client_is_seen_while_its_hook_runs() {
    let (ended, mut seen) = mpsc::unbounded_channel();
    let app = hooks()
        .on_message(|peer, _| async move { peer.closed().await })
        .on_close(move |_, closed| {
            let ended = ended.clone();
            async move { ended.send(closed).unwrap() }
        });
    let server = serve(app).await;
    let mut client = server.connect("/").await;
    client.send("wait").await;
    while server.hub().peers().is_empty() {
        tokio::task::yield_now().await;
    }
    let stream = client.0.get_mut();
    socket2::SockRef::from(&*stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(client);
    let closed = soon("the close hook", seen.recv()).await.unwrap();
    assert_eq!((closed.code, closed.by), (1006, ClosedBy::Network));
    assert!(server.hub().peers().is_empty());
}

/// The child of the next test: a server with few file descriptors, until its input ends.
#[tokio::test]
async fn child_server() {
    if std::env::var_os("CROSSWS_TEST_CHILD").is_none() {
        return;
    }
    let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
    let hub = Hub::builder().origin(Origin::Any).build();
    let server = start(Server::builder(echo).hub(hub)).await;
    println!("listening on {}", server.addr);
    let mut end = String::new();
    tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut end))
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_server_out_of_file_descriptors_recovers() {
    let this = std::env::current_exe().unwrap();
    let mut child = std::process::Command::new("sh")
        .args([
            "-c",
            "ulimit -n 40 && exec \"$0\" --exact child_server --nocapture",
        ])
        .arg(this)
        .env("CROSSWS_TEST_CHILD", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let output = std::io::BufReader::new(child.stdout.take().unwrap());
    // Kept to the end, so that the child can still write its last lines.
    let mut lines = std::io::BufRead::lines(output).map(Result::unwrap);
    let line = lines.find(|line| line.contains("listening on ")).unwrap();
    let addr = line.rsplit(' ').next().unwrap().parse().unwrap();

    // More connections than it has descriptors for: the kernel completes them, the server cannot.
    let mut crowd = Vec::new();
    for _ in 0..60 {
        crowd.push(TcpStream::connect(addr).await.unwrap());
    }
    let mut first = Vec::new();
    for stream in crowd.drain(..10) {
        first.push(common::Client::over(stream, addr, "/").await);
    }
    for client in &mut first {
        client.send("during").await;
        assert_eq!(client.text().await, "during", "open connections go on");
    }
    // Descriptors are free again: a new connection is accepted within the longest pause.
    drop(crowd);
    let stream = tokio::time::timeout(SOON, TcpStream::connect(addr))
        .await
        .unwrap();
    let mut late = common::Client::over(stream.unwrap(), addr, "/").await;
    late.send("after").await;
    assert_eq!(late.text().await, "after");
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
}
