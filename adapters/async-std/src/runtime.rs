use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, Instant};

use async_std::net::{TcpListener, TcpStream, ToSocketAddrs};
use async_std::task;
use crossws_native::{ConnectRuntime, Io, Runtime, ServerRuntime, tune};

/// async-std's timers, tasks and sockets: see [`Server`](crate::Server).
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

impl ConnectRuntime for AsyncStd {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok((host, port).to_socket_addrs().await?.collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<impl Io> {
        let stream = TcpStream::connect(addr).await?;
        tune(&stream);
        Ok(crate::io::tcp(stream))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Box<dyn Io>> {
        let stream = async_std::os::unix::net::UnixStream::connect(path).await?;
        Ok(Box::new(crate::io::unix(stream)))
    }
}
