//! A stream that follows a script, and a runtime whose time stands still.

use std::future::{Pending, pending};
use std::io::{self, IoSlice};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crossws_native::{Io, Runtime};

/// As a program sends it that is no browser.
pub fn request(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// A client that says what it has to say in `chunks`.
pub struct Script {
    pub chunks: &'static [Vec<u8>],
    pub said: usize,
    /// How many of them may be said by now.
    pub cue: Arc<AtomicUsize>,
    /// How many bytes it has taken.
    pub heard: Arc<AtomicUsize>,
    /// How many writes it takes.
    pub writes: usize,
}

impl Script {
    /// Says everything at once, and takes every answer.
    pub fn new(chunks: &'static [Vec<u8>]) -> Self {
        Self {
            chunks,
            said: 0,
            cue: Arc::new(AtomicUsize::new(chunks.len())),
            heard: Arc::default(),
            writes: usize::MAX,
        }
    }
}

impl Io for Script {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if self.said == self.cue.load(Ordering::SeqCst) {
            // Worth another try whenever the test polls.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let chunk = &self.chunks[self.said];
        self.said += 1;
        buf[..chunk.len()].copy_from_slice(chunk);
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_write_vectored(
        &mut self,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Some(left) = self.writes.checked_sub(1) else {
            return Poll::Pending;
        };
        self.writes = left;
        let count = bufs.iter().map(|buf| buf.len()).sum();
        self.heard.fetch_add(count, Ordering::SeqCst);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Time that stands still.
#[derive(Clone)]
pub struct Still(pub Instant);

impl Runtime for Still {
    type Sleep = Pending<()>;

    fn sleep(&self, _: Duration) -> Pending<()> {
        pending()
    }

    fn now(&self) -> Instant {
        self.0
    }
}
