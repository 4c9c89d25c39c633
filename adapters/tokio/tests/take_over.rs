//! Hooks on a WebSocket that tokio-tungstenite has accepted.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use crossws_core::adapter::ClaimError;
use crossws_core::http::Request;
use crossws_core::{
    CloseCode, Closed, ClosedBy, Hub, Limits, Message, Rejection, UpgradeRequest, hooks,
};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Message as Theirs};
use tokio_tungstenite::{WebSocketStream, accept_async, accept_async_with_config};

type Ends = Arc<Mutex<Vec<Closed>>>;

fn request() -> UpgradeRequest {
    UpgradeRequest::new(Request::get("/room").body(()).unwrap().into_parts().0)
}

/// Serves the other end: an echo that closes on request.
fn serve(stream: DuplexStream, hub: Hub, config: WebSocketConfig) -> Ends {
    let ends = Ends::default();
    let seen = Arc::clone(&ends);
    let hooks = hooks()
        .on_message(|peer, message: Message| async move {
            match message.text() {
                Ok("close") => peer.close(CloseCode::new(4000).unwrap(), "as told"),
                _ => {
                    peer.send(message)?;
                }
            }
            crossws_core::HookResult::Ok(())
        })
        .on_close(move |_, closed| {
            seen.lock().unwrap().push(closed);
            async {}
        });
    tokio::spawn(async move {
        let socket = accept_async_with_config(stream, Some(config))
            .await
            .unwrap();
        crossws_tokio::take_over(socket, request(), &Arc::new(hooks), &hub)
            .await
            .unwrap();
    });
    ends
}

async fn connect(limits: Limits, config: WebSocketConfig) -> (WebSocketStream<DuplexStream>, Ends) {
    let (client, server) = duplex(1 << 16);
    let ends = serve(server, Hub::builder().limits(limits).build(), config);
    let (socket, _) = tokio_tungstenite::client_async("ws://localhost/room", client)
        .await
        .unwrap();
    (socket, ends)
}

async fn next(socket: &mut WebSocketStream<DuplexStream>) -> Theirs {
    socket.next().await.unwrap().unwrap()
}

fn closes_with(message: Theirs) -> u16 {
    match message {
        Theirs::Close(Some(frame)) => frame.code.into(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bytes_that_were_read_ahead_are_not_lost() {
    let (client, server) = duplex(1 << 16);
    let read = b"\x81\x85\0\0\0\0hello".to_vec();
    let socket = WebSocketStream::from_partially_read(server, read, Role::Server, None).await;
    tokio::spawn(async move {
        let echo = hooks().on_message(|peer, message| async move { peer.send(message) });
        let hub = Hub::default();
        crossws_tokio::take_over(socket, request(), &Arc::new(echo), &hub).await
    });
    let mut socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
    assert_eq!(next(&mut socket).await, Theirs::text("hello"));
}

#[tokio::test]
async fn messages_of_both_kinds_are_echoed_and_a_ping_is_answered_once() {
    let (mut socket, ends) = connect(Limits::default(), WebSocketConfig::default()).await;
    let large = Theirs::Binary(vec![7; 300_000].into());
    socket.send(Theirs::text("zażółć")).await.unwrap();
    socket
        .send(Theirs::Ping(Bytes::from_static(b"there?")))
        .await
        .unwrap();
    let mut answers = [next(&mut socket).await, next(&mut socket).await];
    answers.sort_by_key(Theirs::is_text);
    let pong = Theirs::Pong(Bytes::from_static(b"there?"));
    assert_eq!(answers, [pong, Theirs::text("zażółć")]);
    let (mut sending, mut receiving) = socket.split();
    let (sent, received) = tokio::join!(sending.send(large.clone()), receiving.next());
    sent.unwrap();
    assert_eq!(received.unwrap().unwrap(), large, "and no second pong");
    let mut socket = sending.reunite(receiving).unwrap();
    let bye = CloseFrame {
        code: 4001.into(),
        reason: "bye".into(),
    };
    socket.close(Some(bye)).await.unwrap();
    assert_eq!(closes_with(next(&mut socket).await), 4001);
    assert!(socket.next().await.is_none());
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, &*closed.reason, closed.clean),
        (4001, "bye", true)
    );
    assert_eq!(closed.by, ClosedBy::Client);
}

#[tokio::test]
async fn each_ping_of_a_burst_is_answered_once_at_most() {
    let (mut socket, _) = connect(Limits::default(), WebSocketConfig::default()).await;
    for at in 0..20_u8 {
        socket.feed(Theirs::Ping(vec![at].into())).await.unwrap();
    }
    socket.send(Theirs::text("end")).await.unwrap();
    // The last pong may follow the echo, but precedes the next one.
    let mut pongs = Vec::new();
    let mut echoes = 0;
    while echoes < 2 {
        match next(&mut socket).await {
            Theirs::Pong(data) => pongs.push(data[0]),
            Theirs::Text(_) => {
                echoes += 1;
                if echoes == 1 {
                    socket.send(Theirs::text("behind")).await.unwrap();
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(pongs.is_sorted_by(|a, b| a < b), "{pongs:?}");
    assert_eq!(pongs.last(), Some(&19));
}

#[tokio::test]
async fn a_close_of_this_side_is_answered_in_order() {
    let (mut socket, ends) = connect(Limits::default(), WebSocketConfig::default()).await;
    socket.send(Theirs::text("close")).await.unwrap();
    assert_eq!(closes_with(next(&mut socket).await), 4000);
    assert!(socket.next().await.is_none());
    let closed = ends.lock().unwrap().pop().unwrap();
    assert_eq!(
        (closed.code, closed.by, closed.clean),
        (4000, ClosedBy::Server, true)
    );
}

#[tokio::test]
async fn broken_rules_and_limits_of_either_side_have_their_codes() {
    for (bytes, code) in [
        (&b"\x81\x05hello"[..], 1002),
        (b"\x83\x80\0\0\0\0", 1002),
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x82\x85\0\0\0\0large", 1009),
        (b"\x82\x8a\0\0\0\0larger yet", 1009),
    ] {
        let config = WebSocketConfig::default().max_message_size(Some(6));
        let limits = Limits::default().max_message_size(4);
        let (mut socket, ends) = connect(limits, config).await;
        socket.get_mut().write_all(bytes).await.unwrap();
        assert_eq!(closes_with(next(&mut socket).await), code, "{bytes:x?}");
        drop(socket);
        while ends.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(ends.lock().unwrap()[0].code, code);
    }
}

#[tokio::test]
async fn a_refusal_is_an_error() {
    let (client, server) = duplex(1 << 16);
    let hooks = hooks().on_upgrade(|_| async { Err(Rejection::unauthorized("Bearer")) });
    let serve = async {
        let socket = accept_async(server).await.unwrap();
        crossws_tokio::take_over(socket, request(), &Arc::new(hooks), &Hub::default()).await
    };
    let connect = tokio_tungstenite::client_async("ws://localhost/room", client);
    let (refused, connected) = tokio::join!(serve, connect);
    assert!(matches!(refused, Err(ClaimError::Rejected(rejection)) if rejection.status() == 401));
    assert!(connected.unwrap().0.next().await.unwrap().is_err());
}
