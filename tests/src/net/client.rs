use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use fastwebsockets::{
    FragmentCollector, Frame as WireFrame, OpCode, Payload, Role, WebSocket, WebSocketError,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{Stream, frames};
use crate::{Client, Event, Frame, Fut, Gone};

/// A client on the `fastwebsockets` engine.
pub(super) struct NetClient {
    socket: FragmentCollector<Rewound>,
    close_sent: bool,
    close_received: bool,
    /// Whether the server ends the connection after the close frames: see `Port`.
    server_ends: bool,
}

impl NetClient {
    pub(super) fn new(stream: Stream, read: Vec<u8>, server_ends: bool) -> Self {
        let stream = Rewound { read, stream };
        let mut socket = WebSocket::after_handshake(stream, Role::Client);
        socket.set_auto_close(false);
        socket.set_auto_pong(false);
        Self {
            socket: FragmentCollector::new(socket),
            close_sent: false,
            close_received: false,
            server_ends,
        }
    }

    async fn write(&mut self, frame: Frame) -> Result<(), Gone> {
        let frame = match frame {
            Frame::Text(text) => WireFrame::text(Payload::Owned(text.into_bytes())),
            Frame::Binary(bytes) => WireFrame::binary(Payload::Owned(bytes)),
            Frame::Ping(data) => WireFrame::new(true, OpCode::Ping, None, Payload::Owned(data)),
            Frame::Pong(data) => WireFrame::pong(Payload::Owned(data)),
            Frame::Close(closed) => {
                self.close_sent = true;
                WireFrame::close_raw(Payload::Owned(frames::close_payload(closed)))
            }
        };
        self.socket.write_frame(frame).await.map_err(|_| Gone)
    }

    async fn read(&mut self) -> Event {
        loop {
            if self.close_sent && self.close_received && !self.server_ends {
                return Event::End;
            }
            let frame = match self.socket.read_frame().await {
                Ok(frame) => frame,
                // The engine's result for a message that arrives after our close, which is ignored.
                Err(WebSocketError::ConnectionClosed) => continue,
                Err(WebSocketError::UnexpectedEOF) if self.close_sent && self.close_received => {
                    return Event::End;
                }
                Err(WebSocketError::UnexpectedEOF | WebSocketError::IoError(_)) => {
                    return Event::Cut;
                }
                Err(error) => panic!("the server broke the protocol: {error}"),
            };
            let payload: Vec<u8> = frame.payload.into();
            return match frame.opcode {
                OpCode::Text => Event::Text(String::from_utf8(payload).unwrap()),
                OpCode::Binary => Event::Binary(payload),
                OpCode::Ping => Event::Ping(payload),
                OpCode::Pong => Event::Pong(payload),
                OpCode::Continuation => panic!("a lone continuation"),
                OpCode::Close => {
                    assert!(!self.close_received, "two close frames");
                    self.close_received = true;
                    let closed = frames::closed(&payload);
                    if !self.close_sent {
                        let _ = self.write(Frame::Close(closed.clone())).await;
                    }
                    Event::Close(closed)
                }
            };
        }
    }
}

impl Client for NetClient {
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>> {
        Box::pin(self.write(frame))
    }

    fn next(&mut self) -> Fut<'_, Event> {
        Box::pin(self.read())
    }

    fn vanish(self: Box<Self>) {}
}

/// A stream of which some bytes were read before.
struct Rewound {
    read: Vec<u8>,
    stream: Stream,
}

impl AsyncRead for Rewound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = self.read.len().min(buf.remaining());
        buf.put_slice(&self.read[..count]);
        self.read.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
