use crossws_core::Bytes;
use http::{Response, StatusCode};
use worker::{Headers, web_sys};

use crate::error::Error;
use crate::http::response::{header, plain, with_head};

/// The body of a response at the edge: some bytes, or what an object streams, which the platform passes on.
pub(crate) enum Answer {
    Whole(Bytes),
    Stream(web_sys::ReadableStream),
}

impl Default for Answer {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl From<Bytes> for Answer {
    fn from(bytes: Bytes) -> Self {
        Self::Whole(bytes)
    }
}

/// Returns the response of an object.
pub(crate) fn from_platform(response: web_sys::Response) -> Result<Response<Answer>, Error> {
    let body = response.body().map(Answer::Stream);
    let mut answer = Response::new(body.unwrap_or_default());
    *answer.status_mut() = StatusCode::from_u16(response.status()).map_err(http::Error::from)?;
    for (name, value) in Headers(response.headers()).entries() {
        let (name, value) = header(&name, &value)?;
        answer.headers_mut().append(name, value);
    }
    Ok(answer)
}

/// Returns a response as the platform's.
pub(crate) fn to_platform(response: Response<Answer>) -> Result<worker::Response, Error> {
    let (parts, body) = response.into_parts();
    let stream = match body {
        Answer::Whole(bytes) => return plain(Response::from_parts(parts, bytes)),
        Answer::Stream(stream) => stream,
    };
    let response = worker::Response::from_body(worker::ResponseBody::Stream(stream))?;
    with_head(response, parts.status, &parts.headers)
}
