use std::io::{self, ErrorKind, IoSlice};
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use h2::{Reason, RecvStream, SendStream};

use super::SEND_BUFFER;
use super::streams::Live;
use crate::runtime::io::{Io, take_front};

/// One stream of an HTTP/2 connection as the pump uses it. The client's window for the stream is
/// the room for writes. Its bytes count as read, and let it send more, when the pump takes them.
pub(crate) struct StreamIo {
    send: SendStream<Bytes>,
    recv: RecvStream,
    /// Received but not yet read.
    rest: Bytes,
    /// The writing side has ended.
    ended: bool,
    _live: Live,
}

impl StreamIo {
    pub(super) fn new(send: SendStream<Bytes>, recv: RecvStream, live: Live) -> Self {
        Self {
            send,
            recv,
            rest: Bytes::new(),
            ended: false,
            _live: live,
        }
    }

    /// Waits for the client's next bytes, and returns whether there are any.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.rest.is_empty() {
            match ready!(self.recv.poll_data(cx)) {
                Some(data) => self.rest = data.map_err(lost)?,
                None => return Poll::Ready(Ok(false)),
            }
        }
        Poll::Ready(Ok(true))
    }
}

impl Io for StreamIo {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        if !ready!(self.poll_fill(cx))? {
            return Poll::Ready(Ok(0));
        }
        let count = take_front(&mut self.rest, buf);
        // An error means that the stream has ended: no room is needed any more.
        let _ = self.recv.flow_control().release_capacity(count);
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.ended {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let len: usize = bufs.iter().map(|buf| buf.len()).sum();
        if len == 0 {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(poll_room(&mut self.send, len, cx)).ok_or(ErrorKind::BrokenPipe)?;
        let count = room.map_err(lost)?;
        let mut data = BytesMut::with_capacity(count);
        for buf in bufs {
            let room = count - data.len();
            data.extend_from_slice(buf.get(..room).unwrap_or(buf));
        }
        self.send.send_data(data.freeze(), false).map_err(lost)?;
        Poll::Ready(Ok(count))
    }

    /// The connection's task writes what it has.
    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// An ordinary end of TCP is the flag `END_STREAM` (RFC 8441 section 5).
    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !std::mem::replace(&mut self.ended, true) {
            self.send.send_data(Bytes::new(), true).map_err(lost)?;
        }
        Poll::Ready(Ok(()))
    }

    /// A reset of TCP is `RST_STREAM` with `CANCEL` (RFC 8441 section 5).
    fn abort(&mut self) {
        self.ended = true;
        self.send.send_reset(Reason::CANCEL);
    }

    fn buffered(&self) -> usize {
        self.rest.len()
    }
}

/// Waits until the client's window has room, and returns how much of `wanted`. `None` if the stream has
/// ended.
pub(super) fn poll_room(
    stream: &mut SendStream<Bytes>,
    wanted: usize,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<usize, h2::Error>>> {
    let wanted = wanted.min(SEND_BUFFER);
    // Also returns the room that an earlier write asked for and did not use: all streams of the
    // connection share one window.
    stream.reserve_capacity(wanted);
    while stream.capacity() == 0 {
        match ready!(stream.poll_capacity(cx)) {
            Some(Ok(_)) => {}
            ended => return Poll::Ready(ended),
        }
    }
    Poll::Ready(Some(Ok(stream.capacity().min(wanted))))
}

/// A reset of the stream is the end of this WebSocket, whatever the reason; the connection goes on.
fn lost(error: h2::Error) -> io::Error {
    let kind = match error.is_reset() {
        true => ErrorKind::ConnectionReset,
        false => ErrorKind::BrokenPipe,
    };
    io::Error::new(kind, error)
}
