//! A response whose body is read as it arrives.

use bytes::Bytes;
use http::Response;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use tokio::io::AsyncReadExt;

use super::{Stream, http1};

/// The body of a response that has no end, or not yet. Dropping it is a client that goes.
pub struct Streamed {
    stream: Stream,
    read: Vec<u8>,
    rest: Rest,
}

enum Rest {
    /// Within a chunk, this many bytes are left, the end of its line included.
    Chunk(usize),
    /// Before the size of a chunk.
    Chunks,
    /// This many bytes are left.
    Bytes(usize),
    Over,
}

impl Streamed {
    /// Sends a request, and reads the head of the response, or `None` if there is none.
    pub(super) async fn open(mut stream: Stream, request: &[u8]) -> Option<Response<Self>> {
        let (head, read) = http1::head_of(&mut stream, request).await?;
        let length = head.headers().get(CONTENT_LENGTH);
        let rest = match length.map(|length| length.to_str().unwrap().parse()) {
            _ if head.headers().contains_key(TRANSFER_ENCODING) => Rest::Chunks,
            Some(length) => Rest::Bytes(length.unwrap()),
            None => Rest::Bytes(usize::MAX),
        };
        Some(head.map(|()| Self { stream, read, rest }))
    }

    /// Returns the rest of the body.
    pub(super) async fn whole(mut self) -> Bytes {
        let mut body = Vec::new();
        while let Some(bytes) = self.next().await {
            body.extend_from_slice(&bytes);
        }
        body.into()
    }

    /// Returns whether the body's end was there, after [`next`](Self::next) has returned `None`.
    pub(super) fn ended_in_order(&self) -> bool {
        matches!(self.rest, Rest::Over | Rest::Bytes(0))
    }

    /// Returns the next bytes of the body, or `None` at its end, or where it is cut.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.take() {
                return (!bytes.is_empty()).then_some(bytes);
            }
            match self.stream.read_buf(&mut self.read).await {
                Ok(1..) => {}
                _ => return None,
            }
        }
    }

    /// Returns bytes of the body that have arrived; empty at its end.
    fn take(&mut self) -> Option<Bytes> {
        loop {
            let left = match self.rest {
                Rest::Over | Rest::Bytes(0) => return Some(Bytes::new()),
                Rest::Chunks => {
                    let parsed = httparse::parse_chunk_size(&self.read).expect("a chunk's size");
                    let httparse::Status::Complete((start, size)) = parsed else {
                        return None;
                    };
                    self.read.drain(..start);
                    self.rest = match size {
                        0 => Rest::Over,
                        size => Rest::Chunk(size as usize + 2),
                    };
                    continue;
                }
                // The line's end is not the body's.
                Rest::Chunk(left @ 1..=2) => {
                    if self.read.len() < left {
                        return None;
                    }
                    self.read.drain(..left);
                    self.rest = Rest::Chunks;
                    continue;
                }
                Rest::Chunk(left) => left - 2,
                Rest::Bytes(left) => left,
            };
            if self.read.is_empty() {
                return None;
            }
            let taken: Vec<u8> = self.read.drain(..left.min(self.read.len())).collect();
            match &mut self.rest {
                Rest::Chunk(left) | Rest::Bytes(left) => *left -= taken.len(),
                Rest::Chunks | Rest::Over => {}
            }
            return Some(taken.into());
        }
    }
}
