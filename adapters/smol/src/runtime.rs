use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crossws_native::{ConnectRuntime, Io, Runtime, ServerRuntime, tune};
use smol::Timer;
use smol::net::{TcpListener, TcpStream};

/// smol's timers, sockets and global executor: see [`Server`](crate::Server). `SMOL_THREADS` sets the number of its threads.
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

impl ConnectRuntime for Smol {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        smol::net::resolve((host, port)).await
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<impl Io> {
        let stream = TcpStream::connect(addr).await?;
        tune(&stream);
        Ok(crate::io::tcp(stream))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Box<dyn Io>> {
        let stream = smol::net::unix::UnixStream::connect(path).await?;
        Ok(Box::new(crate::io::unix(stream)))
    }
}
