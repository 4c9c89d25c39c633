//! How a stream ends, and what that means for the others of its connection.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use crossws_core::{ClosedBy, Limits};
use crossws_tokio::Shutdown;
use h2::Reason;
use tokio::sync::mpsc;

use super::*;

/// Echoes, and tells who ended each connection.
fn telling() -> (HooksBuilder, mpsc::UnboundedReceiver<(ClosedBy, bool)>) {
    let (tell, told) = mpsc::unbounded_channel();
    let hooks = echo().on_close(move |_, closed| {
        let _ = tell.send((closed.by, closed.clean));
        async {}
    });
    (hooks, told)
}

#[test]
fn a_reset_is_the_end_of_its_own_websocket() {
    run(async {
        let (hooks, mut ends) = telling();
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let mut one = open(&connection, "/").await;
        let mut two = open(&connection, "/").await;
        works(&mut one).await;
        one.reset(Reason::CANCEL);
        let end = soon("a close hook", ends.recv()).await;
        assert_eq!(end, Some((ClosedBy::Network, false)));
        works(&mut two).await;
        drop(two);
        assert_eq!(
            soon("a close hook", ends.recv()).await,
            Some((ClosedBy::Network, false))
        );
        works(&mut open(&connection, "/").await).await;
    });
}

#[test]
fn a_connect_that_is_all_of_its_stream_is_a_client_that_has_left() {
    run(async {
        let (hooks, mut ends) = telling();
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let request = connection.connect(get("/"));
        let (_response, mut stream) = connection.begin(request).await.unwrap();
        stream.send_data(Bytes::new(), true).unwrap();
        assert_eq!(
            soon("a close hook", ends.recv()).await,
            Some((ClosedBy::Network, false))
        );
        works(&mut open(&connection, "/").await).await;
    });
}

#[test]
fn a_close_handshake_ends_both_sides_of_the_stream() {
    run(async {
        let (hooks, mut ends) = telling();
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let mut tunnel = open(&connection, "/").await;
        tunnel
            .write_all(&frame(8, &1000_u16.to_be_bytes()))
            .await
            .unwrap();
        let (opcode, payload) = hear(&mut tunnel).await.unwrap();
        assert_eq!((opcode, &payload[..2]), (8, &1000_u16.to_be_bytes()[..]));
        assert_eq!(hear(&mut tunnel).await, None, "END_STREAM, not a reset");
        assert_eq!(ends.recv().await, Some((ClosedBy::Client, true)));
    });
}

#[test]
fn terminating_a_peer_resets_its_stream() {
    run(async {
        let hooks = hooks().on_message(|peer, _| async move {
            peer.terminate();
        });
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let mut one = open(&connection, "/").await;
        let _two = open(&connection, "/").await;
        say(&mut one, "go").await;
        assert_eq!(
            soon("a reset", one.reset_reason()).await,
            Some(Reason::CANCEL)
        );
        assert_eq!(server.handle.hub().stats().peers, 1);
    });
}

#[test]
fn a_client_that_does_not_read_one_stream_reads_the_others() {
    run(async {
        let (hooks, mut ends) = telling();
        let limits = Limits::default().max_buffered(256 << 10);
        let builder = Server::builder(hooks).limits(limits).http2(known());
        let server = start(builder).await;
        let connection = server.dial().await;
        let slow = open(&connection, "/slow").await;
        let mut quick = open(&connection, "/quick").await;
        let hub = server.handle.hub().clone();
        let peer = hub
            .peers()
            .into_iter()
            .find(|peer| peer.request().path() == "/slow")
            .unwrap();
        // Its window and its buffer are full, and then its queue is.
        while peer.send("x".repeat(16 << 10)).is_ok() {
            tokio::task::yield_now().await;
            works(&mut quick).await;
        }
        assert_eq!(
            soon("a close hook", ends.recv()).await.unwrap().0,
            ClosedBy::Server
        );
        works(&mut quick).await;
        drop(slow);
    });
}

/// Writes a message. Returns whether that waits, however often the connection serves another stream
/// meanwhile.
async fn stalls(slow: &mut Tunnel, message: &[u8], quick: &mut Tunnel) -> bool {
    let mut write = pin!(slow.write_all(message));
    for _ in 0..10 {
        if poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx).is_ready())).await {
            return false;
        }
        works(quick).await;
    }
    true
}

#[test]
fn slow_hooks_stop_their_own_stream() {
    run(async {
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let wait = Arc::clone(&gate);
        let hooks = hooks().on_message(move |peer, message| {
            let wait = Arc::clone(&wait);
            async move {
                if peer.request().path() == "/slow" {
                    wait.acquire().await?.forget();
                }
                peer.send(message)?;
                Ok::<_, crossws_core::BoxError>(())
            }
        });
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let mut slow = open(&connection, "/slow").await;
        let mut quick = open(&connection, "/quick").await;
        let message = frame(2, &[0; 16 << 10]);
        // More than the queue of messages and the stream's window take: the write waits.
        let mut sent = 0;
        while !stalls(&mut slow, &message, &mut quick).await {
            sent += 1;
            assert!(sent < 10_000, "the server reads on");
        }
        works(&mut quick).await;
        gate.add_permits(10_000);
        assert_eq!(hear(&mut slow).await.unwrap().1.len(), 16 << 10);
    });
}

#[test]
fn a_window_of_tiny_messages_does_not_end_the_connection() {
    run(async {
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let wait = Arc::clone(&gate);
        let hooks = hooks().on_message(move |peer, message| {
            let wait = Arc::clone(&wait);
            async move {
                if peer.request().path() == "/slow" {
                    wait.acquire().await?.forget();
                }
                peer.send(message)?;
                Ok::<_, crossws_core::BoxError>(())
            }
        });
        let server = start(Server::builder(hooks).http2(known())).await;
        let connection = server.dial().await;
        let mut slow = open(&connection, "/slow").await;
        let mut quick = open(&connection, "/quick").await;
        // Each is one frame of DATA with 7 bytes: 9,362 fill the stream's window.
        for _ in 0..9_000 {
            say(&mut slow, "x").await;
        }
        works(&mut quick).await;
        gate.add_permits(9_000);
        for _ in 0..9_000 {
            assert_eq!(hear(&mut slow).await, Some((1, Bytes::from("x"))));
        }
    });
}

#[test]
fn a_shutdown_closes_each_stream_and_then_the_connection() {
    run(async {
        let server = serve().await;
        let connection = server.dial().await;
        let mut one = open(&connection, "/").await;
        let mut two = open(&connection, "/").await;
        let handle = server.handle.clone();
        let stopped = tokio::spawn(async move { handle.shutdown(Shutdown::default()).await });
        for tunnel in [&mut one, &mut two] {
            let (opcode, payload) = hear(tunnel).await.unwrap();
            assert_eq!((opcode, &payload[..2]), (8, &1012_u16.to_be_bytes()[..]));
            tunnel.write_all(&frame(8, &payload)).await.unwrap();
            tunnel.shutdown().await.unwrap();
            assert_eq!(hear(tunnel).await, None);
        }
        drop((one, two));
        let report = soon("the shutdown", stopped).await.unwrap();
        assert_eq!((report.flushed, report.forced), (2, 0));
        let late = connection.open(get("/")).await;
        assert!(late.is_err(), "GOAWAY");
    });
}

#[test]
fn an_idle_connection_does_not_delay_a_shutdown() {
    run_in_virtual_time(async {
        let server = Piped::serve(HeadLimits::default());
        let connection = Http2::over(server.dial(), "http").await.unwrap();
        assert!(connection.offers_connect());
        let began = tokio::time::Instant::now();
        let report = server.handle.shutdown(Shutdown::default()).await;
        assert_eq!(report.forced, 0);
        assert_eq!(began.elapsed(), Duration::ZERO);
    });
}
