use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::path::Path;
use std::time::{Duration, Instant};

#[cfg(feature = "axum")]
use axum::extract::ConnectInfo;
use crossws_native::{ConnectRuntime, Io, Runtime, ServerRuntime, tune};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::coop::{Unconstrained, unconstrained};
use tokio::time::Sleep;

/// tokio's timers, tasks and sockets: see [`Server`](crate::Server). It must be used inside a tokio runtime whose drivers are
/// enabled.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Tokio;

impl Runtime for Tokio {
    /// Not bound to the task's budget, because a timer is not set once the budget is used up.
    type Sleep = Unconstrained<Sleep>;

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        unconstrained(tokio::time::sleep(duration))
    }

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }
}

impl ServerRuntime for Tokio {
    type TcpListener = TcpListener;

    fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        tokio::spawn(future);
    }

    fn tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    #[cfg(feature = "axum")]
    fn original_uri(extensions: &axum::http::Extensions) -> Option<&axum::http::Uri> {
        let original = extensions.get::<axum::extract::OriginalUri>();
        original.map(|original| &original.0)
    }

    #[cfg(feature = "axum")]
    fn remote_addr(extensions: &axum::http::Extensions) -> Option<SocketAddr> {
        let info = extensions.get::<ConnectInfo<SocketAddr>>();
        info.map(|info| info.0)
            .or_else(|| extensions.get().copied())
    }

    #[cfg(feature = "axum")]
    fn set_remote_addr(extensions: &mut axum::http::Extensions, addr: SocketAddr) {
        extensions.insert(addr);
        extensions.insert(ConnectInfo(addr));
    }

    /// Recovers the stream of `axum::serve`, and of every server that gives hyper a bare TCP
    /// stream.
    #[cfg(feature = "http")]
    fn reclaim(
        upgraded: hyper::upgrade::Upgraded,
    ) -> Result<(Box<dyn crossws_native::Io>, bytes::Bytes), hyper::upgrade::Upgraded> {
        let parts = upgraded.downcast::<hyper_util::rt::TokioIo<tokio::net::TcpStream>>()?;
        let stream = parts.io.into_inner();
        crossws_native::tune(&stream);
        Ok((Box::new(crate::io::tcp(stream)), parts.read_buf))
    }
}

impl ConnectRuntime for Tokio {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }

    async fn connect(&self, addr: SocketAddr) -> io::Result<impl Io> {
        let stream = TcpStream::connect(addr).await?;
        tune(&stream);
        Ok(crate::io::tcp(stream))
    }

    #[cfg(unix)]
    async fn connect_unix(&self, path: &Path) -> io::Result<Box<dyn Io>> {
        let stream = tokio::net::UnixStream::connect(path).await?;
        Ok(Box::new(crate::io::unix(stream)))
    }
}
