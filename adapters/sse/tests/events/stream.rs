//! Event streams of an HTTP service.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossws_core::http::Request;
use crossws_core::{Body, CloseCode, Hub, Shutdown, hooks};
use crossws_memory::TestServer;
use crossws_sse::{
    Event, EventResponse, EventStream, Events, NotServed, Parser, PushError, Reader,
};
use futures_lite::future::{block_on, poll_once};

use crate::{Pages, arrived, data, open, read, serve};

fn count(stream: EventStream) -> EventResponse {
    stream.run(|events| async move {
        let last = events.last_event_id().and_then(|id| id.parse().ok());
        for n in last.map_or(0, |last: u64| last + 1).. {
            events.push(Event::json(n)?.id(n)).await?;
            events.sleep(Duration::from_secs(1)).await;
        }
        Ok(())
    })
}

#[test]
fn events_arrive_as_they_are_pushed() {
    block_on(async {
        let server = serve(count);
        let response = open(&server).await;
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store, no-transform"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(response.headers()[name], value);
        }
        let mut reader = Reader::new(response.into_body());
        assert_eq!(data(&mut reader).await, "0");
        assert!(poll_once(reader.next()).await.is_none());
        server.advance(Duration::from_secs(2)).await;
        assert_eq!(data(&mut reader).await, "1");
        let event = reader.next().await.unwrap().unwrap();
        assert_eq!((&*event.data, &*event.last_event_id), ("2", "2"));
    });
}

#[test]
fn a_client_that_reconnects_goes_on_after_its_last_event() {
    block_on(async {
        let server = serve(count);
        for (id, first) in [("41", "42"), ("", "0"), ("x", "0")] {
            let request = server.get("/").header("last-event-id", id);
            let mut reader = Reader::new(request.stream().await.unwrap().into_body());
            assert_eq!(data(&mut reader).await, first, "{id}");
        }
        let seen = |value: &[u8]| {
            let request = Request::get("/").header("last-event-id", value);
            let mut request = request.body(()).unwrap();
            request.extensions_mut().insert(server.hub().clone());
            let stream = EventStream::of(&request).unwrap();
            stream.last_event_id().map(str::to_owned)
        };
        assert_eq!(seen("naïve".as_bytes()).as_deref(), Some("naïve"));
        assert_eq!(seen(b"\xff"), None);
    });
}

/// Cut before its first event, a stream has cost the client nothing.
#[test]
fn a_stream_names_the_last_id_before_it_could_be_forgotten() {
    block_on(async {
        let server = serve(|stream| {
            let stream = stream.padding(4).retry(Duration::from_secs(3));
            stream.run(|_| std::future::pending())
        });
        let request = server.get("/").header("last-event-id", "41");
        let mut body = request.stream().await.unwrap().into_body();
        let start = "id: 41\n\nretry: 3000\n\n:   \n\n";
        assert_eq!(arrived(&server, &mut body).await, start);
        let mut parser = Parser::new();
        parser.feed(start.as_bytes()).unwrap();
        assert_eq!(parser.next(), None);
        assert_eq!(parser.last_event_id(), "41");
    });
}

#[test]
fn a_silent_stream_carries_comments() {
    block_on(async {
        let server = serve(|stream| {
            stream.run(|events| async move {
                events.push("first").await?;
                events.sleep(Duration::from_secs(20)).await;
                events.push("second").await?;
                std::future::pending().await
            })
        });
        let mut body = open(&server).await.into_body();
        assert_eq!(arrived(&server, &mut body).await, "data: first\n\n");
        for (seconds, arrives) in [
            (14, ""),
            (1, ":\n\n"),
            (5, "data: second\n\n"),
            (14, ""),
            (1, ":\n\n"),
            (15, ":\n\n"),
        ] {
            server.advance(Duration::from_secs(seconds)).await;
            assert_eq!(arrived(&server, &mut body).await, arrives);
        }
    });
}

#[test]
fn options_of_a_stream() {
    block_on(async {
        let server = serve(|stream| {
            let stream = stream.keep_alive(Duration::from_secs(1)).padding(4);
            stream
                .retry(Duration::from_secs(3))
                .run(|events| async move {
                    events.comment("a\rb").await?;
                    std::future::pending().await
                })
        });
        let mut body = open(&server).await.into_body();
        let start = "retry: 3000\n\n:   \n\n: a\n: b\n\n";
        assert_eq!(arrived(&server, &mut body).await, start);
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(arrived(&server, &mut body).await, ":\n\n");

        let server = serve(|stream| stream.no_keep_alive().run(|_| std::future::pending()));
        let mut body = open(&server).await.into_body();
        server.advance(Duration::from_secs(3600)).await;
        assert_eq!(arrived(&server, &mut body).await, "");
    });
}

/// Counts streams, down when their function is dropped.
struct Open(Arc<AtomicUsize>);

impl Open {
    fn new(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_client_that_goes_ends_the_function() {
    block_on(async {
        let streams = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&streams);
        let server = serve(move |stream| {
            let open = Open::new(&count);
            stream.run(|_| async move {
                let _open = open;
                std::future::pending().await
            })
        });
        let (one, other) = (open(&server).await, open(&server).await);
        server.settle().await;
        assert_eq!(streams.load(Ordering::SeqCst), 2);
        drop(one);
        server.settle().await;
        assert_eq!(streams.load(Ordering::SeqCst), 1);
        drop(other);
        server.settle().await;
        assert_eq!(streams.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_shutdown_ends_streams_after_what_was_pushed() {
    block_on(async {
        let server = serve(|stream| {
            stream.run(|events| async move {
                events.push("last words").await?;
                events.closed().await;
                // It is told, and cannot push any more.
                assert_eq!(events.push("too late").await, Err(PushError::Closed));
                Err("an error of an ended stream".into())
            })
        });
        let mut reader = read(&server).await;
        server.shutdown(Shutdown::default()).await;
        assert_eq!(data(&mut reader).await, "last words");
        assert_eq!(reader.next().await.unwrap(), None);
    });
}

#[test]
fn the_functions_end_is_the_streams_and_its_error_cuts_it() {
    block_on(async {
        let server = serve(|stream| {
            stream.run(|events| async move {
                events.push("only").await?;
                Ok(())
            })
        });
        let mut reader = read(&server).await;
        assert_eq!(data(&mut reader).await, "only");
        assert_eq!(reader.next().await.unwrap(), None);

        let server = serve(|stream| {
            stream.run(|events| async move {
                events.push("only").await?;
                Err("no more".into())
            })
        });
        let mut reader = read(&server).await;
        assert_eq!(data(&mut reader).await, "only");
        let error = reader.next().await.unwrap_err();
        assert_eq!(error.to_string(), "the event stream ended early: no more");
        // An invalid event is such an error, by its name.
        let server = serve(|stream| {
            stream.run(|events| async move {
                events.push(Event::new("x").id("a\nid: b")).await?;
                Ok(())
            })
        });
        let error = read(&server).await.next().await.unwrap_err();
        let text = "the event stream ended early: the event's id contains CR or LF";
        assert_eq!(error.to_string(), text);
    });
}

/// A stream whose handles a test holds.
fn by_hand(hub: &Hub) -> (Events, Reader<Body>) {
    let (events, response) = EventStream::new(hub).unwrap().buffer(32).open();
    (events, Reader::new(Body::new(response.into_body())))
}

#[test]
fn push_waits_for_room_and_loses_nothing() {
    block_on(async {
        let server = TestServer::new(hooks());
        let (events, mut reader) = by_hand(server.hub());
        events.push("0123456789").await.unwrap();
        assert_eq!(events.buffered_amount(), 18);
        assert_eq!(events.try_push("0123456789"), Err(PushError::Full));
        let mut waits = Box::pin(events.push("second"));
        assert!(
            poll_once(&mut waits).await.is_some(),
            "14 bytes fit into 32 with 18"
        );
        let mut waits = Box::pin(events.push("third"));
        assert!(poll_once(&mut waits).await.is_none());
        // A push that is given up pushes nothing.
        let mut given_up = Box::pin(events.push("never"));
        assert!(poll_once(&mut given_up).await.is_none());
        drop(given_up);
        assert_eq!(data(&mut reader).await, "0123456789");
        waits.await.unwrap();
        assert_eq!(data(&mut reader).await, "second");
        assert_eq!(data(&mut reader).await, "third");
        // Longer than the bound: alone.
        let long = "x".repeat(1000);
        events.push(&*long).await.unwrap();
        assert_eq!(events.try_push(""), Err(PushError::Full));
        assert_eq!(data(&mut reader).await, long);
        events.try_push("").unwrap();
    });
}

#[test]
fn a_client_that_goes_ends_every_wait() {
    block_on(async {
        let server = TestServer::new(hooks());
        let (events, reader) = by_hand(server.hub());
        events.push("0123456789 0123456789").await.unwrap();
        let waiter = events.clone();
        let mut push = Box::pin(waiter.push("more"));
        let mut closed = Box::pin(events.closed());
        assert!(poll_once(&mut push).await.is_none());
        assert!(poll_once(&mut closed).await.is_none());
        drop(reader);
        assert_eq!(push.await, Err(PushError::Closed));
        closed.await;
        assert_eq!(events.buffered_amount(), 0);
    });
}

#[test]
fn the_last_handle_and_close_end_the_stream() {
    block_on(async {
        let server = TestServer::new(hooks());
        let (events, mut reader) = by_hand(server.hub());
        let other = events.clone();
        drop(events);
        other.push("a").await.unwrap();
        drop(other);
        assert_eq!(data(&mut reader).await, "a");
        assert_eq!(reader.next().await.unwrap(), None);

        let (events, mut reader) = by_hand(server.hub());
        events.push("a").await.unwrap();
        events.close();
        assert_eq!(events.try_push("b"), Err(PushError::Closed));
        assert_eq!(data(&mut reader).await, "a");
        assert_eq!(reader.next().await.unwrap(), None);
    });
}

/// A hook of a WebSocket pushes into event streams: one hub, two kinds of clients.
#[test]
fn a_hook_pushes_into_a_stream() {
    block_on(async {
        let streams = Arc::<std::sync::Mutex<Vec<Events>>>::default();
        let listeners = Arc::clone(&streams);
        let app = hooks().on_message(move |_, message| {
            let listeners = Arc::clone(&streams);
            async move {
                let all = listeners.lock().unwrap().clone();
                for events in all {
                    events.try_push(message.text()?)?;
                }
                Ok::<_, crossws_core::BoxError>(())
            }
        });
        let page = move |request: Request<Body>| {
            let (events, response) = EventStream::of(&request).unwrap().open();
            listeners.lock().unwrap().push(events);
            response
        };
        let server = TestServer::builder(app).http(Pages(page)).build();
        let mut reader = read(&server).await;
        let mut client = server.connect("/").await.unwrap();
        client.send("from a socket").unwrap();
        assert_eq!(data(&mut reader).await, "from a socket");
    });
}

#[test]
fn without_a_hub_or_a_clock_there_is_a_named_error() {
    let mut request = Request::new(());
    assert_eq!(EventStream::of(&request).unwrap_err(), NotServed::NoHub);
    request.extensions_mut().insert(Hub::default());
    assert_eq!(EventStream::of(&request).unwrap_err(), NotServed::NoClock);
}

#[test]
fn a_stream_that_begins_during_the_shutdown_ends() {
    block_on(async {
        let server = serve(count);
        server.hub().shutdown(CloseCode::RESTART.into());
        let mut reader = read(&server).await;
        assert_eq!(reader.next().await.unwrap(), None);
    });
}
