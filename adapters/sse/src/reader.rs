use std::future::poll_fn;
use std::pin::Pin;

use bytes::Buf;
use crossws_core::BoxError;
use http_body::Body;

use crate::format::parser::{Parser, Received, TooLong};

/// Reads the events of a response's body: a client of hyper, or a test with
/// [`TestServer::get(..).stream()`](crossws_core::ApiRequest::stream).
///
/// ```
/// use crossws_sse::{ReadError, Reader, Received};
///
/// # futures_lite::future::block_on(async {
/// let body = "event: price\nid: 7\ndata: 12.50\n\n".to_owned();
/// let mut events = Reader::new(body);
/// let price: Received = events.next().await?.unwrap();
/// assert_eq!((&*price.event, &*price.data, &*price.last_event_id), ("price", "12.50", "7"));
/// assert_eq!(events.next().await?, None);
/// # Ok::<_, ReadError>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Reader<B> {
    body: B,
    parser: Parser,
}

/// Why no further event can be read: see [`Reader`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The response ended early.
    #[error("the event stream ended early: {0}")]
    Body(#[source] BoxError),
    /// An event exceeds the bound.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

impl<B> Reader<B>
where
    B: Body + Unpin,
    B::Error: Into<BoxError>,
{
    /// Creates a reader of a body's events.
    pub fn new(body: B) -> Self {
        Self::with_parser(body, Parser::new())
    }

    /// As [`new`](Self::new), with the bounds of a parser.
    pub fn with_parser(body: B, parser: Parser) -> Self {
        Self { body, parser }
    }

    /// Returns the next event, or `None` at the end of the stream. An event that the end cuts off is
    /// discarded, as browsers do.
    ///
    /// # Errors
    /// [`ReadError`].
    ///
    /// # Cancel safety
    /// Dropping the future loses no event.
    pub async fn next(&mut self) -> Result<Option<Received>, ReadError> {
        loop {
            if let Some(event) = self.parser.next() {
                return Ok(Some(event));
            }
            let body = &mut self.body;
            let frame = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await;
            let Some(frame) = frame else {
                return Ok(None);
            };
            let frame = frame.map_err(|error| ReadError::Body(error.into()))?;
            let Ok(mut data) = frame.into_data() else {
                continue;
            };
            while data.has_remaining() {
                let chunk = data.chunk();
                let read = chunk.len();
                self.parser.feed(chunk)?;
                data.advance(read);
            }
        }
    }

    /// Returns the parser: the last id, and the time to retry.
    pub fn parser(&self) -> &Parser {
        &self.parser
    }
}
