use bytes::Bytes;
use crossws_core::adapter::Accepted;
use crossws_core::{Hooks, MaybeSend};
use http::request::Parts;
use http::{Response, StatusCode};

/// Where connections live, as the requests of their clients reach it: in this process, as
/// [`Streams`](crate::Streams), or in another place that holds some. `B` is the body of a request. Implemented
/// by adapters of platforms.
pub trait Place<B> {
    /// The body of a response.
    type Body: Default + From<Bytes> + MaybeSend;

    /// Opens a connection, and returns its stream or a refusal. The headers of the `upgrade` hook are added
    /// to a stream by the caller.
    fn open<H: Hooks + ?Sized>(
        &self,
        accepted: Accepted<H>,
        request: &Parts,
    ) -> impl Future<Output = Response<Self::Body>> + MaybeSend;

    /// Takes up the connection of a client that comes back, with what it has missed. `None` if it
    /// is gone: the client gets a new one.
    fn resume(
        &self,
        request: &Parts,
    ) -> impl Future<Output = Option<Response<Self::Body>>> + MaybeSend;

    /// Takes a message from the client.
    fn post(&self, request: &Parts, body: B) -> impl Future<Output = StatusCode> + MaybeSend;

    /// Closes a connection for its client.
    fn close(&self, request: &Parts, body: B) -> impl Future<Output = StatusCode> + MaybeSend;
}
