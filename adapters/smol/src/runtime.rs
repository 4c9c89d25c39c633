use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crossws_native::{Runtime, ServerRuntime};
use smol::Timer;
use smol::net::TcpListener;

/// smol's timers, sockets and global executor. `SMOL_THREADS` sets the number of its threads.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Smol;

impl Runtime for Smol {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep(Timer::after(duration))
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl ServerRuntime for Smol {
    type TcpListener = TcpListener;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        smol::spawn(future).detach();
    }

    fn tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::try_from(listener)
    }
}

/// smol's timer without the instant that it resolves to.
#[derive(Debug)]
pub struct Sleep(Timer);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx).map(drop)
    }
}
