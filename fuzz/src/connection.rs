use std::future::{Pending, pending};
use std::io::{self, IoSlice};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crossws_core::{Deflate, Hub, hooks};
use crossws_native::{HeadLimits, Io, Runtime, StreamInfo, serve_stream};

/// A client that sends these bytes, in pieces, and then its end; and reads everything.
struct Client {
    bytes: Vec<u8>,
    at: usize,
    piece: usize,
}

impl Io for Client {
    fn poll_read(&mut self, _: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let rest = &self.bytes[self.at..];
        let count = rest.len().min(self.piece).min(buf.len());
        buf[..count].copy_from_slice(&rest[..count]);
        self.at += count;
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Time stands still.
#[derive(Clone)]
struct Still(Instant);

impl Runtime for Still {
    type Sleep = Pending<()>;

    fn sleep(&self, _: Duration) -> Self::Sleep {
        pending()
    }

    fn now(&self) -> Instant {
        self.0
    }
}

/// A whole connection: head, handshake, frames and hooks. It ends, and leaves nothing behind.
pub fn connection(data: &[u8]) {
    let [how, piece, bytes @ ..] = data else {
        return;
    };
    let mut all = Vec::new();
    if how & 1 != 0 {
        // To get behind the handshake sooner.
        all.extend(
            b"GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
              Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
              Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n",
        );
    }
    all.extend(bytes);
    let client = Client {
        bytes: all,
        at: 0,
        piece: usize::from(*piece).max(1),
    };
    let hub = Hub::builder()
        .deflate((how & 2 != 0).then(Deflate::default))
        .build();
    let echo = Arc::new(hooks().on_message(|peer, message| async move { peer.send(message) }));
    let runtime = Still(Instant::now());
    let limits = HeadLimits::default();
    let info = StreamInfo::default();
    let mut served = pin!(serve_stream(client, info, &echo, &hub, &runtime, &limits));
    let mut cx = Context::from_waker(Waker::noop());
    let ended = (0..10_000).any(|_| served.as_mut().poll(&mut cx).is_ready());
    assert!(ended, "it goes on for ever");
    let stats = hub.stats();
    assert_eq!((stats.peers, stats.sessions), (0, 0));
}
