//! From a fresh stream to a running connection: head, hooks, response, pump.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::{Accepted, Claim, ClaimError, Unfinished};
use crossws_core::{ConnectionInfo, Hooks, Hub, Rejection, Resolve, UpgradeRequest};
use http::StatusCode;

use crate::driver::pump::pump_with;
use crate::driver::raw::RawStream;
use crate::driver::server_crew::ServerCrew;
use crate::driver::stage::Stage;
use crate::driver::timer::within;
use crate::runtime::Runtime;
use crate::runtime::io::Io;
use crate::server::head::{Ask, Head, HeadError, HeadLimits, read_head};
use crate::server::response::{
    begin_head, malformed, overloaded, put_header, refuse, turn_away, write_all,
};
use crate::server::stream_info::StreamInfo;
use crossws_proto::handshake::Agreed;

/// A stream whose first request is not for the hooks: see
/// [`Acceptor::serve_stream`](crate::Acceptor::serve_stream). An HTTP server must read `read` first, then
/// the stream: no byte is lost.
#[derive(thiserror::Error)]
#[error("the request is not for the hooks: it is not an upgrade, or no hooks claim it")]
#[non_exhaustive]
pub struct NotHandled<I> {
    /// The stream.
    pub io: I,
    /// The bytes that were read from it: the request's head, and what followed.
    pub read: Bytes,
    /// The connection's share of [`Limits::max_unfinished`](field@crossws_core::Limits), until this
    /// is dropped. Boxed, because a claimed connection reserves room for this type too.
    pub(crate) unfinished: Box<Unfinished>,
}

crossws_core::opaque_debug!([I] NotHandled<I>, self => read: self.read.len());

/// Responds to a stream with 404 and ends it: the response to an unclaimed request if there is no
/// HTTP service.
pub async fn not_found<I: Io, R: Runtime>(unclaimed: NotHandled<I>, runtime: &R) {
    let rejection = Rejection::new(StatusCode::NOT_FOUND, "not found");
    let _until_the_end = unclaimed.unfinished;
    refuse(unclaimed.io, runtime, rejection).await;
}

/// The bytes that a connection counts for in [`Limits::max_unfinished`](field@crossws_core::Limits)
/// before its upgrade, besides its buffers: its task, its socket, and the result of a single read.
pub(crate) const CONNECTION_BYTES: usize = 4 << 10;

/// Serves a stream whose first request is for the hooks, to the end of the connection: reads the
/// head, runs the upgrade, sends the response, and pumps. Every refusal gets a response.
///
/// # Errors
/// [`NotHandled`] when the request is not an upgrade, or no hooks claim it.
///
/// # Cancel safety
/// Dropping the future drops the connection.
pub fn serve_stream<I: Io, R: Runtime, S: Resolve + ?Sized>(
    io: I,
    info: StreamInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
    limits: &HeadLimits,
) -> impl Future<Output = Result<(), NotHandled<I>>> + Send {
    // In a box of its own, which is freed before the connection runs. An `async fn` would keep its
    // arguments too.
    let handshake = Box::pin(shake_hands(None, io, info, resolver, hub, runtime, limits));
    async move {
        if let Some(connection) = handshake.await? {
            connection.await;
        }
        Ok(())
    }
}

/// Reads the head, runs the upgrade and sends the response. Returns the connection, or `None` if
/// the response has ended the stream.
pub(crate) async fn shake_hands<I: Io, R: Runtime, S: Resolve + ?Sized>(
    crew: Option<Arc<ServerCrew>>,
    mut io: I,
    info: StreamInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
    limits: &HeadLimits,
) -> Result<Option<Stage>, NotHandled<I>> {
    // Lasts to the end of the handshake.
    let mut unfinished = Unfinished::new(hub.clone());
    if unfinished.hold_briefly(CONNECTION_BYTES).is_err() {
        turn_away(&mut io, hub, info.connection.remote_addr).await;
        return Ok(None);
    }
    let addr = info.connection.remote_addr;
    let rejection = match read_head(&mut io, runtime, limits, &mut unfinished).await {
        Ok(head) => {
            let answer = answer(crew, io, info, head, unfinished, resolver, runtime);
            return Box::pin(answer).await;
        }
        Err(HeadError::Gone) => return Ok(None),
        Err(HeadError::Overloaded) => overloaded(hub, addr),
        Err(HeadError::Bad(status, text)) => malformed(hub, Rejection::new(status, text), "", addr),
    };
    refuse(io, runtime, rejection).await;
    Ok(None)
}

/// Runs the steps after the head. In a box of its own: a client may take long for the head, and the
/// connection does not own this memory meanwhile.
async fn answer<I: Io, R: Runtime, S: Resolve + ?Sized>(
    crew: Option<Arc<ServerCrew>>,
    mut io: I,
    info: StreamInfo,
    head: Head,
    unfinished: Unfinished,
    resolver: &Arc<S>,
    runtime: &R,
) -> Result<Option<Stage>, NotHandled<I>> {
    let Head { ask, bytes, end } = head;
    let Some(ask) = ask else {
        let read = bytes;
        let unfinished = Box::new(unfinished);
        return Err(NotHandled {
            io,
            read,
            unfinished,
        });
    };
    let hub = unfinished.hub();
    match Box::pin(upgrade(ask, info.connection, resolver, hub, runtime)).await {
        Ok((answer, accepted, agreed)) => {
            let time = accepted.settings().limits.close_timeout;
            if !within(runtime, time, write_all(&mut io, answer), || false).await {
                return Ok(None);
            }
            let (early, runtime) = (bytes.slice(end..), runtime.clone());
            let ends_on_drop = info.ends_on_drop;
            let connection = connect(crew, ends_on_drop, io, early, accepted, agreed, runtime);
            Ok(Some(connection))
        }
        Err(ClaimError::Rejected(rejection)) => {
            refuse(io, runtime, rejection).await;
            Ok(None)
        }
        Err(_) => Err(NotHandled {
            io,
            read: bytes,
            unfinished: Box::new(unfinished),
        }),
    }
}

/// Returns the upgraded connection.
pub(crate) fn connect<I: Io, R: Runtime, H: Hooks + ?Sized>(
    crew: Option<Arc<ServerCrew>>,
    ends_on_drop: bool,
    io: I,
    early: Bytes,
    mut accepted: Accepted<H>,
    agreed: Agreed,
    runtime: R,
) -> Stage {
    if let Some(taken) = accepted.taken::<RawStream>() {
        let io = Box::new(io);
        return Stage::last(taken.run(RawStream { early, io }));
    }
    let connection = pump_with(crew, ends_on_drop, io, early, accepted, agreed, runtime);
    Stage::last(connection)
}

/// Runs the hooks and encodes the 101.
async fn upgrade<R: Runtime, S: Resolve + ?Sized>(
    ask: Ask,
    info: ConnectionInfo,
    resolver: &Arc<S>,
    hub: &Hub,
    runtime: &R,
) -> Result<(BytesMut, Accepted<S::Hooks>, Agreed), ClaimError> {
    let Ask { request, handshake } = ask;
    let request = request.with_connection(info);
    let malformed = |rejection, path: &str| malformed(hub, rejection, path, info.remote_addr);
    let claim = run_claim(hub, resolver, request, runtime).await?;
    let handshake = handshake.map_err(|it| malformed(it, claim.request().path()))?;
    let accepted = run_upgrade(claim.with_raw_streams::<RawStream>(), runtime).await?;
    let agreed = handshake.agree(accepted.deflate());
    let agreed = agreed.map_err(|it| malformed(it, ""))?;
    // Without a `Response`, whose header map would be built only to be read once.
    let mut answer = begin_head(StatusCode::SWITCHING_PROTOCOLS, 0);
    handshake.answer(accepted.headers(), &agreed, |name, value| {
        put_header(&mut answer, name, value);
    });
    answer.extend_from_slice(b"\r\n");
    Ok((answer, accepted, agreed))
}

/// Runs the resolver within the time that an upgrade may take.
///
/// # Errors
/// As [`Hub::claim`]; and 503 when the resolver took too long.
///
/// # Cancel safety
/// As [`Hub::claim`].
pub fn run_claim<'a, R: Runtime, S: Resolve + ?Sized>(
    hub: &'a Hub,
    resolver: &'a Arc<S>,
    request: UpgradeRequest,
    runtime: &'a R,
) -> impl Future<Output = Result<Claim<S::Hooks>, ClaimError>> + 'a {
    let time = hub.limits().upgrade_timeout;
    within(runtime, time, hub.claim(resolver, request), || {
        Err(hub.upgrade_timed_out().into())
    })
}

/// Runs the upgrade of a claimed request within its deadline.
///
/// # Errors
/// As [`Claim::upgrade`]; and 503 when the hook took too long.
///
/// # Cancel safety
/// As [`Claim::upgrade`].
pub fn run_upgrade<R: Runtime, H: Hooks + ?Sized>(
    claim: Claim<H>,
    runtime: &R,
) -> impl Future<Output = Result<Accepted<H>, ClaimError>> {
    let time = claim.deadline();
    let hub = claim.hub().clone();
    within(runtime, time, claim.upgrade(), move || {
        Err(hub.upgrade_timed_out().into())
    })
}

#[cfg(test)]
mod tests {
    use std::future::Pending;
    use std::time::{Duration, Instant};

    use super::*;

    struct Echo;

    impl Hooks for Echo {}

    #[derive(Clone)]
    struct Still(Instant);

    impl Runtime for Still {
        type Sleep = Pending<()>;

        fn sleep(&self, _: Duration) -> Pending<()> {
            std::future::pending()
        }

        fn now(&self) -> Instant {
            self.0
        }
    }

    /// glibc keeps freed memory of up to this size as it is, for the next allocation of its size. It
    /// divides larger pieces among what a connection keeps, so that each handshake takes another one
    /// and leaves a hole: some 110 bytes for each idle connection.
    const REUSED: usize = 1032;

    #[test]
    fn the_memory_of_an_upgrade_is_reused_by_the_next() {
        let request = UpgradeRequest::from_head("/", []).unwrap();
        let handshake = Err(Rejection::new(StatusCode::BAD_REQUEST, ""));
        let (hub, resolver) = (Hub::default(), Arc::new(Echo));
        let (info, runtime) = (ConnectionInfo::default(), Still(Instant::now()));
        let ask = Ask { request, handshake };
        let future = upgrade(ask, info, &resolver, &hub, &runtime);
        assert!(size_of_val(&future) <= REUSED, "{}", size_of_val(&future));
    }
}
