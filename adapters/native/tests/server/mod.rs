//! The server of a native adapter, with clients on plain threads: this process has no runtime but
//! the adapter's. The including file names the `adapter`.

mod doors;
mod threads;
mod tls;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::task::{Context, Poll};
use std::time::Duration;

use crossws_core::{CloseCode, Hub, hooks};

use super::adapter::{Server, ServerBuilder, ServerHandle, Shutdown};
use super::{block_on, spawn, unix_listener};

const TEXT_HI: &[u8] = &[0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];

fn start<R: crossws_core::Resolve>(builder: ServerBuilder<R>) -> (SocketAddr, ServerHandle) {
    let server = block_on(builder.bind("127.0.0.1:0")).unwrap();
    let running = (server.local_addr(), server.handle());
    spawn(async {
        server.run().await.unwrap();
    });
    running
}

fn echo() -> crossws_core::HooksBuilder {
    hooks().on_message(|peer, message| async move { peer.send(message) })
}

fn client(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap();
    // Longer than anything here takes, so that a test that hangs fails.
    let soon = Some(Duration::from_secs(20));
    stream.set_read_timeout(soon).unwrap();
    stream
}

fn upgrade(stream: &mut (impl Read + Write)) -> String {
    stream
        .write_all(
            b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    read_head(stream)
}

/// An HTTP side, as a tower service without a framework.
#[derive(Clone)]
struct Pages;

impl<B> tower_service::Service<hyper::Request<B>> for Pages {
    type Response = hyper::Response<http_body_util::Full<hyper::body::Bytes>>;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: hyper::Request<B>) -> Self::Future {
        let page = http_body_util::Full::from("a page");
        std::future::ready(Ok(hyper::Response::new(page)))
    }
}

fn read_head(stream: &mut impl Read) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn assert_echoes(stream: &mut (impl Read + Write)) {
    assert!(upgrade(stream).starts_with("HTTP/1.1 101"));
    stream.write_all(TEXT_HI).unwrap();
    let mut frame = [0; 4];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\x81\x02hi");
}

#[test]
fn a_restart_overlaps_where_the_port_is_shared() {
    let new = || ServerBuilder::share_port(Server::builder(echo()));
    let (addr, old) = start(new());
    let other = block_on(Server::builder(echo()).bind(addr));
    assert_eq!(other.unwrap_err().kind(), std::io::ErrorKind::AddrInUse);
    let server = block_on(new().bind(addr)).unwrap();
    assert_eq!(server.local_addr(), addr);
    let next = server.handle();
    spawn(async {
        server.run().await.unwrap();
    });
    // The system chooses by the client's port: these many do not all go to one.
    let connect = || {
        let mut stream = client(addr);
        upgrade(&mut stream);
        stream
    };
    let mut clients: Vec<_> = (0..64).map(|_| connect()).collect();
    let peers = || (old.hub().stats().peers, next.hub().stats().peers);
    // The last to get its 101 may not have joined yet.
    while peers().0 + peers().1 < 64 {
        std::thread::yield_now();
    }
    let (before, after) = peers();
    assert!(before > 0 && after > 0, "{before} and {after}");
    // The old one goes. Its clients are told, the new one's are not, and new clients find the new one.
    let hub = old.hub().clone();
    let told = spawn_shutdown(old);
    while hub.stats().peers > 0 {
        std::thread::yield_now();
    }
    let mut restarts = 0;
    for stream in &mut clients {
        stream.write_all(TEXT_HI).unwrap();
        let mut opcode = [0];
        stream.read_exact(&mut opcode).unwrap();
        restarts += usize::from(opcode[0] == 0x88);
    }
    drop(clients);
    assert_eq!(told.join().unwrap().closed, before);
    assert_eq!(restarts, before);
    let again: Vec<_> = (0..32).map(|_| connect()).collect();
    while next.hub().stats().accepted < after as u64 + 32 {
        std::thread::yield_now();
    }
    drop(again);
    block_on(next.shutdown(Shutdown::default()));
}

fn spawn_shutdown(handle: ServerHandle) -> std::thread::JoinHandle<crossws_core::Report> {
    std::thread::spawn(move || block_on(handle.shutdown(Shutdown::default())))
}

#[test]
fn a_server_echoes_over_tcp_and_answers_pages_with_404() {
    let (addr, handle) = start(Server::builder(echo()));
    assert_echoes(&mut client(addr));
    let mut page = client(addr);
    page.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(read_head(&mut page).starts_with("HTTP/1.1 404"));
    block_on(handle.shutdown(Shutdown::default().grace(Duration::from_millis(100))));
}

#[test]
fn an_address_in_use_is_named() {
    let (addr, handle) = start(Server::builder(echo()));
    let error = block_on(Server::builder(echo()).bind(addr)).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert!(error.to_string().contains(&addr.to_string()), "{error}");
    block_on(handle.shutdown(Shutdown::default()));
}

#[test]
fn a_shutdown_tells_peers_waits_for_them_and_stops_listening() {
    let (addr, handle) = start(Server::builder(echo()));
    let mut stream = client(addr);
    assert_echoes(&mut stream);
    let stopping = std::thread::spawn(move || block_on(handle.shutdown(Shutdown::default())));
    let mut frame = [0; 14];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\x88\x0c\x03\xf4restarting");
    // Replies with the same code, masked with zeros.
    stream
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4])
        .unwrap();
    assert_eq!(stream.read(&mut frame).unwrap(), 0);
    drop(stream);
    let report = stopping.join().unwrap();
    assert_eq!((report.closed, report.flushed, report.forced), (1, 1, 0));
    assert!(TcpStream::connect(addr).is_err());
}

#[test]
fn connections_that_outlive_the_grace_are_forced_to_end() {
    let stuck = hooks().on_open(|peer| async move {
        peer.send("stuck")?;
        std::future::pending::<()>().await;
        Ok::<_, crossws_core::SendError>(())
    });
    let hub = Hub::default();
    let (addr, handle) = start(Server::builder(stuck).hub(hub.clone()));
    let mut stream = client(addr);
    upgrade(&mut stream);
    let mut frame = [0; 7];
    stream.read_exact(&mut frame).unwrap();
    let shutdown = Shutdown::default()
        .frame(CloseCode::AWAY)
        .grace(Duration::from_millis(50));
    let report = block_on(handle.shutdown(shutdown));
    assert_eq!((report.closed, report.flushed, report.forced), (1, 0, 1));
    assert_eq!(hub.stats().sessions, 0);
}

#[test]
fn a_server_accepts_no_connection_when_the_start_hook_fails() {
    let broken = hooks().on_start(|_| async { Err::<(), _>("no database") });
    let server = block_on(Server::builder(broken).bind("127.0.0.1:0")).unwrap();
    let error = block_on(server.run()).unwrap_err();
    assert_eq!(error.to_string(), "the start hook failed: no database");
}

#[test]
fn a_server_accepts_when_the_start_hook_has_ended() {
    let starts = hooks().on_start(|hub| async move {
        assert_eq!(hub.stats().accepted, 0);
    });
    let (addr, _handle) = start(Server::builder(
        starts.on_message(|peer, message| async move { peer.send(message) }),
    ));
    assert_echoes(&mut client(addr));
}

#[test]
fn a_server_echoes_over_a_unix_domain_socket() {
    let path = std::env::temp_dir().join(format!("crossws-{}.sock", std::process::id()));
    let _ = std::fs::remove_file(&path);
    let server = Server::builder(echo())
        .listen(unix_listener(&path))
        .unwrap();
    spawn(async {
        server.run().await.unwrap();
    });
    assert_echoes(&mut UnixStream::connect(&path).unwrap());
    std::fs::remove_file(&path).unwrap();
}
