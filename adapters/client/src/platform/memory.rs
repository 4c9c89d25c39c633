use std::io::{self, IoSlice};
use std::pin::pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use crossws_core::BoxFuture;
use crossws_memory::{Frame, TestServer};
use crossws_proto::frame::{Decoder, Opcode, Role, put_close, put_frame};

use crate::connect::dial::Dial;
use crate::error::ConnectError;
use crate::framed::{Framed, Pipe};
use crate::platform::{Opened, Platform};

impl Platform for TestServer {
    fn open(&self, dial: Dial) -> BoxFuture<'static, Result<Opened, ConnectError>> {
        let server = self.clone();
        Box::pin(async move {
            let mut connect = server
                .connect(&dial.target.url())
                .protocols(&dial.protocols);
            for (name, value) in &dial.headers {
                connect = connect.header(name, value);
            }
            let client = connect.await.map_err(|error| {
                let (parts, _) = error.into_response().into_parts();
                ConnectError::Refused(Box::new(http::Response::from_parts(parts, ())))
            })?;
            Ok(Opened {
                protocol: client.protocol().map(str::to_owned),
                headers: client.response().headers().clone(),
                socket: Box::new(Framed::new(
                    MemoryPipe::new(client),
                    Decoder::new(Role::Client, &dial.settings.limits),
                    None,
                    &dial.settings.limits,
                    Vec::new(),
                )),
            })
        })
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let server = self.clone();
        Box::pin(async move { TestServer::sleep(&server, time).await })
    }

    fn now(&self) -> Duration {
        TestServer::now(self)
    }

    fn spawn(&self, task: BoxFuture<'static, ()>) {
        TestServer::spawn(self, task);
    }

    fn drive(&self) -> Option<BoxFuture<'static, ()>> {
        let server = self.clone();
        Some(Box::pin(async move {
            server.drive(std::future::pending()).await
        }))
    }
}

/// A client of the toolkit as a stream.
struct MemoryPipe {
    client: crossws_memory::Client,
    /// Encoded frames from the server.
    unread: BytesMut,
}

impl MemoryPipe {
    fn new(mut client: crossws_memory::Client) -> Self {
        // The connection does both.
        client.auto_pong(false);
        client.auto_close(false);
        Self {
            client,
            unread: BytesMut::new(),
        }
    }
}

impl Pipe for MemoryPipe {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        while self.unread.is_empty() {
            // Dropping the future loses no frame, and the link keeps the waker.
            let frame = ready!(pin!(self.client.next_frame()).poll(cx));
            let to = &mut self.unread;
            match frame {
                Some(Frame::Message(message)) => {
                    put_frame(to, Opcode::from(&message), message.as_bytes());
                }
                Some(Frame::Ping(data)) => put_frame(to, Opcode::Ping, &data),
                Some(Frame::Pong(data)) => put_frame(to, Opcode::Pong, &data),
                Some(Frame::Close(frame)) => put_close(to, frame.as_ref()),
                Some(_) => {}
                None => return Poll::Ready(Ok(0)),
            }
        }
        let count = buf.len().min(self.unread.len());
        self.unread
            .copy_to_slice(buf.get_mut(..count).unwrap_or_default());
        Poll::Ready(Ok(count))
    }

    fn poll_write(&mut self, _: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let mut count = 0;
        for buf in bufs {
            // A connection that is over says so by its end.
            let _ = self.client.send_raw(&**buf);
            count += buf.len();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
