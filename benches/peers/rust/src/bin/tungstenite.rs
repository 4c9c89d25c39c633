//! tokio-tungstenite, batched: it handles everything that has arrived and encodes everything that
//! is queued before it flushes. Encrypted by tokio-rustls.

use std::io;
use std::sync::Arc;

use crossws_bench_peers::{App, Rooms, address, app, tls};
use futures_util::{FutureExt, SinkExt, StreamExt};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let tls = tls();
    let address = address(match tls {
        Some(_) => "tokio-tungstenite 0.30.0, tokio-rustls 0.26",
        None => "tokio-tungstenite 0.30.0",
    });
    let tls = tls.map(acceptor).transpose()?;
    let listener = TcpListener::bind(&address).await?;
    println!("http://{address}");
    let rooms = Rooms::default();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (rooms, tls) = (rooms.clone(), tls.clone());
        tokio::spawn(async move {
            match tls {
                Some(tls) => serve(tls.accept(stream).await?, rooms).await,
                None => serve(stream, rooms).await,
            }
        });
    }
}

/// Reads the files with the certificate and the key.
fn acceptor((chain, key): (String, String)) -> io::Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(chain).and_then(Iterator::collect);
    let chain: Vec<_> = chain.map_err(io::Error::other)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(io::Error::other)?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .map_err(io::Error::other)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn serve<S>(stream: S, rooms: Rooms<Message>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut path = String::new();
    // The library chose the error's type.
    #[allow(clippy::result_large_err)]
    let callback = |request: &Request, response: Response| {
        path = request.uri().path().to_owned();
        Ok(response)
    };
    let socket = tokio_tungstenite::accept_hdr_async(stream, callback).await?;
    match app(&path) {
        App::Echo => echo(socket).await,
        App::Room(name) => chat(socket, &rooms, name).await,
    }
}

async fn echo<S>(mut socket: WebSocketStream<S>) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(message) = socket.next().await {
        let mut next = Some(Some(message));
        while let Some(Some(message)) = next {
            let message = message?;
            if message.is_text() || message.is_binary() {
                socket.feed(message).await?;
            }
            next = socket.next().now_or_never();
        }
        socket.flush().await?;
    }
    Ok(())
}

async fn chat<S>(
    mut socket: WebSocketStream<S>,
    rooms: &Rooms<Message>,
    name: String,
) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (member, mut inbox) = rooms.join(name);
    socket.send(Message::text("ready")).await?;
    let mut queued = Vec::new();
    loop {
        tokio::select! {
            message = socket.next() => {
                let mut next = Some(message);
                while let Some(Some(message)) = next {
                    let message = message?;
                    if message.is_text() || message.is_binary() {
                        member.publish(&message);
                    }
                    next = socket.next().now_or_never();
                }
                if let Some(None) = next {
                    return Ok(());
                }
            }
            _ = inbox.recv_many(&mut queued, 1024) => {
                for message in queued.drain(..) {
                    socket.feed(message).await?;
                }
                if inbox.is_empty() {
                    socket.flush().await?;
                }
            }
        }
    }
}
