//! WebSockets in a hyper server of your own: the upgrades are for the hooks, all other requests for the page.
//!
//!     cargo run --example hyper
//!     curl http://127.0.0.1:3000/
//!     websocat ws://127.0.0.1:3000/talk            (in two terminals)
//!
//! What one says, all hear. `curl` tells how many are connected, and Ctrl-C closes each with 1012.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use crossws::ConnectionInfo;
use crossws::prelude::*;
use crossws::tokio::{Acceptor, Shutdown, stop_signal};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

fn talk() -> impl Hooks {
    hooks()
        .on_open(|peer| async move { peer.subscribe("talk") })
        .on_message(
            |peer: Peer, message| async move { peer.to("talk").including_self().send(message) },
        )
}

/// Returns the response to a request that is not an upgrade, or that no hooks claim.
fn page(hub: &Hub, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let text = format!(
        "{}: {} connected\n",
        request.uri().path(),
        hub.stats().peers
    );
    Response::new(Full::from(text))
}

async fn connection(stream: TcpStream, acceptor: Acceptor) -> hyper::Result<()> {
    let info = ConnectionInfo::new(stream.peer_addr().ok());
    let service = service_fn(|request| {
        let acceptor = acceptor.clone();
        async move {
            let upgraded = acceptor.handle_upgrade_from(request, info).await;
            Ok::<_, Infallible>(upgraded.unwrap_or_else(|request| page(acceptor.hub(), &request)))
        }
    });
    http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades() // hyper drops the connections of upgrades without it
        .await
}

async fn serve(listener: TcpListener, stop: impl Future) -> io::Result<()> {
    let app = Router::new().route("/talk", talk());
    let acceptor = Acceptor::new(app, Hub::default());
    acceptor.start().await.map_err(io::Error::other)?;
    let mut stop = std::pin::pin!(stop);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                match accepted {
                    Ok((stream, _)) => drop(tokio::spawn(connection(stream, acceptor.clone()))),
                    // Such as too many open files: the connections that end return some.
                    Err(_) => sleep(Duration::from_millis(100)).await,
                }
            }
            _ = &mut stop => break,
        }
    }
    // hyper knows nothing of connections that were upgraded.
    println!("{}", acceptor.shutdown(Shutdown::default()).await);
    Ok(())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    serve(listener, stop_signal()?).await
}

#[cfg(test)]
mod tests {
    use crossws::client::{Disconnected, connect};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::*;

    async fn get(addr: &str) -> String {
        let mut stream = TcpStream::connect(addr).await.unwrap();
        let head = format!("GET / HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    #[tokio::test]
    async fn pages_and_sockets_share_hypers_port() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap().to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let served = tokio::spawn(serve(listener, stopped));

        let mut ann = connect(format!("ws://{addr}/talk")).await.unwrap();
        let mut bob = connect(format!("ws://{addr}/talk")).await.unwrap();
        ann.send("hello").unwrap();
        for client in [&mut ann, &mut bob] {
            assert_eq!(client.next().await.unwrap().text().unwrap(), "hello");
        }
        assert!(get(&addr).await.ends_with("/: 2 connected\n"));
        assert!(connect(format!("ws://{addr}/nothing")).await.is_err());

        stop.send(()).unwrap();
        let closed = ann.closed().await;
        assert!(
            matches!(&*closed, Disconnected::Closed(closed) if closed.code == 1012),
            "{closed:?}"
        );
        served.await.unwrap().unwrap();
    }
}
