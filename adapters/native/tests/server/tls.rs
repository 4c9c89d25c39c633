//! `https` and `wss`: the client is rustls's own, on plain threads.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crossws_core::{ClosedBy, Hub, Limits, Upgrade, hooks};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use super::super::adapter::{HeadLimits, Server, ServerHandle, Shutdown, Tls};
use super::super::block_on;
use super::{Pages, TEXT_HI, assert_echoes, client, echo, read_head, start, upgrade};

type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// An hour, so that an earlier end is not caused by the deadline.
const NEVER: Duration = Duration::from_secs(3600);

/// A certificate of this test, and clients that trust it.
struct Authority {
    tls: Tls,
    root: CertificateDer<'static>,
}

impl Authority {
    fn new() -> Self {
        let localhost = ["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(localhost).unwrap();
        Self {
            tls: Tls::from_pem(cert.pem(), signing_key.serialize_pem()).unwrap(),
            root: cert.der().clone(),
        }
    }

    fn connection(&self, alpn: &[&str]) -> ClientConnection {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        ClientConnection::new(Arc::new(config), name).unwrap()
    }

    fn connect(&self, addr: SocketAddr) -> Encrypted {
        StreamOwned::new(self.connection(&[]), client(addr))
    }

    /// Returns the first bytes of a handshake that is never finished.
    fn hello(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.connection(&[]).write_tls(&mut bytes).unwrap();
        bytes
    }
}

fn limits(timeout: Duration) -> HeadLimits {
    let mut limits = HeadLimits::default();
    limits.timeout = timeout;
    limits
}

fn stop(handle: ServerHandle) {
    block_on(handle.shutdown(Shutdown::default().grace(Duration::from_millis(100))));
}

/// Reads to the end of a stream, and returns the bytes before it.
fn until_the_end(stream: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("the connection does not end")
        }
        _ => bytes,
    }
}

#[test]
fn a_server_echoes_over_tls_and_urls_say_so() {
    let urls = hooks().on_message(|peer, _| async move {
        let request = peer.request();
        peer.send(format!("{} {}", request.url(), request.websocket_url()))
    });
    let authority = Authority::new();
    let (addr, handle) = start(Server::builder(urls).tls(authority.tls.clone()));
    let mut stream = authority.connect(addr);
    assert!(upgrade(&mut stream).starts_with("HTTP/1.1 101"));
    stream.write_all(TEXT_HI).unwrap();
    let said = "https://localhost/ws wss://localhost/ws";
    let mut frame = vec![0; 2 + said.len()];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(String::from_utf8_lossy(&frame[2..]), said);
    stop(handle);
}

#[test]
fn http_1_1_is_negotiated_and_nothing_else() {
    let authority = Authority::new();
    let (addr, handle) = start(Server::builder(echo()).tls(authority.tls.clone()));
    let both = authority.connection(&["h2", "http/1.1"]);
    let mut stream = StreamOwned::new(both, client(addr));
    assert_echoes(&mut stream);
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let mut only = StreamOwned::new(authority.connection(&["h2"]), client(addr));
    let refused = only.write_all(b"PRI * HTTP/2.0").unwrap_err();
    assert!(
        refused.to_string().contains("NoApplicationProtocol"),
        "{refused}"
    );
    stop(handle);
}

#[test]
fn pages_and_sockets_share_an_encrypted_connection() {
    let authority = Authority::new();
    let server = Server::builder(echo()).http(Pages);
    let (addr, handle) = start(server.tls(authority.tls.clone()));
    let mut stream = authority.connect(addr);
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 200"));
    let mut page = [0; 6];
    stream.read_exact(&mut page).unwrap();
    assert_eq!(&page, b"a page");
    // On the same connection, through hyper.
    assert_echoes(&mut stream);
    stop(handle);
}

#[test]
fn a_large_message_comes_back_whole() {
    let authority = Authority::new();
    let (addr, handle) = start(Server::builder(echo()).tls(authority.tls.clone()));
    let mut stream = authority.connect(addr);
    assert!(upgrade(&mut stream).starts_with("HTTP/1.1 101"));
    let payload: Vec<u8> = (0..1_000_000_u32).map(|at| (at % 251) as u8).collect();
    let len = (payload.len() as u64).to_be_bytes();
    let mut frame = vec![0x82, 0xff];
    frame.extend(len);
    frame.extend([0; 4]);
    frame.extend(&payload);
    stream.write_all(&frame).unwrap();
    let mut echoed = vec![0; 10 + payload.len()];
    stream.read_exact(&mut echoed).unwrap();
    assert_eq!(echoed[..2], [0x82, 0x7f]);
    assert!(echoed[10..] == payload);
    stop(handle);
}

#[test]
fn the_tls_handshake_counts_against_the_deadline_and_delays_no_other() {
    let authority = Authority::new();
    let server = || Server::builder(echo()).tls(authority.tls.clone());
    // Long for this machine, however busy it is: several times what a whole handshake takes.
    let (addr, unhurried) = start(server());
    let began = Instant::now();
    for _ in 0..3 {
        assert_echoes(&mut authority.connect(addr));
    }
    stop(unhurried);
    let deadline = (7 * began.elapsed()).max(Duration::from_secs(2));
    let (addr, handle) = start(server().head_limits(limits(deadline)));
    // Nothing at all; half a handshake; a whole one and half a request.
    let mut silent = client(addr);
    let mut half = client(addr);
    half.write_all(&authority.hello()[..20]).unwrap();
    let mut idle = authority.connect(addr);
    idle.write_all(b"GET / HT").unwrap();
    assert_echoes(&mut authority.connect(addr));
    assert!(until_the_end(&mut silent).is_empty());
    assert!(until_the_end(&mut half).is_empty());
    let said = until_the_end(&mut idle);
    assert!(said.starts_with(b"HTTP/1.1 408"), "{said:?}");
    assert_echoes(&mut authority.connect(addr));
    stop(handle);
}

#[test]
fn a_client_without_tls_gets_an_alert_at_once() {
    let authority = Authority::new();
    let server = Server::builder(echo()).tls(authority.tls.clone());
    let (addr, handle) = start(server.head_limits(limits(NEVER)));
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        &[0xff; 300],
    ] {
        let mut stream = client(addr);
        stream.write_all(garbage).unwrap();
        // An alert, unless the reset overtook it.
        let said = until_the_end(&mut stream);
        assert!(said.is_empty() || said[0] == 0x15, "{said:?}");
    }
    assert_echoes(&mut authority.connect(addr));
    stop(handle);
}

#[test]
fn a_stream_that_ends_early_ends_the_connection() {
    let (told, closes) = mpsc::channel();
    let closing = hooks().on_close(move |_, closed| {
        let _ = told.send(closed);
        async { Ok::<_, crossws_core::SendError>(()) }
    });
    let authority = Authority::new();
    let server = Server::builder(closing).tls(authority.tls.clone());
    let (addr, handle) = start(server.head_limits(limits(NEVER)));
    // In the middle of the handshake.
    let mut stream = client(addr);
    stream.write_all(&authority.hello()[..50]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    until_the_end(&mut stream);
    // After the upgrade: with and without the end that TLS defines.
    for in_order in [true, false] {
        let mut stream = authority.connect(addr);
        assert!(upgrade(&mut stream).starts_with("HTTP/1.1 101"));
        if in_order {
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        } else {
            stream.sock.shutdown(std::net::Shutdown::Write).unwrap();
        }
        let closed = closes.recv_timeout(Duration::from_secs(20)).unwrap();
        assert_eq!(closed.by, ClosedBy::Network);
        assert!(!closed.clean);
        until_the_end(&mut stream.sock);
    }
    stop(handle);
}

#[test]
fn a_shutdown_ends_tls_in_order() {
    let authority = Authority::new();
    let hub = Hub::default();
    let server = Server::builder(echo()).hub(hub.clone());
    let (addr, handle) = start(server.tls(authority.tls.clone()));
    let mut stream = authority.connect(addr);
    assert_echoes(&mut stream);
    let stopping = std::thread::spawn(move || block_on(handle.shutdown(Shutdown::default())));
    let mut frame = [0; 14];
    stream.read_exact(&mut frame).unwrap();
    assert_eq!(&frame, b"\x88\x0c\x03\xf4restarting");
    stream
        .write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xf4])
        .unwrap();
    // Without `close_notify` this is an error of rustls's.
    assert_eq!(stream.read(&mut frame).unwrap(), 0);
    drop(stream);
    let report = stopping.join().unwrap();
    assert_eq!((report.closed, report.flushed, report.forced), (1, 1, 0));
}

/// More than the number that are woken one by one for a publication, so that the server's crew
/// writes.
const ROOM: usize = 8;

/// Many of these exceed the systems' buffers for a client that does not read; a few are small
/// enough for the crew.
const LARGE: usize = 10_000;
const MANY: usize = 500;

/// The crew writes with a waker that does nothing. Encrypted bytes then wait in the stream although
/// the write took them: the connections' own tasks must be woken for them, or the clients wait.
#[test]
fn a_room_gets_what_the_crew_could_not_write_to_full_sockets() {
    let app = hooks()
        .on_upgrade(|_| async { Ok(Upgrade::new().topic("news")) })
        .on_open(|peer| async move { peer.send("hi") });
    let authority = Authority::new();
    // On a busy machine it may take longer than a queue or a pong may.
    let limits = Limits::default()
        .max_buffered(2 * MANY * LARGE)
        .max_queue_age(NEVER)
        .ping_interval(None);
    let hub = Hub::builder().limits(limits).build();
    let server = Server::builder(app).hub(hub.clone());
    let (addr, handle) = start(server.tls(authority.tls.clone()));
    let mut clients = Vec::new();
    for _ in 0..ROOM {
        let mut client = authority.connect(addr);
        assert!(upgrade(&mut client).starts_with("HTTP/1.1 101"));
        assert_eq!(message(&mut client), b"hi");
        clients.push(client);
    }
    let peers = hub.peers();
    let room = hub.in_namespace("/ws");
    let is_written = || peers.iter().all(|peer| peer.buffered_amount() == 0);
    let mut is_full = false;
    for n in 0..MANY {
        let large = vec![n as u8; LARGE];
        assert_eq!(room.publish("news", large).unwrap().queued, ROOM);
        // Until the sockets are full, the crew finds one message at a time and its connections
        // asleep. From then on, nothing is worth waiting for, and a busy machine would take longer
        // than a queue may wait.
        let mut turns = 0..1000;
        while !is_full && !is_written() {
            is_full = turns.next().is_none();
            std::thread::yield_now();
        }
    }
    assert!(peers.iter().all(|peer| peer.buffered_amount() > 0));
    for client in &mut clients {
        for n in 0..MANY {
            assert!(message(client) == vec![n as u8; LARGE], "{n}");
        }
    }
    assert_eq!(hub.stats().dropped, 0);
    drop(clients);
    stop(handle);
}

/// Returns the payload of the next frame, of less than 64 KiB.
fn message(stream: &mut impl Read) -> Vec<u8> {
    let mut head = [0; 2];
    stream.read_exact(&mut head).unwrap();
    let mut len = usize::from(head[1]);
    if len == 126 {
        stream.read_exact(&mut head).unwrap();
        len = u16::from_be_bytes(head).into();
    }
    let mut payload = vec![0; len];
    stream.read_exact(&mut payload).unwrap();
    payload
}
