//! Connections of foreign servers: a raw stream, and an `http::Request`.

use std::convert::Infallible;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use crossws_core::{CloseCode, ConnectionInfo, Hub, Upgrade, hooks, resolve_with};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};

use super::super::adapter::{Acceptor, HeadLimits, Server, Shutdown, StreamInfo, io};
use super::super::{adopt, block_on, hyper_io, send_back, spawn};
use super::{assert_echoes, client, echo, read_head, start, upgrade};

/// A foreign accept loop, for a number of connections.
fn accept(
    connections: usize,
    each: impl Fn(std::net::TcpStream, SocketAddr) + Send + 'static,
) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for _ in 0..connections {
            let (stream, addr) = listener.accept().unwrap();
            stream.set_nonblocking(true).unwrap();
            each(stream, addr);
        }
    });
    addr
}

#[test]
fn a_raw_stream_is_served_and_an_unclaimed_one_handed_back() {
    let claimed = Arc::new(echo());
    let resolver = resolve_with(move |request| {
        // The facts that the caller passed with the stream.
        assert!(request.remote_addr().is_some());
        assert!(request.url().starts_with("https://"));
        (request.path() == "/ws").then(|| Arc::clone(&claimed))
    });
    let acceptor = Acceptor::new(resolver, Hub::default());
    let ours = acceptor.clone();
    let addr = accept(2, move |stream, addr| {
        let acceptor = ours.clone();
        spawn(async move {
            let info = StreamInfo::from(ConnectionInfo::new(Some(addr)).with_secure(true));
            let stream = io::tcp(adopt(stream));
            if let Err(unclaimed) = acceptor.serve_stream(stream, info).await {
                assert!(unclaimed.read.starts_with(b"GET / HTTP/1.1\r\n"));
                acceptor.not_found(unclaimed).await;
            }
        });
    });
    let mut page = client(addr);
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(read_head(&mut page).starts_with("HTTP/1.1 404"));
    assert_echoes(&mut client(addr));
    block_on(acceptor.shutdown(Shutdown::default().grace(Duration::from_millis(100))));
}

#[test]
fn an_upgrade_hook_may_take_the_stream() {
    let taken = hooks().on_upgrade(|_| async { Ok(Upgrade::take(send_back)) });
    let (addr, handle) = start(Server::builder(taken));
    let mut stream = client(addr);
    assert!(upgrade(&mut stream).starts_with("HTTP/1.1 101"));
    stream.write_all(b"no frame").unwrap();
    let mut back = String::new();
    stream.read_to_string(&mut back).unwrap();
    assert_eq!(back, "no frame");
    block_on(handle.shutdown(Shutdown::default()));
}

#[test]
fn a_raw_streams_head_has_bounds() {
    let mut limits = HeadLimits::default();
    limits.timeout = Duration::from_millis(100);
    let acceptor = Acceptor::builder(echo()).head_limits(limits).build();
    let (written, is_written) = mpsc::channel();
    let addr = accept(1, move |stream, addr| {
        // What the client says is there when its time begins.
        is_written.recv().unwrap();
        let acceptor = acceptor.clone();
        spawn(async move {
            // Any stream of the runtime's traits.
            let stream = io::stream(adopt(stream));
            let served = acceptor.serve_stream(stream, StreamInfo::new(Some(addr)));
            assert!(served.await.is_ok());
        });
    });
    let mut slow = client(addr);
    slow.write_all(b"GET / HT").unwrap();
    written.send(()).unwrap();
    assert!(read_head(&mut slow).starts_with("HTTP/1.1 408"));
}

#[test]
fn a_shutdown_forces_raw_streams_too() {
    let stuck = hooks().on_open(|peer| async move {
        peer.send("stuck")?;
        std::future::pending::<()>().await;
        Ok::<_, crossws_core::SendError>(())
    });
    let acceptor = Acceptor::new(stuck, Hub::default());
    let ours = acceptor.clone();
    let (ended, end) = mpsc::channel();
    let addr = accept(1, move |stream, _| {
        let (acceptor, ended) = (ours.clone(), ended.clone());
        spawn(async move {
            let stream = io::tcp(adopt(stream));
            let served = acceptor.serve_stream(stream, StreamInfo::default()).await;
            let _ = ended.send(served.is_ok());
        });
    });
    let mut stream = client(addr);
    upgrade(&mut stream);
    let mut frame = [0; 7];
    std::io::Read::read_exact(&mut stream, &mut frame).unwrap();
    let shutdown = Shutdown::default()
        .frame(CloseCode::AWAY)
        .grace(Duration::from_millis(50));
    let report = block_on(acceptor.shutdown(shutdown));
    assert_eq!((report.closed, report.flushed, report.forced), (1, 0, 1));
    assert!(end.recv_timeout(Duration::from_secs(20)).unwrap());
}

#[test]
fn a_request_of_a_foreign_hyper_server_is_upgraded() {
    let acceptor = Acceptor::new(echo(), Hub::default());
    let ours = acceptor.clone();
    let addr = accept(2, move |stream, addr| {
        let acceptor = ours.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(addr);
            let acceptor = acceptor.clone();
            async move {
                let upgraded = acceptor.handle_upgrade(request).await;
                let page = |_| Response::new(Full::new(Bytes::from("a page")));
                Ok::<_, Infallible>(upgraded.unwrap_or_else(page))
            }
        });
        spawn(async move {
            let connection =
                http1::Builder::new().serve_connection(hyper_io(adopt(stream)), service);
            let _ = connection.with_upgrades().await;
        });
    });
    let mut page = client(addr);
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(read_head(&mut page).starts_with("HTTP/1.1 200"));
    let mut stream = client(addr);
    assert_echoes(&mut stream);
    let peers = acceptor.hub().peers();
    assert_eq!(peers[0].remote_addr(), Some(stream.local_addr().unwrap()));
    block_on(acceptor.shutdown(Shutdown::default().grace(Duration::from_millis(100))));
}
