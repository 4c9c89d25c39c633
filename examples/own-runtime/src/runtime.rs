use std::io::Result;
use std::time::{Duration, Instant};

use crossws_native::{Runtime, ServerRuntime};

use crate::executor;
use crate::listen::Listener;
use crate::reactor::Watched;
use crate::timer::Sleep;

/// This runtime's timers, tasks and sockets.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct OwnRuntime;

impl Runtime for OwnRuntime {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        Sleep::new(duration)
    }

    fn now(&self) -> Instant {
        Instant::now()
    }
}

impl ServerRuntime for OwnRuntime {
    type TcpListener = Listener;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        executor::spawn(future);
    }

    fn tcp_listener(&self, listener: std::net::TcpListener) -> Result<Listener> {
        let listener = mio::net::TcpListener::from_std(listener);
        Watched::new(listener).map(Listener)
    }
}
