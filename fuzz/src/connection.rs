use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use crossws_core::{Deflate, Hub, Limits, hooks};
use crossws_native::testing::{FakeStream, Wakes};
use crossws_native::{HeadLimits, Runtime, StreamInfo, serve_stream};

// The meaning of the first byte's bits.
/// The handshake is not part of the input, to skip it faster.
const SHAKEN: u8 = 1;
const COMPRESSED: u8 = 2;
/// The client's bytes arrive with pauses, and it reads with pauses too.
const SLOW: u8 = 4;
/// After a while, writes fail.
const BREAKS: u8 = 8;
/// The hook waits before it replies, and the queue's bound is small.
const WAITS: u8 = 16;
/// A drop ends the stream in order.
const ENDS_ON_DROP: u8 = 32;
/// Other peers publish while the connection rests.
const PUBLISHED: u8 = 64;
/// The hook closes after a few messages.
const CLOSES: u8 = 128;

/// A client that sends pieces, then ends its side, and reads what it gets.
#[derive(Clone)]
struct Client {
    stream: FakeStream,
    plan: Arc<Mutex<Plan>>,
}

/// What the client does next.
struct Plan {
    pieces: VecDeque<Bytes>,
    /// How many bytes a slow client reads next. It grows each time: what it sent may inflate a thousandfold.
    takes: usize,
    sleeper: Option<Waker>,
}

impl Client {
    fn plan(&self) -> MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Advances the client's end, and wakes the task that waited for this.
    fn go_on(&self) {
        let mut plan = self.plan();
        if self.stream.wire().write_waker.is_some() {
            let room = plan.takes;
            plan.takes += 1;
            return self.stream.set_room(room);
        }
        match plan.pieces.pop_front() {
            Some(piece) => self.stream.arrive(piece),
            None => self.stream.end_input(),
        }
        if let Some(sleeper) = plan.sleeper.take() {
            sleeper.wake();
        }
    }
}

/// Time stands still: no deadline comes. A sleep ends when the client has acted.
#[derive(Clone)]
struct Still(Instant, Client);

impl Runtime for Still {
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        if duration > Duration::from_millis(1) {
            return Box::pin(pending());
        }
        let client = self.1.clone();
        let mut slept = false;
        Box::pin(poll_fn(move |cx| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(());
            }
            client.plan().sleeper = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn now(&self) -> Instant {
        self.0
    }
}

/// Yields to the other tasks once.
async fn others_run() {
    let mut ran = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut ran, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs a whole connection: head, handshake, frames and hooks. It is polled only when it is woken.
/// It must still end, and must leave nothing in the hub.
pub fn connection(data: &[u8]) {
    let [how, piece, bytes @ ..] = data else {
        return;
    };
    let has = |bit: u8| how & bit != 0;
    let mut all = Vec::new();
    if has(SHAKEN) {
        all.extend(
            b"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
        );
    }
    all.extend(bytes);
    let piece = usize::from(*piece).max(1);
    let client = Client {
        stream: FakeStream::new(),
        plan: Arc::new(Mutex::new(Plan {
            pieces: all.chunks(piece).map(Bytes::copy_from_slice).collect(),
            takes: piece,
            sleeper: None,
        })),
    };
    if has(SLOW) {
        client.stream.set_room(piece);
    } else {
        let pieces = std::mem::take(&mut client.plan().pieces);
        client.stream.wire().input = pieces;
        client.stream.end_input();
    }
    if has(BREAKS) {
        client.stream.wire().passes = 16 * piece;
    }
    let mut limits = Limits::default();
    if has(WAITS) {
        limits = limits.max_queued(8_usize).max_inbound(2_usize);
    }
    let hub = Hub::builder()
        .limits(limits)
        .deflate(has(COMPRESSED).then(Deflate::default))
        .build();
    let heard = Arc::new(Mutex::new(0));
    let (waits, closes) = (has(WAITS), has(CLOSES));
    let echo = Arc::new(hooks().on_message(move |peer, message| {
        let heard = {
            let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
            *heard += 1;
            *heard
        };
        async move {
            if waits {
                others_run().await;
            }
            if closes && heard == 3 {
                peer.close(crossws_core::CloseCode::NORMAL, "enough");
            }
            peer.send(message)
        }
    }));
    let runtime = Still(Instant::now(), client.clone());
    let limits = HeadLimits::default();
    let info = StreamInfo::default().with_ends_on_drop(has(ENDS_ON_DROP));
    let io = client.stream.clone();
    let mut served = pin!(serve_stream(io, info, &echo, &hub, &runtime, &limits));
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    // The number of wakes at the last poll.
    let mut polled = usize::MAX;
    let mut cx = Context::from_waker(&waker);
    let mut publications = if has(PUBLISHED) { 100 } else { 0 };
    let ended = (0..100_000).any(|_| {
        client.stream.take();
        if std::mem::replace(&mut polled, wakes.count()) != wakes.count() {
            return served.as_mut().poll(&mut cx).is_ready();
        }
        if publications > 0 {
            publications -= 1;
            let _ = hub.in_namespace("/a").broadcast("news");
        }
        client.go_on();
        assert_ne!(polled, wakes.count(), "no waker is left to wake it");
        false
    });
    assert!(ended, "it never ends");
    let stats = hub.stats();
    assert_eq!((stats.peers, stats.sessions), (0, 0));
}
