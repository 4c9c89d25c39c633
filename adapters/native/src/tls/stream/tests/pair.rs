//! A server's stream and rustls's own client, over a pipe in memory.

use std::io::{self, ErrorKind, IoSlice, Read};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use crate::runtime::io::Io;
use crate::testing::{FakeStream, Wire};
use crate::tls::{Tls, TlsStream};
use crossws_proto::sync::MutexGuard;

/// A server's stream and a client, and the wire between them.
pub(super) struct Pair {
    pub(super) server: TlsStream<FakeStream>,
    pub(super) client: ClientConnection,
    pub(super) wire: FakeStream,
}

impl Pair {
    pub(super) fn new(version: &'static SupportedProtocolVersion) -> Self {
        let localhost = ["localhost".to_owned()];
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(localhost).unwrap();
        let tls = Tls::from_pem(cert.pem(), signing_key.serialize_pem()).unwrap();
        let wire = FakeStream::new();
        Self {
            server: tls.stream(wire.clone()).unwrap(),
            client: client(cert.der().clone(), version),
            wire,
        }
    }

    pub(super) fn established(version: &'static SupportedProtocolVersion) -> Self {
        let mut pair = Self::new(version);
        while pair.client.is_handshaking() {
            pair.carry_to_server();
            assert!(pair.read().is_pending());
            pair.carry_to_client();
        }
        pair.carry_to_server();
        assert!(pair.read().is_pending());
        assert!(pair.server.session.established);
        pair.carry_to_client();
        pair
    }

    pub(super) fn wire(&self) -> MutexGuard<'_, Wire> {
        self.wire.wire()
    }

    /// Moves the client's outgoing bytes to the wire.
    pub(super) fn carry_to_server(&mut self) {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        self.wire.arrive(bytes);
    }

    /// Passes everything on the wire to the client.
    pub(super) fn carry_to_client(&mut self) {
        let bytes = self.wire.take();
        let mut bytes = &bytes[..];
        while !bytes.is_empty() {
            self.client.read_tls(&mut bytes).unwrap();
            self.client.process_new_packets().unwrap();
        }
    }

    pub(super) fn read_into(&mut self, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut cx = Context::from_waker(Waker::noop());
        self.server.poll_read(&mut cx, buf)
    }

    pub(super) fn read(&mut self) -> Poll<io::Result<Vec<u8>>> {
        let mut buf = vec![0; 64 << 10];
        self.read_into(&mut buf)
            .map_ok(|count| buf[..count].to_vec())
    }

    pub(super) fn read_all(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        while let Poll::Ready(read) = self.read() {
            all.extend(read.unwrap());
        }
        all
    }

    pub(super) fn read_all_until_end(&mut self) -> (Vec<u8>, Result<(), ErrorKind>) {
        let mut all = Vec::new();
        loop {
            match self.read() {
                Poll::Ready(Ok(read)) if read.is_empty() => return (all, Ok(())),
                Poll::Ready(Ok(read)) => all.extend(read),
                Poll::Ready(Err(error)) => return (all, Err(error.kind())),
                Poll::Pending => panic!("no end after {} bytes", all.len()),
            }
        }
    }

    pub(super) fn write(&mut self, bufs: &[&[u8]]) -> Poll<io::Result<usize>> {
        let bufs: Vec<_> = bufs.iter().map(|buf| IoSlice::new(buf)).collect();
        let mut cx = Context::from_waker(Waker::noop());
        self.server.poll_write_vectored(&mut cx, &bufs)
    }

    pub(super) fn flush(&mut self) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(Waker::noop());
        self.server.poll_flush(&mut cx)
    }

    pub(super) fn shut_down(&mut self) -> Poll<io::Result<()>> {
        let mut cx = Context::from_waker(Waker::noop());
        self.server.poll_shutdown(&mut cx)
    }

    /// Returns the client's plaintext so far.
    pub(super) fn received(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let bytes = self.wire.take();
        let mut bytes = &bytes[..];
        loop {
            let over = bytes.is_empty();
            if !over {
                self.client.read_tls(&mut bytes).unwrap();
                self.client.process_new_packets().unwrap();
            }
            match self.client.reader().read_to_end(&mut all) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}"),
                _ => {}
            }
            if over {
                return all;
            }
        }
    }

    pub(super) fn assert_owns_no_buffer(&self) {
        let session = &self.server.session;
        assert_eq!(session.plain.capacity(), 0);
        assert_eq!(session.outgoing.capacity(), 0);
        assert!(session.partial.is_empty());
    }
}

fn client(
    root: CertificateDer<'static>,
    version: &'static SupportedProtocolVersion,
) -> ClientConnection {
    let mut roots = RootCertStore::empty();
    roots.add(root).unwrap();
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    // Tests write large messages at once.
    client.set_buffer_limit(None);
    client
}
