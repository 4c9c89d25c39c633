//! Raw frames over HTTP/2. The case writes the head of an HTTP/1.1 upgrade, which becomes an
//! extended CONNECT; all after it are the bytes of the stream.

use bytes::Bytes;
use http::{Response, StatusCode};
use tokio::io::AsyncWriteExt;

use super::http2::Http2;
use super::raw::NetRaw;
use super::{Stream, http1};
use crate::{Event, Fut, Gone, Raw};

pub(super) struct Translated {
    connection: Http2,
    /// The bytes before the end of the head.
    head: Vec<u8>,
    response: Option<Response<Bytes>>,
    stream: Option<NetRaw>,
}

impl Translated {
    pub(super) fn new(connection: Http2) -> Self {
        Self {
            connection,
            head: Vec::new(),
            response: None,
            stream: None,
        }
    }

    /// Opens the stream once the head is complete.
    async fn open(&mut self) -> Result<(), Gone> {
        let Some((request, end)) = http1::parse_request(&self.head) else {
            return Ok(());
        };
        match self.connection.open(request).await {
            Ok((response, mut tunnel)) => {
                tunnel
                    .write_all(&self.head[end..])
                    .await
                    .map_err(|_| Gone)?;
                let mut response = response.map(|()| Bytes::new());
                *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
                self.response = Some(response);
                self.stream = Some(NetRaw::new(Box::new(tunnel) as Stream));
                Ok(())
            }
            Err(Some(refusal)) => {
                self.response = Some(refusal);
                Ok(())
            }
            Err(None) => Err(Gone),
        }
    }
}

impl Raw for Translated {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Fut<'a, Result<(), Gone>> {
        Box::pin(async move {
            match &mut self.stream {
                Some(stream) => stream.write(bytes).await,
                None => {
                    self.head.extend_from_slice(bytes);
                    self.open().await
                }
            }
        })
    }

    fn response(&mut self) -> Fut<'_, Option<Response<Bytes>>> {
        Box::pin(std::future::ready(self.response.take()))
    }

    fn frame(&mut self) -> Fut<'_, Event> {
        Box::pin(async move {
            match &mut self.stream {
                Some(stream) => stream.frame().await,
                None => Event::Cut,
            }
        })
    }

    fn finish(&mut self) -> Fut<'_, ()> {
        Box::pin(async move {
            if let Some(stream) = &mut self.stream {
                stream.finish().await;
            }
        })
    }
}
