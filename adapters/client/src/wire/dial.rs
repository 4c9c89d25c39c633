use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crossws_native::{ConnectRuntime, Io, Runtime};
use crossws_proto::deflate::Deflater;
use crossws_proto::frame::Role;
use crossws_proto::handshake::{AnswerError, ClientHandshake};
use http::header::{HOST, HeaderValue, SEC_WEBSOCKET_PROTOCOL};
use http::response::Parts;
use http::{Response, StatusCode};

use crate::connect::dial::{Dial, Place};
use crate::error::ConnectError;
use crate::framed::Framed;
use crate::platform::Opened;
use crate::wire::{head, no_random};

/// How long an address may take before the next one is tried too (RFC 8305 section 5).
const HEAD_START: Duration = Duration::from_millis(250);

/// Opens a connection: the stream, the tunnel, TLS, and the handshake.
pub(crate) async fn open<R: ConnectRuntime>(
    runtime: R,
    dial: Dial,
) -> Result<Opened, ConnectError> {
    let plain = stream(&runtime, &dial).await?;
    if !dial.target.secure {
        return handshake(plain, dial).await;
    }
    #[cfg(feature = "tls")]
    {
        use crossws_native::ClientTls;
        let Place::Host { host, .. } = &dial.target.place else {
            return Err(ConnectError::Unsupported("TLS on Unix-domain sockets"));
        };
        let tls = match &dial.settings.tls {
            Some(tls) => tls.clone(),
            None => ClientTls::system()?,
        };
        let stream = tls.stream(plain, host)?;
        handshake(stream, dial).await
    }
    #[cfg(not(feature = "tls"))]
    Err(ConnectError::Unsupported(
        "`wss`, for which the feature `tls` is needed",
    ))
}

/// Connects to the target, or to the proxy and through it.
async fn stream<R: ConnectRuntime>(runtime: &R, dial: &Dial) -> Result<Box<dyn Io>, ConnectError> {
    match (&dial.target.place, &dial.settings.proxy) {
        (Place::Unix(path), _) => runtime
            .connect_unix(Path::new(path))
            .await
            .map_err(ConnectError::Connect),
        (Place::Host { host, port }, None) => {
            let addrs = resolve(runtime, host, *port).await?;
            let allowed = match &dial.settings.allow {
                // The addresses that are checked are those that are connected to: the name is not
                // resolved again.
                Some(allow) => addrs.into_iter().filter(|addr| allow(*addr)).collect(),
                None => addrs,
            };
            if allowed.is_empty() {
                return Err(ConnectError::Forbidden);
            }
            connect(runtime, allowed).await
        }
        // The proxy would resolve the name, and connect to what no code here has checked.
        (Place::Host { .. }, Some(_)) if dial.settings.allow.is_some() => Err(
            ConnectError::Unsupported("checks of addresses through an HTTP proxy"),
        ),
        (Place::Host { host, port }, Some(proxy)) => {
            let addrs = resolve(runtime, &proxy.host, proxy.port).await?;
            let mut io = connect(runtime, addrs).await?;
            proxy.tunnel(&mut io, host, *port).await?;
            Ok(io)
        }
    }
}

async fn resolve<R: ConnectRuntime>(
    runtime: &R,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, ConnectError> {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let addrs = runtime.resolve(bare.unwrap_or(host), port).await;
    let addrs = addrs.map_err(ConnectError::Resolve)?;
    if addrs.is_empty() {
        let error = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        return Err(ConnectError::Resolve(error));
    }
    Ok(addrs)
}

/// Connects to the first address that answers. Each gets a head start before the next one is tried
/// too, so that a family of addresses without a route costs a quarter of a second.
async fn connect<R: ConnectRuntime>(
    runtime: &R,
    addrs: Vec<SocketAddr>,
) -> Result<Box<dyn Io>, ConnectError> {
    type Try<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Io>>> + Send + 'a>>;

    let mut addrs = addrs.into_iter();
    let mut tries: Vec<Try<'_>> = Vec::new();
    let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
    let mut start = None;
    poll_fn(|cx| {
        loop {
            if tries.is_empty() || start.is_none() {
                match addrs.next() {
                    Some(addr) => {
                        tries.push(Box::pin(async move {
                            let io: Box<dyn Io> = Box::new(runtime.connect(addr).await?);
                            Ok(io)
                        }));
                        start = Some(Box::pin(Runtime::sleep(runtime, HEAD_START)));
                    }
                    None if tries.is_empty() => {
                        let error = std::mem::replace(&mut last, io::ErrorKind::NotFound.into());
                        return Poll::Ready(Err(ConnectError::Connect(error)));
                    }
                    None => {}
                }
            }
            let mut failed = false;
            let mut at = 0;
            while let Some(one) = tries.get_mut(at) {
                match one.as_mut().poll(cx) {
                    Poll::Ready(Ok(io)) => return Poll::Ready(Ok(io)),
                    Poll::Ready(Err(error)) => {
                        last = error;
                        failed = true;
                        drop(tries.remove(at));
                    }
                    Poll::Pending => at += 1,
                }
            }
            let is_next = match &mut start {
                Some(sleep) => failed || sleep.as_mut().poll(cx).is_ready(),
                None => false,
            };
            if !is_next {
                return Poll::Pending;
            }
            start = None;
            if addrs.len() == 0 && !tries.is_empty() {
                // The last ones are waited for.
                return Poll::Pending;
            }
        }
    })
    .await
}

/// Makes a WebSocket of a stream.
async fn handshake<I: Io>(mut io: I, dial: Dial) -> Result<Opened, ConnectError> {
    let settings = &dial.settings;
    let handshake = ClientHandshake::new(settings.deflate.as_ref())
        .map_err(|error| ConnectError::Io(no_random(error)))?
        .with_protocols(&dial.protocols)
        // Every name has been checked; the one that was not may be a secret.
        .map_err(|_| ConnectError::Header("subprotocol".to_owned()))?;
    let mut headers = dial.headers;
    let host = HeaderValue::try_from(&dial.target.authority);
    headers.insert(
        HOST,
        host.map_err(|_| ConnectError::Url("its host is not a host"))?,
    );
    headers.extend(handshake.headers());
    head::write(&mut io, "GET", &dial.target.path, &headers).await?;
    let (parts, early) = head::read(&mut io).await?;
    if parts.status != StatusCode::SWITCHING_PROTOCOLS {
        let response = Response::from_parts(parts, ());
        return Err(ConnectError::Refused(Box::new(response)));
    }
    let agreed = handshake.check(&parts)?;
    let protocol = protocol(&parts)?;
    let deflater = agreed.deflate().map(Deflater::new);
    let decoder = agreed.into_decoder(Role::Client, &settings.limits);
    let socket = Framed::new(io, decoder, deflater, &settings.limits, early);
    Ok(Opened {
        socket: Box::new(socket),
        protocol,
        headers: parts.headers,
    })
}

/// Returns the server's subprotocol, which the handshake has checked.
fn protocol(parts: &Parts) -> Result<Option<String>, AnswerError> {
    let chosen = parts.headers.get(SEC_WEBSOCKET_PROTOCOL);
    chosen
        .map(|chosen| chosen.to_str().map(str::to_owned))
        .transpose()
        .map_err(|_| AnswerError::Protocol)
}
