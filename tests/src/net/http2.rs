//! A client of HTTP/2 whose streams may be WebSockets, by extended CONNECT (RFC 8441).

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes, BytesMut};
use h2::client::{Builder, SendRequest};
use h2::ext::Protocol;
use h2::{Ping, Reason, RecvStream, SendStream};
use http::header::{
    CONNECTION, HOST, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Request, Response, StatusCode, Uri, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The window of a client that lets the windows of its streams decide.
const WIDE: u32 = (1 << 31) - 1;

/// A connection, for any number of streams. It ends with its last clone and its last stream.
#[derive(Debug, Clone)]
pub struct Http2 {
    requests: SendRequest<Bytes>,
    scheme: &'static str,
}

impl Http2 {
    /// Begins a connection on a stream, and waits for the server's settings.
    ///
    /// # Errors
    /// Whatever ends the connection.
    pub async fn over<S>(stream: S, scheme: &'static str) -> Result<Self, h2::Error>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let mut builder = Builder::new();
        builder
            .initial_connection_window_size(WIDE)
            .enable_push(false);
        let (requests, mut connection) = builder.handshake(stream).await?;
        let mut ping = connection.ping_pong().unwrap();
        tokio::spawn(async move {
            let _ = connection.await;
        });
        // The server's settings come before its reply.
        ping.ping(Ping::opaque()).await?;
        Ok(Self { requests, scheme })
    }

    /// Returns whether the server offers extended CONNECT.
    pub fn offers_connect(&self) -> bool {
        self.requests.is_extended_connect_protocol_enabled()
    }

    /// Sends a request with its body, and returns the whole response.
    ///
    /// # Errors
    /// Whatever ends the stream or the connection.
    pub async fn request(&self, request: Request<Bytes>) -> Result<Response<Bytes>, h2::Error> {
        let (parts, body) = request.into_parts();
        let request = self.on_this(Request::from_parts(parts, ()));
        let mut requests = self.requests.clone().ready().await?;
        let (response, mut stream) = requests.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(body, true)?;
        }
        whole(response.await?).await
    }

    /// Sends the head of a request without ending its stream, as CONNECT does.
    ///
    /// # Errors
    /// Whatever ends the stream or the connection.
    pub async fn begin(
        &self,
        request: Request<()>,
    ) -> Result<(h2::client::ResponseFuture, SendStream<Bytes>), h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        requests.send_request(request, false)
    }

    /// Returns the extended CONNECT for a WebSocket, with the headers of a request of HTTP/1.1 as
    /// far as HTTP/2 knows them.
    pub fn connect(&self, request: Request<()>) -> Request<()> {
        let mut request = self.on_this(request);
        *request.method_mut() = Method::CONNECT;
        let headers = request.headers_mut();
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_KEY, TRANSFER_ENCODING] {
            headers.remove(name);
        }
        let version = HeaderValue::from_static("13");
        headers.entry(SEC_WEBSOCKET_VERSION).or_insert(version);
        request
            .extensions_mut()
            .insert(Protocol::from_static("websocket"));
        request
    }

    /// Opens a WebSocket.
    ///
    /// # Errors
    /// The server's refusal, or `None` if the stream ended without a response.
    pub async fn open(
        &self,
        request: Request<()>,
    ) -> Result<(Response<()>, Tunnel), Option<Response<Bytes>>> {
        let request = self.connect(request);
        let (response, send) = self.begin(request).await.map_err(|_| None)?;
        let response = response.await.map_err(|_| None)?;
        if response.status() != StatusCode::OK {
            return Err(whole(response).await.ok());
        }
        // What RFC 8441 section 5 leaves out.
        for name in [CONNECTION, UPGRADE, SEC_WEBSOCKET_ACCEPT] {
            assert!(!response.headers().contains_key(&name), "{name} in HTTP/2");
        }
        let (head, recv) = response.into_parts();
        Ok((Response::from_parts(head, ()), Tunnel::new(send, recv)))
    }

    /// Completes a request's target and version.
    fn on_this(&self, mut request: Request<()>) -> Request<()> {
        let host = request.headers_mut().remove(HOST);
        let host = host.map_or("localhost".to_owned(), |host| {
            host.to_str().unwrap().to_owned()
        });
        let path = request.uri().path_and_query().unwrap().as_str();
        let uri = Uri::builder().scheme(self.scheme).authority(host);
        *request.uri_mut() = uri.path_and_query(path).build().unwrap();
        *request.version_mut() = Version::HTTP_2;
        request
    }
}

async fn whole(response: Response<RecvStream>) -> Result<Response<Bytes>, h2::Error> {
    let (head, mut body) = response.into_parts();
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        bytes.extend_from_slice(&data);
    }
    Ok(Response::from_parts(head, bytes.freeze()))
}

/// A stream of bytes inside the connection. Dropping it resets the stream.
#[derive(Debug)]
pub struct Tunnel {
    send: SendStream<Bytes>,
    recv: RecvStream,
    rest: Bytes,
    ended: bool,
}

impl Tunnel {
    /// Creates it from both directions of a stream.
    pub fn new(send: SendStream<Bytes>, recv: RecvStream) -> Self {
        Self {
            send,
            recv,
            rest: Bytes::new(),
            ended: false,
        }
    }

    /// Resets the stream.
    pub fn reset(mut self, reason: Reason) {
        self.send.send_reset(reason);
    }

    /// Returns why the server has reset the stream. Waits until it does.
    pub async fn reset_reason(&mut self) -> Option<Reason> {
        std::future::poll_fn(|cx| self.send.poll_reset(cx))
            .await
            .ok()
    }
}

fn lost(error: h2::Error) -> io::Error {
    io::Error::new(ErrorKind::ConnectionReset, error)
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        while this.rest.is_empty() {
            match ready!(this.recv.poll_data(cx)) {
                Some(data) => this.rest = data.map_err(lost)?,
                None => return Poll::Ready(Ok(())),
            }
        }
        let count = this.rest.len().min(buf.remaining());
        buf.put_slice(&this.rest[..count]);
        this.rest.advance(count);
        let _ = this.recv.flow_control().release_capacity(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        this.send.reserve_capacity(buf.len());
        while this.send.capacity() == 0 && !buf.is_empty() {
            match ready!(this.send.poll_capacity(cx)) {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Poll::Ready(Err(lost(error))),
                None => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            }
        }
        let count = buf.len().min(this.send.capacity());
        let data = Bytes::copy_from_slice(&buf[..count]);
        this.send.send_data(data, false).map_err(lost)?;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.ended, true) {
            self.send.send_data(Bytes::new(), true).map_err(lost)?;
        }
        Poll::Ready(Ok(()))
    }
}
