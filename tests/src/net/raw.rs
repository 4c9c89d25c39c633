use bytes::Bytes;
use http::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{Stream, frames, http1};
use crate::{Event, Fut, Gone, Raw};

/// A TCP connection, with the bytes that were read from it.
pub(super) struct NetRaw {
    stream: Stream,
    read: Vec<u8>,
    close_received: bool,
}

impl NetRaw {
    pub(super) fn new(stream: Stream) -> Self {
        Self {
            stream,
            read: Vec::new(),
            close_received: false,
        }
    }
}

impl Raw for NetRaw {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Fut<'a, Result<(), Gone>> {
        Box::pin(async move { self.stream.write_all(bytes).await.map_err(|_| Gone) })
    }

    fn response(&mut self) -> Fut<'_, Option<Response<Bytes>>> {
        Box::pin(http1::response(&mut self.stream, &mut self.read))
    }

    fn frame(&mut self) -> Fut<'_, Event> {
        Box::pin(async move {
            loop {
                if let Some(event) = frames::take(&mut self.read) {
                    assert!(!self.close_received, "after its close frame: {event:?}");
                    self.close_received = matches!(event, Event::Close(_));
                    return event;
                }
                match self.stream.read_buf(&mut self.read).await {
                    Ok(0) if self.close_received => return Event::End,
                    Ok(0) | Err(_) => return Event::Cut,
                    Ok(_) => {}
                }
            }
        })
    }

    fn finish(&mut self) -> Fut<'_, ()> {
        Box::pin(async move {
            let _ = self.stream.shutdown().await;
        })
    }
}
