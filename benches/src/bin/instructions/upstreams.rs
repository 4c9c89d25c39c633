//! A proxy whose upstreams have no sockets: a runtime for its clients.

use std::convert::Infallible;
use std::future::{Pending, pending};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossws::proxy::Proxy;
use crossws_bench::{app, wire};
use crossws_core::adapter::Background;
use crossws_native::{ConnectRuntime, Io, Listen, Runtime, ServerRuntime};

use crate::memory::{Client, Server, Socket};
use crate::servers::{exchange, expect};
use crate::tasks::Spawned;

/// Sends this many messages through a proxy and back per turn. Fails if one is not passed.
pub(crate) fn proxy(turns: u32, depth: usize) -> io::Result<()> {
    let upstreams = Upstreams::default();
    let runtime = upstreams.clone();
    let proxy = Proxy::to("ws://upstream/").connect_with(move |it| it.on(runtime.clone()));
    let mut server = Server::new(proxy, app::hub());
    let client = server.accept();
    client.send(wire::request("/", "localhost").as_bytes());
    server.settle();
    let upstream = upstreams.last()?;
    let (_, answer) = wire::accept(&upstream.kept())?;
    upstream.send(answer.as_bytes());
    server.settle();
    if client.written() < 100 {
        return Err(io::Error::other("no answer to an upgrade"));
    }
    upstream.written();
    let (up, down) = exchange(depth, 64);
    for _ in 0..turns {
        client.send(&up);
        server.settle();
        expect(&upstream, up.len() as u64)?;
        upstream.send(&down);
        server.settle();
        expect(&client, down.len() as u64)?;
    }
    Ok(())
}

/// A runtime whose connections end at an upstream that the test plays.
#[derive(Clone)]
pub(crate) struct Upstreams {
    spawned: Arc<Spawned>,
    opened: Arc<Mutex<Vec<Client>>>,
    now: Instant,
}

impl Upstreams {
    /// Creates a runtime whose tasks are spawned there.
    pub(crate) fn new(spawned: Arc<Spawned>) -> Self {
        Self {
            spawned,
            opened: Arc::default(),
            now: Instant::now(),
        }
    }

    /// Returns the upstream that was connected to last.
    pub(crate) fn last(&self) -> io::Result<Client> {
        let last = self
            .opened
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        last.ok_or_else(|| io::Error::other("no upstream"))
    }
}

impl Default for Upstreams {
    fn default() -> Self {
        Self::new(Arc::default())
    }
}

impl Runtime for Upstreams {
    type Sleep = Pending<()>;

    fn sleep(&self, _: Duration) -> Self::Sleep {
        pending()
    }

    fn now(&self) -> Instant {
        self.now
    }
}

impl ServerRuntime for Upstreams {
    type TcpListener = Nowhere;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawned.spawn(Box::pin(future));
    }

    fn tcp_listener(&self, _: std::net::TcpListener) -> io::Result<Nowhere> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl ConnectRuntime for Upstreams {
    async fn resolve(&self, _: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(vec![(Ipv4Addr::LOCALHOST, port).into()])
    }

    async fn connect(&self, _: SocketAddr) -> io::Result<impl Io> {
        let (client, socket) = Client::upstream();
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.push(client);
        Ok(socket)
    }
}

/// No listener.
pub(crate) struct Nowhere(Infallible);

impl Listen<Upstreams> for Nowhere {
    type Io = Socket;

    async fn accept(&mut self) -> io::Result<(Socket, Option<SocketAddr>)> {
        match self.0 {}
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        match self.0 {}
    }
}
