use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crossws_native::{ConnectRuntime, Io, Listen, Runtime, ServerRuntime};
use crossws_tokio::Tokio;

/// tokio, with a resolver whose answer changes each time it is asked.
#[derive(Clone, Default)]
pub(crate) struct Rebinding {
    runtime: Tokio,
    answers: Arc<Mutex<VecDeque<SocketAddr>>>,
}

impl Rebinding {
    /// Resolves every name to these addresses, one for each question, and then to none.
    pub(crate) fn answer(&self, addrs: impl IntoIterator<Item = SocketAddr>) {
        self.answers.lock().unwrap().extend(addrs);
    }
}

impl ConnectRuntime for Rebinding {
    async fn resolve(&self, _: &str, _: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(self
            .answers
            .lock()
            .unwrap()
            .pop_front()
            .into_iter()
            .collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<impl Io> {
        self.runtime.connect(addr).await
    }
}

impl Runtime for Rebinding {
    type Sleep = <Tokio as Runtime>::Sleep;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.runtime.sleep(duration)
    }

    fn now(&self) -> Instant {
        self.runtime.now()
    }
}

impl ServerRuntime for Rebinding {
    type TcpListener = Unused;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.runtime.spawn(future);
    }

    fn tcp_listener(&self, _: std::net::TcpListener) -> io::Result<Unused> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// No server runs here.
pub(crate) enum Unused {}

impl Listen<Rebinding> for Unused {
    type Io = Box<dyn Io>;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        match *self {}
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match *self {}
    }
}
