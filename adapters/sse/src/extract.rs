use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;

use crate::error::NotServed;
use crate::stream::EventStream;

/// Begins an event stream as [`EventStream::of`] does.
impl<S: Send + Sync> FromRequestParts<S> for EventStream {
    type Rejection = NotServed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NotServed> {
        Self::from_parts(&parts.headers, &parts.extensions)
    }
}

/// A 500: the client cannot change how the application is put together. The log says what is wrong.
impl IntoResponse for NotServed {
    fn into_response(self) -> Response {
        tracing::error!(error = %self, "an event stream cannot begin");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    }
}
