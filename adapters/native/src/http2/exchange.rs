//! One request over HTTP/2: the bounds of its head, its response, and the WebSocket that it may
//! become.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use crossws_core::adapter::HttpApp;
use crossws_core::{Rejection, Resolve};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::header::{
    CONNECTION, CONTENT_LENGTH, DATE, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING,
    UPGRADE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use http_body_util::Full;

use super::body::Received;
use super::door::StreamDoor;
use super::stream::{StreamIo, poll_room};
use super::streams::Live;
use crate::driver::stage::Stage;
use crate::http::site::Site;
use crate::runtime::ServerRuntime;
use crate::server::head::HeadLimits;

/// Serves one request. Returns the WebSocket that it became.
pub(super) async fn exchange<R: Resolve, T: ServerRuntime, S: HttpApp>(
    site: Site<R, T, S>,
    limits: HeadLimits,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    live: Live,
) -> Option<Stage> {
    let (mut parts, stream) = request.into_parts();
    let checked = check_head(&parts, &limits).and_then(|()| check_connect(&mut parts));
    if let Err(rejection) = checked {
        live.answered();
        let rejection = site.malformed(rejection, parts.uri.path());
        let refused = rejection.into_response().map(Full::new);
        send(refused, respond).await;
        return None;
    }
    let door = StreamDoor::default();
    let (body, stream) = if parts.method == Method::CONNECT {
        parts.extensions.insert(door.clone());
        (Received::default(), Some(stream))
    } else {
        let (stream, announced) = (Some(stream), content_length(&parts.headers));
        (Received { stream, announced }, None)
    };
    let mut request = Request::from_parts(parts, body);
    site.note(&mut request);
    let mut response = pin!(site.respond(request));
    let responded = poll_fn(|cx| {
        if let Poll::Ready(response) = response.as_mut().poll(cx) {
            return Poll::Ready(Some(response));
        }
        // The client no longer wants it.
        respond.poll_reset(cx).map(|_| None)
    });
    let mut response = match responded.await {
        Some(Ok(response)) => response,
        Some(Err(error)) => {
            tracing::debug!(%error, "the HTTP service failed");
            respond.send_reset(Reason::INTERNAL_ERROR);
            return None;
        }
        None => {
            live.cancelled();
            return None;
        }
    };
    live.answered();
    if let (Some(stream), true) = (stream, response.status().is_success()) {
        if let Some(run) = door.take() {
            let (mut head, _) = response.into_parts();
            complete(&mut head.headers);
            // A tunnel has no length (RFC 9110 section 9.3.6).
            head.headers.remove(CONTENT_LENGTH);
            let head = Response::from_parts(head, ());
            let sender = respond.send_response(head, false).ok()?;
            return Some(run(StreamIo::new(sender, stream, live.into_socket())));
        }
        // A page of the service. Over HTTP/1.1 it is no upgrade. Here a success would open a
        // tunnel, and there is no WebSocket at its end.
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    send(response, respond).await;
    None
}

/// Checks the bounds that HTTP/2 does not know.
fn check_head(parts: &Parts, limits: &HeadLimits) -> Result<(), Rejection> {
    let target = parts
        .uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    if target > limits.max_line {
        return Err(Rejection::new(
            StatusCode::URI_TOO_LONG,
            "the request target is too long",
        ));
    }
    if parts.headers.len() > limits.max_headers {
        let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return Err(Rejection::new(status, "the request has too many headers"));
    }
    Ok(())
}

/// Refuses a CONNECT that is not for a WebSocket. This server opens no other tunnels, and a service
/// that responds 200 to every request would seem to open one.
fn check_connect(parts: &mut Parts) -> Result<(), Rejection> {
    if parts.method != Method::CONNECT {
        return Ok(());
    }
    let text = match parts.extensions.remove::<h2::ext::Protocol>() {
        Some(protocol) if protocol.as_str().eq_ignore_ascii_case("websocket") => {
            // As in other servers.
            let protocol = hyper::ext::Protocol::from_static("websocket");
            parts.extensions.insert(protocol);
            return Ok(());
        }
        Some(_) => "CONNECT here is only for the :protocol websocket",
        None => "CONNECT here needs the :protocol websocket",
    };
    // RFC 9220 section 3, for a `:protocol` that the server does not know.
    Err(Rejection::new(StatusCode::NOT_IMPLEMENTED, text))
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Removes the headers that HTTP/2 excludes (RFC 9113 section 8.2.2), and adds the date that RFC
/// 9110 section 6.6.1 demands.
fn complete(headers: &mut HeaderMap) {
    const OF_CONNECTIONS: [HeaderName; 5] = [
        CONNECTION,
        TRANSFER_ENCODING,
        UPGRADE,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
    ];
    for name in &OF_CONNECTIONS {
        headers.remove(name);
    }
    if !headers.contains_key(DATE) {
        let now = httpdate::fmt_http_date(SystemTime::now());
        if let Ok(now) = HeaderValue::try_from(now) {
            headers.insert(DATE, now);
        }
    }
}

/// Sends a whole response. Ends early if the client cancels it.
async fn send<B: Body<Data = Bytes>>(response: Response<B>, mut respond: SendResponse<Bytes>) {
    let (mut head, body) = response.into_parts();
    complete(&mut head.headers);
    let is_empty = body.is_end_stream();
    if let (false, Some(len)) = (is_empty, body.size_hint().exact()) {
        head.headers
            .entry(CONTENT_LENGTH)
            .or_insert_with(|| len.into());
    }
    let sent = respond.send_response(Response::from_parts(head, ()), is_empty);
    let mut stream = match sent {
        Ok(_) if is_empty => return,
        Ok(stream) => stream,
        // The client has cancelled it, or a header of the service is one that HTTP/2 excludes.
        Err(error) => {
            tracing::debug!(%error, "a response could not be sent");
            return respond.send_reset(Reason::INTERNAL_ERROR);
        }
    };
    let mut body = pin!(body);
    if send_body(&mut stream, body.as_mut()).await.is_none() {
        stream.send_reset(Reason::INTERNAL_ERROR);
    }
}

/// Sends a body, as fast as the client's window allows. Returns `None` if the body fails or the
/// client cancels it.
async fn send_body<B: Body<Data = Bytes>>(
    stream: &mut SendStream<Bytes>,
    mut body: Pin<&mut B>,
) -> Option<()> {
    loop {
        let frame = poll_fn(|cx| match body.as_mut().poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(Some(frame)),
            Poll::Pending => stream.poll_reset(cx).map(|_| None),
        });
        let frame = match frame.await? {
            Some(frame) => frame.ok()?,
            None => return stream.send_data(Bytes::new(), true).ok(),
        };
        match frame.into_data() {
            Ok(mut data) => {
                let is_last = body.is_end_stream();
                while !data.is_empty() {
                    let room = poll_fn(|cx| poll_room(stream, data.len(), cx)).await?;
                    let part = data.split_to(room.ok()?);
                    let ends = is_last && data.is_empty();
                    stream.send_data(part, ends).ok()?;
                    if ends {
                        return Some(());
                    }
                }
            }
            Err(frame) => {
                let trailers = frame.into_trailers().ok()?;
                return stream.send_trailers(trailers).ok();
            }
        }
    }
}
