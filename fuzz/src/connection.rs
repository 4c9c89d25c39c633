use std::future::{pending, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crossws_core::{Deflate, Hub, Limits, hooks};
use crossws_native::{HeadLimits, Io, Runtime, StreamInfo, serve_stream};

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

/// A client that sends these bytes in pieces, then ends its side, and reads what it gets.
struct World {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
    slow: bool,
    /// Whether a slow client's next bytes have arrived.
    arrived: bool,
    /// How many bytes a slow client reads next. It grows each time: what it sent may inflate a
    /// thousandfold.
    takes: usize,
    /// How many bytes may be written until the client reads, and until writes fail.
    room: usize,
    breaks: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
    sleeper: Option<Waker>,
}

impl World {
    /// Advances the client's end. Returns the waker of the task that this wakes.
    fn go_on(&mut self) -> Option<Waker> {
        if self.writer.is_some() {
            self.room = self.takes;
            self.takes += 1;
            return self.writer.take();
        }
        self.arrived = true;
        self.sleeper.take().or_else(|| self.reader.take())
    }
}

#[derive(Clone)]
struct Client(Arc<Mutex<World>>);

impl Client {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Io for Client {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let world = &mut *self.world();
        if world.slow && !std::mem::take(&mut world.arrived) {
            world.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let rest = &world.bytes[world.at..];
        let count = rest.len().min(world.piece).min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        world.at += count;
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let world = &mut *self.world();
        if world.breaks == 0 {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if world.room == 0 {
            world.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let all = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        let count = all.min(world.room).min(world.breaks);
        if world.slow {
            world.room -= count;
        }
        if world.breaks != usize::MAX {
            world.breaks -= count;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
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
            client.world().sleeper = Some(cx.waker().clone());
            Poll::Pending
        }))
    }

    fn now(&self) -> Instant {
        self.0
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
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
    let client = Client(Arc::new(Mutex::new(World {
        bytes: all,
        at: 0,
        piece,
        slow: has(SLOW),
        arrived: false,
        takes: piece,
        room: if has(SLOW) { piece } else { usize::MAX },
        breaks: if has(BREAKS) { 16 * piece } else { usize::MAX },
        reader: None,
        writer: None,
        sleeper: None,
    })));
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
    let io = client.clone();
    let mut served = pin!(serve_stream(io, info, &echo, &hub, &runtime, &limits));
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut cx = Context::from_waker(&waker);
    let mut publications = if has(PUBLISHED) { 100 } else { 0 };
    let ended = (0..100_000).any(|_| {
        if woken.0.swap(false, Ordering::SeqCst) {
            return served.as_mut().poll(&mut cx).is_ready();
        }
        if publications > 0 {
            publications -= 1;
            let _ = hub.in_namespace("/a").broadcast("news");
        }
        let next = client.world().go_on();
        if let Some(next) = next {
            next.wake();
        }
        assert!(woken.0.load(Ordering::SeqCst), "no waker is left to wake it");
        false
    });
    assert!(ended, "it never ends");
    let stats = hub.stats();
    assert_eq!((stats.peers, stats.sessions), (0, 0));
}
