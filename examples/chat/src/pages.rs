//! The chat's ordinary HTTP, as a tower service without a framework: for runtimes that axum does
//! not support.

use std::convert::Infallible;
use std::task::{Context, Poll};

use crossws::http::header::{CONTENT_TYPE, HeaderValue};
use crossws::http::{Method, Request, Response, StatusCode};
use crossws::{Body, BoxFuture, Hub};
use http_body_util::{BodyExt, Limited};
use tower_service::Service;

use crate::hooks;

/// `GET /` is the page, `POST /announce` sends to all rooms.
#[derive(Clone)]
pub(crate) struct Pages(pub(crate) Hub);

/// Longest announcement, in bytes.
const LONGEST: usize = 16 << 10;

impl Service<Request<Body>> for Pages {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let hub = self.0.clone();
        Box::pin(async move {
            Ok(match (request.method(), request.uri().path()) {
                (&Method::GET, "/") => page(),
                (&Method::POST, "/announce") => announce(&hub, request.into_body()).await,
                _ => text(StatusCode::NOT_FOUND, "not found"),
            })
        })
    }
}

fn page() -> Response<String> {
    let mut response = text(StatusCode::OK, include_str!("page.html"));
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, html);
    response
}

/// Announces without authentication, which a real app would need.
async fn announce(hub: &Hub, body: Body) -> Response<String> {
    let Ok(body) = Limited::new(body, LONGEST).collect().await else {
        return text(StatusCode::BAD_REQUEST, "the body is too long, or cut off");
    };
    match hooks::announce(hub, &String::from_utf8_lossy(&body.to_bytes())) {
        Ok(published) => {
            let told = format!("told {} people\n", published.queued);
            text(StatusCode::OK, told)
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

fn text(status: StatusCode, body: impl Into<String>) -> Response<String> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
}
