//! crossws in a web framework of your own: `crossws-core` for its users' hooks, and an adapter for the
//! connections. The framework here has pages and sockets, and reads HTTP by itself.
//!
//!     cargo run --example framework
//!     curl http://127.0.0.1:3000/
//!     websocat ws://127.0.0.1:3000/echo
//!
//! The page tells how many are connected. Any other path is a 404, with and without an upgrade.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crossws_core::{Hooks, Hub, SharedHooks, Shutdown, resolve_with};
use crossws_tokio::io::{Stream, tcp};
use crossws_tokio::{Acceptor, NotHandled, StreamInfo, stop_signal};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

type Pages = HashMap<&'static str, fn(&Hub) -> String>;

/// The site that an app of the framework builds.
#[derive(Default)]
pub struct Site {
    pages: Pages,
    sockets: HashMap<&'static str, Arc<SharedHooks>>,
}

impl Site {
    /// Serves what the function returns.
    #[must_use]
    pub fn page(mut self, path: &'static str, page: fn(&Hub) -> String) -> Self {
        self.pages.insert(path, page);
        self
    }

    /// Serves WebSockets with these hooks.
    #[must_use]
    pub fn socket(mut self, path: &'static str, hooks: impl Hooks) -> Self {
        self.sockets.insert(path, Arc::new(SharedHooks::new(hooks)));
        self
    }

    /// Serves until `stop` resolves, then closes the open connections.
    pub async fn serve(self, listener: TcpListener, stop: impl Future) -> io::Result<()> {
        let Self { pages, sockets } = self;
        let pages = Arc::new(pages);
        let sockets = resolve_with(move |request| sockets.get(request.path()).cloned());
        let acceptor = Acceptor::new(sockets, Hub::default());
        acceptor.start().await.map_err(io::Error::other)?;
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = &mut stop => break,
            };
            let Ok((stream, addr)) = accepted else {
                // For example too many open files: open connections are still served.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (acceptor, pages) = (acceptor.clone(), Arc::clone(&pages));
            tokio::spawn(async move {
                let info = StreamInfo::new(Some(addr));
                // A WebSocket is served to its end; any other request comes back unchanged.
                if let Err(request) = acceptor.serve_stream(tcp(stream), info).await {
                    let _ = answer(&pages, acceptor.hub(), request).await;
                }
            });
        }
        println!("{}", acceptor.shutdown(Shutdown::default()).await);
        Ok(())
    }
}

/// The framework's own HTTP: enough for a page.
async fn answer(
    pages: &Pages,
    hub: &Hub,
    request: NotHandled<Stream<TcpStream>>,
) -> io::Result<()> {
    let head = String::from_utf8_lossy(&request.read);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match pages.get(path) {
        Some(page) => ("200 OK", page(hub)),
        None => ("404 Not Found", "not found\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    let mut stream = request.io.into_inner();
    stream.write_all((head + &body).as_bytes()).await?;
    stream.shutdown().await
}

/// Returns an app of the framework.
fn app() -> Site {
    let echo = crossws_core::hooks().on_message(|peer, message| async move { peer.send(message) });
    Site::default()
        .page("/", |hub| format!("{} peers\n", hub.stats().peers))
        .socket("/echo", echo)
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    app().serve(listener, stop_signal()?).await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;
    use tokio::sync::oneshot;

    use super::*;

    const UPGRADE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    async fn ask(listener: &str, path: &str, headers: &str) -> TcpStream {
        let mut stream = TcpStream::connect(listener).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nHost: {listener}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream
    }

    async fn all(mut stream: TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn pages_and_sockets_share_a_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(app().serve(listener, stopped));

        let mut socket = ask(&addr, "/echo", UPGRADE).await;
        socket.write_all(b"\x81\x82\0\0\0\0hi").await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"\r\n\r\n\x81\x02hi") {
            assert_ne!(socket.read_buf(&mut read).await.unwrap(), 0);
        }
        assert!(read.starts_with(b"HTTP/1.1 101 "));

        let page = all(ask(&addr, "/", "").await).await;
        assert!(
            page.starts_with("HTTP/1.1 200 ") && page.ends_with("\r\n1 peers\n"),
            "{page}"
        );
        for (path, headers) in [("/none", ""), ("/none", UPGRADE)] {
            let missing = all(ask(&addr, path, headers).await).await;
            assert!(missing.starts_with("HTTP/1.1 404 "), "{missing}");
        }

        stop.send(()).unwrap();
        let mut close = [0; 4];
        socket.read_exact(&mut close).await.unwrap();
        assert_eq!(&close[2..], 1012_u16.to_be_bytes());
        socket.write_all(b"\x88\x80\0\0\0\0").await.unwrap();
        served.await.unwrap().unwrap();
    }
}
