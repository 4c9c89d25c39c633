use std::fmt;

use crossws_core::{DecodeError, PublishError};
use worker::js_sys::Promise;
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen_futures::{JsFuture, spawn_local};

/// Why a call to an object, or to the platform, failed: see [`Room`](crate::Room).
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
    /// The request chooses the object, so that the object must be named: see
    /// [`Objects::object`](crate::Objects::object).
    #[error("the objects are sharded by request: a namespace alone does not name one")]
    Unnamed,
    /// The connections of the route, of the identity or with the tag are in several objects, which cannot
    /// be listed: name one with [`Objects::object`](crate::Objects::object).
    #[error("the connections of a route, an identity or a tag are in several objects: name one")]
    GroupSpansObjects,
    /// The object and this Worker run different versions.
    #[error("the object's response cannot be decoded: {0}")]
    Answer(#[from] DecodeError),
    /// The request, or the response to it, is not valid for the `http` crate.
    #[error("not an HTTP message: {0}")]
    Http(#[from] http::Error),
}

/// Lets a Worker's own handlers use `?`.
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

/// Writes a failure to the Worker's log, if no caller can get it.
pub(crate) fn report(what: &str, error: impl fmt::Display) {
    // The console gets it where no subscriber does. Other targets have no console.
    #[cfg(target_arch = "wasm32")]
    if !tracing::enabled!(tracing::Level::ERROR) {
        worker::console_error!("crossws: {what}: {error}");
    }
    tracing::error!(%error, "{what}");
}

/// Waits for what the platform was asked to do, and reports that it failed.
pub(crate) fn report_failure(
    asked: Result<Promise, JsValue>,
    failed: impl FnOnce(JsValue) + 'static,
) {
    match asked {
        Ok(promise) => spawn_local(async move {
            if let Err(error) = JsFuture::from(promise).await {
                failed(error);
            }
        }),
        Err(error) => failed(error),
    }
}
