use std::io::{self, IoSlice};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crossws_core::BoxFuture;
use crossws_native::{ConnectRuntime, Io};

use crate::connect::dial::Dial;
use crate::error::ConnectError;
use crate::framed::Pipe;
use crate::platform::{Opened, Platform};

/// A runtime with sockets.
pub(crate) struct Native<R> {
    runtime: R,
    began: Instant,
}

impl<R: ConnectRuntime> Native<R> {
    pub(crate) fn platform(runtime: R) -> Arc<dyn Platform> {
        let began = runtime.now();
        Arc::new(Self { runtime, began })
    }
}

impl<R: ConnectRuntime> Platform for Native<R> {
    fn open(&self, dial: Dial) -> BoxFuture<'static, Result<Opened, ConnectError>> {
        Box::pin(crate::wire::open(self.runtime.clone(), dial))
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let runtime = self.runtime.clone();
        // Created at the first poll, which is inside the runtime.
        Box::pin(async move { runtime.sleep(time).await })
    }

    fn now(&self) -> Duration {
        self.runtime.now().saturating_duration_since(self.began)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        self.runtime.spawn(task);
    }
}

impl<I: Io> Pipe for I {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        Io::poll_read(self, cx, buf)
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Io::poll_flush(self, cx)
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Io::poll_shutdown(self, cx)
    }
}
