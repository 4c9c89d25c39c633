//! Server-sent events.

use std::time::Duration;

use bytes::Bytes;
use crossws::sse::{Parser, Received};
use http::{HeaderMap, Request};
use serde_json::{Value, json};

use crate::World;
use crate::client::get;
use crate::world::Chunks;

/// A client of an event stream. Dropping it is a client that goes.
struct Source {
    headers: HeaderMap,
    chunks: Box<dyn Chunks>,
    parser: Parser,
    /// All that has arrived.
    raw: Vec<u8>,
}

async fn open_after(world: &dyn World, path: &str, last: Option<&str>) -> Source {
    let mut request = Request::get(path).header("accept", "text/event-stream");
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let response = world.stream(request.body(Bytes::new()).unwrap()).await;
    assert_eq!(response.status(), 200);
    let (head, chunks) = response.into_parts();
    Source {
        headers: head.headers,
        chunks,
        parser: Parser::new(),
        raw: Vec::new(),
    }
}

async fn open(world: &dyn World, path: &str) -> Source {
    open_after(world, path, None).await
}

impl Source {
    /// Returns the next event. Time passes while it waits.
    async fn next(&mut self, world: &dyn World) -> Received {
        loop {
            if let Some(event) = self.parser.next() {
                return event;
            }
            let chunk = ::tokio::select! {
                biased;
                chunk = self.chunks.next() => chunk.expect("the stream goes on"),
                () = world.sleep(Duration::from_secs(10)) => panic!("no event came"),
            };
            self.raw.extend_from_slice(&chunk);
            self.parser.feed(&chunk).unwrap();
        }
    }
}

pub(crate) async fn events_come_every_100_ms(world: &dyn World) {
    let mut source = open(world, "/sse").await;
    assert_eq!(source.headers["content-type"], "text/event-stream");
    let began = world.now();
    for n in 0..4 {
        let event = source.next(world).await;
        assert_eq!(event.data, format!("Message @ {n}"));
        assert_eq!(event.event, "message");
    }
    let took = world.now() - began;
    assert!(took >= Duration::from_millis(250), "{took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

async fn open_streams(world: &dyn World) -> Value {
    get(world, "/sse/open").await["open"].clone()
}

pub(crate) async fn the_interval_stops_when_the_client_goes(world: &dyn World) {
    let mut sources = [open(world, "/sse").await, open(world, "/sse").await];
    for source in &mut sources {
        source.next(world).await;
    }
    assert_eq!(open_streams(world).await, 2);
    for (left, source) in sources.into_iter().enumerate().rev() {
        drop(source);
        let until = world.now() + Duration::from_secs(5);
        while open_streams(world).await != left {
            assert!(world.now() < until, "a client's stream goes on after it");
            world.sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(crate) async fn events_have_fields_and_go_on_after_the_last(world: &dyn World) {
    for (last, first) in [(None, 0), (Some("6"), 7), (Some("not a number"), 0)] {
        let mut source = open_after(world, "/sse/structured", last).await;
        for n in first..first + 2 {
            let event = source.next(world).await;
            assert_eq!(event.event, "update");
            assert_eq!(event.last_event_id, n.to_string());
            let data: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(data, json!({ "value": n }));
            assert_eq!(source.parser.retry(), Some(Duration::from_secs(3)));
        }
    }
}

pub(crate) async fn lines_stay_lines_and_forge_nothing(world: &dyn World) {
    let mut source = open(world, "/sse/lines").await;
    let first = source.next(world).await;
    assert_eq!(first.data, "a\nb\nc\nd");
    let second = source.next(world).await;
    assert_eq!(
        (&*second.event, &*second.data),
        ("message", "x\n\nevent: forged")
    );
    let raw = String::from_utf8(source.raw).unwrap();
    let fields = raw.split("\n\n").next().unwrap();
    assert_eq!(fields, "data: a\ndata: b\ndata: c\ndata: d");
}
