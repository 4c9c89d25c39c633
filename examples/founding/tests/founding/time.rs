//! Options of a route that need pings, pongs or compression of the server's own.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossws_conformance::{Event, Frame, Raw};
use futures_lite::FutureExt;
use http::Response;

use crate::World;
use crate::client::{Client, connect, refused};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// How late a client may be: less than any deadline that it must keep.
const LATE: Duration = ms(50);

/// Runs a check whose client must keep deadlines of the server's, and which takes at most this time. On a busy
/// machine its task may run too late, and the server is right to end it: such a check runs again. One that takes
/// too long, perhaps because the server is late itself, has three tries.
pub(crate) async fn in_time(world: &dyn World, most: Duration, check: impl AsyncFn()) {
    let mut slow = 0;
    for _ in 0..8 {
        let late = Cell::new(Duration::ZERO);
        let watch = async {
            loop {
                let began = Instant::now();
                ::tokio::time::sleep(ms(5)).await;
                late.set(late.get().max(began.elapsed()));
            }
        };
        let began = world.now();
        let done = AssertUnwindSafe(check().or(watch)).catch_unwind().await;
        let took = world.now() - began;
        match done {
            Err(failure) if late.get() < LATE => resume_unwind(failure),
            Err(_) => println!("{:?} late, and runs again", late.get()),
            Ok(()) if took < most => return,
            Ok(()) => {
                slow += 1;
                assert!(slow < 3, "{took:?}");
                println!("took {took:?}, and runs again");
            }
        }
    }
    panic!("never in time");
}

pub(crate) async fn silence_of_data_ends_a_client(world: &dyn World) {
    for pings in [false, true] {
        let check = async || silence_of_data(world, pings).await;
        in_time(world, ms(1500), check).await;
    }
}

async fn silence_of_data(world: &dyn World, pings: bool) {
    let mut client = connect(world, "/mock/ws/quiet").await;
    let began = world.now();
    let close = loop {
        match client.raw(world).await {
            Event::Ping(data) => {
                client.reply(Frame::Pong(data)).await;
                if pings {
                    client.reply(Frame::Ping(b"mine".to_vec())).await;
                }
            }
            Event::Pong(_) => {}
            event => break event,
        }
    };
    assert!(matches!(close, Event::Close(Some((3008, _)))), "{close:?}");
    let took = world.now() - began;
    assert!(took >= ms(900), "{took:?}");
}

pub(crate) async fn a_client_that_sends_data_stays(world: &dyn World) {
    in_time(world, Duration::MAX, async || data(world).await).await;
}

async fn data(world: &dyn World) {
    let mut client = connect(world, "/mock/ws/quiet").await;
    for _ in 0..8 {
        let next = world.now() + ms(300);
        while let Some(left) = next.checked_sub(world.now()).filter(|left| !left.is_zero()) {
            match client.raw_within(world, left).await {
                Some(Event::Ping(data)) => client.frame(Frame::Pong(data)).await,
                Some(other) => panic!("{other:?}"),
                None => break,
            }
        }
        client.send("here").await;
    }
}

fn is_over(event: &Event) -> bool {
    matches!(event, Event::Close(_) | Event::End | Event::Cut)
}

pub(crate) async fn three_missed_pongs_end_a_client(world: &dyn World) {
    in_time(world, ms(1500), async || missed_pongs(world).await).await;
}

async fn missed_pongs(world: &dyn World) {
    let mut client = connect(world, "/mock/ws/pings").await;
    let began = world.now();
    for _ in 0..3 {
        let event = client.raw(world).await;
        assert!(matches!(event, Event::Ping(_)), "{event:?}");
    }
    let end = client.raw(world).await;
    assert!(is_over(&end), "{end:?}");
    let took = world.now() - began;
    assert!(took >= ms(600), "{took:?}");
}

/// Replies to every `nth` ping for three seconds, each after 200 ms ± 10 %.
async fn answers(world: &dyn World, client: &mut Client, nth: usize) {
    for ping in 1..=17 {
        match client.raw(world).await {
            Event::Ping(data) if ping % nth == 0 => client.frame(Frame::Pong(data)).await,
            Event::Ping(_) => {}
            other => panic!("{other:?} instead of ping {ping}"),
        }
    }
}

pub(crate) async fn every_second_or_third_pong_is_enough(world: &dyn World) {
    for nth in [2, 3] {
        let check = async || answers(world, &mut connect(world, "/mock/ws/pings").await, nth).await;
        in_time(world, ms(4500), check).await;
    }
}

pub(crate) async fn the_hook_answers_pings(world: &dyn World) {
    let mut client = connect(world, "/mock/ws/manual").await;
    for burst in [1, 3] {
        for n in 0..burst {
            client.frame(Frame::Ping(vec![b'0' + n])).await;
        }
        for n in 0..burst {
            let pong = [b"manual:".as_slice(), &[b'0' + n]].concat();
            assert_eq!(client.raw(world).await, Event::Pong(pong));
        }
    }
    // As much as a pong carries.
    client.frame(Frame::Ping(vec![b'x'; 125])).await;
    let pong = [b"manual:".as_slice(), &[b'x'; 118]].concat();
    assert_eq!(client.raw(world).await, Event::Pong(pong));
}

/// Requests the compressed route with this offer, and returns the response.
async fn offer(raw: &mut dyn Raw, offer: &str) -> Response<Bytes> {
    let head = format!(
        "GET /mock/ws/deflate HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{offer}\r\n"
    );
    raw.write(head.as_bytes()).await.unwrap();
    raw.response().await.unwrap()
}

pub(crate) async fn compression_is_required(world: &dyn World) {
    let Some(raw) = world.raw() else {
        // These clients offer no compression.
        let (status, _) = refused(world, "/mock/ws/deflate", &[]).await;
        assert_eq!(status, 400);
        return;
    };
    let mut raw = raw.await;
    let wanted = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let response = offer(&mut *raw, wanted).await;
    assert_eq!(response.status(), 101);
    let answer = response.headers()["sec-websocket-extensions"]
        .to_str()
        .unwrap();
    assert!(answer.contains("server_max_window_bits=13"), "{answer}");
    // A masked text that is not compressed.
    raw.write(b"\x81\x85\0\0\0\0short").await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("short".to_owned()));
    for refused in [
        "",
        "Sec-WebSocket-Extensions: x-webkit-deflate-frame\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; unknown\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=16\r\n",
    ] {
        let mut raw = world.raw().unwrap().await;
        assert_eq!(offer(&mut *raw, refused).await.status(), 400, "{refused}");
    }
}
