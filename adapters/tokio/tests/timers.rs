//! The number of the runtime's timers that connections use.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use common::{Client, soon};
use crossws_core::{Hooks, Hub, Limits, hooks};
use crossws_native::{Acceptor, Listen, Runtime, Server, ServerRuntime, Shutdown, StreamInfo};
use crossws_tokio::Tokio;
use crossws_tokio::io::{Stream, tcp};
use futures_util::StreamExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;

const CLIENTS: usize = 30;

static SLEEPS: AtomicUsize = AtomicUsize::new(0);

/// tokio, with a count of its timers.
#[derive(Clone, Default)]
struct Counting(Tokio);

struct Sleep(Pin<Box<<Tokio as Runtime>::Sleep>>);

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        SLEEPS.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Runtime for Counting {
    type Sleep = Sleep;

    fn sleep(&self, duration: Duration) -> Sleep {
        SLEEPS.fetch_add(1, Ordering::SeqCst);
        Sleep(Box::pin(self.0.sleep(duration)))
    }

    fn now(&self) -> Instant {
        self.0.now()
    }
}

impl ServerRuntime for Counting {
    type TcpListener = Listener;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.spawn(future);
    }

    fn tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Listener> {
        self.0.tcp_listener(listener).map(Listener)
    }
}

struct Listener(TcpListener);

impl Listen<Counting> for Listener {
    type Io = Stream<TcpStream>;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        Listen::<Tokio>::accept(&mut self.0).await
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        Listen::<Tokio>::local_addr(&self.0)
    }
}

fn app() -> impl Hooks {
    hooks().on_open(|peer| async move { peer.send("ready") })
}

fn hub() -> Hub {
    let limits = Limits::default().ping_interval(Duration::from_millis(200));
    Hub::builder().limits(limits).build()
}

/// Connects all clients, and waits until each has received two heartbeats. Returns how many timers
/// existed before these.
async fn hear(addr: SocketAddr) -> usize {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        let stream = TcpStream::connect(addr).await.unwrap();
        let mut client = Client::over(stream, addr, "/").await;
        assert_eq!(client.text().await, "ready");
        clients.push(client);
    }
    let sleeps = SLEEPS.load(Ordering::SeqCst);
    for client in &mut clients {
        let mut pings = 0;
        while pings < 2 {
            let next = soon("a ping", client.0.next()).await;
            pings += usize::from(matches!(next.unwrap().unwrap(), Message::Ping(_)));
        }
    }
    sleeps
}

async fn all_sleeps_end() {
    soon("the last timer's end", async {
        while SLEEPS.load(Ordering::SeqCst) > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

// One test, because there is one counter.
#[tokio::test]
async fn each_connection_has_one_timer_which_ends_with_it() {
    let server = Server::<_, Counting>::builder(app()).hub(hub());
    let server = server.bind("127.0.0.1:0").await.unwrap();
    let (addr, handle) = (server.local_addr(), server.handle());
    let running = tokio::spawn(server.run());
    assert_eq!(hear(addr).await, CLIENTS);
    handle.shutdown(Shutdown::default()).await;
    soon("the end of the accept loop", running)
        .await
        .unwrap()
        .unwrap();
    all_sleeps_end().await;

    // In a foreign server too.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let acceptor = Arc::new(Acceptor::<_, Counting>::new(app(), hub()));
    let accepting = Arc::clone(&acceptor);
    let running = tokio::spawn(async move {
        loop {
            let (stream, addr) = listener.accept().await.unwrap();
            let acceptor = Arc::clone(&accepting);
            tokio::spawn(async move {
                let info = StreamInfo::new(Some(addr));
                let served = acceptor.serve_stream(tcp(stream), info).await;
                assert!(served.is_ok());
            });
        }
    });
    assert_eq!(hear(addr).await, CLIENTS);
    acceptor.shutdown(Shutdown::default()).await;
    running.abort();
    all_sleeps_end().await;
}
