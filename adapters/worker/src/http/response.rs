use crossws_core::{Bytes, Rejection};
use http::StatusCode;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::error::Error;

/// Returns a refusal as the platform's response.
pub(crate) fn refusal(rejection: Rejection) -> Result<worker::Response, Error> {
    if let Some(error) = rejection.source() {
        crate::error::report("refusing an upgrade", error);
    }
    plain(rejection.into_response())
}

pub(crate) fn plain(response: http::Response<Bytes>) -> Result<worker::Response, Error> {
    let (parts, body) = response.into_parts();
    let response = match has_no_body(parts.status) {
        true => worker::Response::empty()?,
        false => worker::Response::from_bytes(body.to_vec())?,
    };
    with_head(response, parts.status, &parts.headers)
}

/// Returns whether a response of this status must have a null body: the platform refuses any other.
pub(crate) fn has_no_body(status: StatusCode) -> bool {
    matches!(status.as_u16(), 101 | 204 | 205 | 304)
}

/// Returns the platform's response with these headers, and with a status that it accepts.
pub(crate) fn with_head(
    response: worker::Response,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<worker::Response, Error> {
    let to = worker::Headers::new();
    append(&to, headers)?;
    // The platform's constructor accepts only these.
    let status = match status.as_u16() {
        status @ 200..=599 => status,
        _ => 500,
    };
    Ok(response.with_headers(to).with_status(status))
}

/// Appends headers; repeated ones stay repeated.
pub(crate) fn append(to: &worker::Headers, headers: &HeaderMap) -> Result<(), Error> {
    for (name, value) in headers {
        to.append(name.as_str(), &text(value))?;
    }
    Ok(())
}

/// Returns a value's bytes as the platform's headers hold them: it reads and writes them as UTF-8, where a
/// browser's hold characters of the same numbers.
pub(crate) fn text(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Returns a header of the platform's, with the bytes that the client has sent.
pub(crate) fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), http::Error> {
    Ok((name.parse()?, HeaderValue::from_bytes(value.as_bytes())?))
}
