//! crossws on tokio without one mechanism, which the first argument names. All of them can be left
//! out through the public API, so that the library needs no switch for the comparison. It has one thread,
//! or `THREADS` workers.
//!
//! - `crew`: each connection's own task writes to its stream
//! - `drop-in-order`: each connection reads until its client's end
//! - `unbuffered-tls`: rustls's buffered connections, by tokio-rustls

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crossws::ConnectionInfo;
use crossws::tokio::io::{Stream, stream};
use crossws::tokio::{Acceptor, Listen, Server, StreamInfo, Tls, Tokio};
use crossws_bench::app;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{Receiver, channel};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

fn main() -> io::Result<()> {
    let mechanism = std::env::args().nth(1).unwrap_or_default();
    app::runtime()?.block_on(async {
        let listener = TcpListener::bind(app::address()).await?;
        println!("http://{}", listener.local_addr()?);
        match mechanism.as_str() {
            "crew" => without_crew(listener).await,
            "drop-in-order" => serve(Lingering(listener)).await,
            "unbuffered-tls" => serve(Buffered::new(listener)?).await,
            _ => Err(io::Error::other("crew, drop-in-order or unbuffered-tls?")),
        }
    })
}

async fn serve(listener: impl Listen<Tokio>) -> io::Result<()> {
    let server = Server::builder(app::hooks()).hub(app::hub());
    server.listen(listener)?.run().await
}

/// Serves connections as a foreign server does: an acceptor has no crew.
async fn without_crew(mut listener: TcpListener) -> io::Result<()> {
    let acceptor = Acceptor::typed(app::hooks(), app::hub());
    let ends_on_drop = Listen::ends_on_drop(&listener);
    loop {
        let (io, addr) = Listen::accept(&mut listener).await?;
        let info = ConnectionInfo::new(addr).with_forwarded(true);
        let info = StreamInfo::from(info).with_ends_on_drop(ends_on_drop);
        let acceptor = acceptor.clone();
        tokio::spawn(async move {
            let _ = acceptor.serve_stream(io, info).await;
        });
    }
}

/// A listener that does not say that a drop ends its streams in order.
struct Lingering(TcpListener);

impl Listen<Tokio> for Lingering {
    type Io = Stream<TcpStream>;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        Listen::accept(&mut self.0).await
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        Listen::local_addr(&self.0)
    }
}

/// Encrypted connections, which tokio-rustls has accepted in a task of each.
struct Buffered {
    local_addr: SocketAddr,
    accepted: Receiver<(TlsStream<TcpStream>, SocketAddr)>,
}

impl Buffered {
    fn new(listener: TcpListener) -> io::Result<Self> {
        let (chain, key) = app::tls_files().ok_or_else(|| io::Error::other("no TLS_CERT"))?;
        // Checks the files as crossws does.
        Tls::from_pem_files(&chain, &key).map_err(io::Error::other)?;
        let chain = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect);
        let chain: Vec<_> = chain.map_err(io::Error::other)?;
        let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let local_addr = listener.local_addr()?;
        let (sender, accepted) = channel(64);
        tokio::spawn(async move {
            while let Ok((stream, addr)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (acceptor, sender) = (acceptor.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = sender.send((stream, addr)).await;
                    }
                });
            }
        });
        Ok(Self {
            local_addr,
            accepted,
        })
    }
}

impl Listen<Tokio> for Buffered {
    type Io = Stream<TlsStream<TcpStream>>;

    async fn accept(&mut self) -> io::Result<(Self::Io, Option<SocketAddr>)> {
        match self.accepted.recv().await {
            Some((tls, addr)) => Ok((stream(tls), Some(addr))),
            None => Err(io::Error::other("the listener has ended")),
        }
    }

    fn local_addr(&self) -> io::Result<Option<SocketAddr>> {
        Ok(Some(self.local_addr))
    }

    fn is_secure(&self) -> bool {
        true
    }
}
