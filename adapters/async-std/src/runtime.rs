use std::io;
use std::pin::Pin;
use std::time::{Duration, Instant};

use async_std::net::TcpListener;
use async_std::task;
use crossws_native::{Runtime, ServerRuntime};

/// async-std's timers, tasks and sockets.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct AsyncStd;

impl Runtime for AsyncStd {
    /// Boxed, because async-std does not name its timer.
    type Sleep = Pin<Box<dyn Future<Output = ()> + Send>>;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        Box::pin(task::sleep(duration))
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl ServerRuntime for AsyncStd {
    type TcpListener = TcpListener;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        // A task whose handle is dropped runs on.
        drop(task::spawn(future));
    }

    fn tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        Ok(TcpListener::from(listener))
    }
}
