use std::fmt;

use crossws_core::{DecodeError, PublishError};
use worker::wasm_bindgen::JsValue;

/// Why a call to an object, or to the platform, failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The platform failed: a missing binding, an object out of reach.
    #[error("the platform failed: {0}")]
    Platform(#[from] worker::Error),
    /// The message cannot be encoded.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The object refused the command.
    #[error("the object answered {status}: {text}")]
    Object {
        /// The HTTP status.
        status: u16,
        /// The response's text.
        text: String,
    },
    /// The object is chosen by the request, so that it must be named: see
    /// [`Objects::object`](crate::Objects::object).
    #[error("the objects are sharded by request: a namespace alone does not name one")]
    Unnamed,
    /// The route's connections are in several objects, which cannot be listed: name one with
    /// [`Objects::object`](crate::Objects::object).
    #[error("the connections of a route are in several objects: name one")]
    RouteSpansObjects,
    /// The object and this Worker do not speak the same version.
    #[error("the object's answer does not read: {0}")]
    Answer(#[from] DecodeError),
    /// The request, or the answer to it, is not HTTP as the `http` crate knows it.
    #[error("not an HTTP message: {0}")]
    Http(#[from] http::Error),
}

/// So that `?` works in a Worker's own handlers.
impl From<Error> for worker::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Platform(error) => error,
            other => Self::RustError(other.to_string()),
        }
    }
}

impl From<JsValue> for Error {
    fn from(value: JsValue) -> Self {
        Self::Platform(value.into())
    }
}

/// Tells the Worker's log what nobody else can be told.
pub(crate) fn report(what: &str, error: impl fmt::Display) {
    // Where nobody hears `tracing`, the console does. On other targets there is none.
    #[cfg(target_arch = "wasm32")]
    if !tracing::enabled!(tracing::Level::ERROR) {
        worker::console_error!("crossws: {what}: {error}");
    }
    tracing::error!(%error, "{what}");
}
