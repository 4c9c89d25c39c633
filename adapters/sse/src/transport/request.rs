//! One request of a client: its stream, a message, or its close.

use std::sync::Arc;

use crossws_core::adapter::{Background, Claim, ClaimError, within};
use crossws_core::{Hooks, Hub, Rejection, Resolve, UpgradeRequest};
use http::header::{
    ACCEPT, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ORIGIN, RETRY_AFTER, UPGRADE, VARY,
};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};

use crate::transport::place::Place;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    Stream,
    Post,
    Close,
    /// A browser asks whether a page of another origin may post.
    Preflight,
}

/// Responds to a request of a client whose connection is, or will be, in a place: finds its hooks, checks
/// its origin, and runs the `upgrade` hook for a new connection. The hub lends its time.
///
/// # Errors
/// Returns the body of a request that is not for the sockets.
pub async fn respond<P: Place<B>, R: Resolve, B>(
    place: &P,
    hub: &Hub,
    resolver: &Arc<R>,
    request: UpgradeRequest,
    body: B,
) -> Result<Response<P::Body>, B> {
    let Some(asks) = asks(request.parts()) else {
        return Err(body);
    };
    let Some(background) = hub.background() else {
        tracing::error!("event streams need a server that serves their hub");
        return Ok(empty(StatusCode::INTERNAL_SERVER_ERROR));
    };
    let parts = request.parts().clone();
    let claim = hub.claim(resolver, request);
    let limit = hub.limits().upgrade_timeout;
    let claim = match within(&*background, limit, claim).await {
        Some(Ok(claim)) => claim,
        Some(Err(ClaimError::NotHandled(_))) => return Err(body),
        // The resolver speaks about streams; what else has this path is the pages' own.
        Some(Err(_)) if asks != Asks::Stream => return Err(body),
        Some(Err(refused)) => return Ok(rejected(refused.into())),
        None => return Ok(rejected(hub.upgrade_timed_out())),
    };
    let admits = claim.settings().origin.admits(claim.request());
    let response = match asks {
        Asks::Stream => match stream(place, claim, (&parts, admits), &*background).await {
            Some(response) => response,
            None => return Err(body),
        },
        _ if !admits => empty(StatusCode::FORBIDDEN),
        Asks::Preflight => {
            let mut response = empty(StatusCode::NO_CONTENT);
            for (name, value) in [
                (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
                (
                    ACCESS_CONTROL_ALLOW_HEADERS,
                    "authorization, content-type, last-event-id",
                ),
            ] {
                let value = HeaderValue::from_static(value);
                response.headers_mut().insert(name, value);
            }
            response
        }
        Asks::Post => empty(place.post(&parts, body).await),
        Asks::Close => empty(place.close(&parts, body).await),
    };
    Ok(share(response, &parts, admits))
}

/// Opens a connection's stream, or takes one up again. `None` if the hook passes the request on.
async fn stream<P: Place<B>, H: Hooks + ?Sized, B>(
    place: &P,
    claim: Claim<H>,
    (parts, admits): (&Parts, bool),
    background: &dyn Background,
) -> Option<Response<P::Body>> {
    if admits && let Some(resumed) = place.resume(parts).await {
        return Some(resumed);
    }
    let hub = claim.hub().clone();
    let deadline = claim.deadline();
    match hub.in_time(background, deadline, claim.upgrade()).await {
        Ok(accepted) => {
            let headers = accepted.headers().clone();
            let mut response = place.open(accepted, parts).await;
            if response.status() == StatusCode::OK {
                response.headers_mut().extend(headers);
            }
            Some(response)
        }
        Err(ClaimError::NotHandled(_)) => None,
        Err(refused) => Some(rejected(refused.into())),
    }
}

/// Returns whether a request may be for the sockets, by its method and headers.
#[doc(hidden)]
pub fn may_be_asked(request: &Parts) -> bool {
    asks(request).is_some()
}

/// Returns what a request asks of the sockets, if it may be for them.
fn asks(request: &Parts) -> Option<Asks> {
    let headers = &request.headers;
    match request.method {
        Method::GET if !headers.contains_key(UPGRADE) => {
            let accepts = headers.get_all(ACCEPT).iter().any(|accept| {
                let mut kinds = accept.as_bytes().split(|byte| *byte == b',');
                kinds.any(|kind| is_of(kind, b"text/event-stream"))
            });
            accepts.then_some(Asks::Stream)
        }
        Method::POST => Some(Asks::Post),
        Method::DELETE => Some(Asks::Close),
        Method::OPTIONS if headers.contains_key(ORIGIN) => Some(Asks::Preflight),
        _ => None,
    }
}

/// Returns whether a media type, with its parameters, is this one.
pub(crate) fn is_of(kind: &[u8], this: &[u8]) -> bool {
    let name = kind.split(|byte| *byte == b';').next();
    name.is_some_and(|name| name.trim_ascii().eq_ignore_ascii_case(this))
}

/// Lets the page of an admitted origin read the response.
fn share<B>(mut response: Response<B>, parts: &Parts, admits: bool) -> Response<B> {
    if admits && let Some(origin) = parts.headers.get(ORIGIN) {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    response
}

pub(crate) fn empty<B: Default>(status: StatusCode) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = status;
    if matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE
    ) {
        let second = HeaderValue::from_static("1");
        response.headers_mut().insert(RETRY_AFTER, second);
    }
    response
}

pub(crate) fn rejected<B: From<bytes::Bytes>>(rejection: Rejection) -> Response<B> {
    rejection.into_response().map(B::from)
}
