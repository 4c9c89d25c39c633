use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossws_core::BoxError;
use http_body::Frame;

use crate::transport::downlink::Downlink;

/// The body of a response about a connection: its stream, or some bytes.
#[derive(Debug)]
pub struct SocketBody(Kind);

#[derive(Debug)]
enum Kind {
    Stream(Downlink),
    Whole(Bytes),
}

impl Default for SocketBody {
    fn default() -> Self {
        Self::from(Bytes::new())
    }
}

impl From<Bytes> for SocketBody {
    fn from(bytes: Bytes) -> Self {
        Self(Kind::Whole(bytes))
    }
}

impl From<Downlink> for SocketBody {
    fn from(stream: Downlink) -> Self {
        Self(Kind::Stream(stream))
    }
}

impl http_body::Body for SocketBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match &mut self.0 {
            Kind::Stream(stream) => Pin::new(stream).poll_frame(cx),
            Kind::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> http_body::SizeHint {
        match &self.0 {
            Kind::Stream(_) => http_body::SizeHint::default(),
            Kind::Whole(bytes) => http_body::SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
