//! The application's own fetch handler, which hooks call with `peer.api()`.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use crossws_core::adapter::HttpService;
use crossws_core::{ApiError, BoxFuture, Bytes};
use futures_core::Stream;
use http::header::HOST;
use http::{Request, Response};
use worker::js_sys::Uint8Array;
use worker::send::{SendFuture, SendWrapper};
use worker::wasm_bindgen::JsValue;
use worker::{Headers, Method, RequestInit, web_sys};

use crate::error::Error;
use crate::http::response;

/// Wraps a fetch handler as an HTTP service.
pub(crate) fn service<F, Fut>(handler: F) -> Arc<dyn HttpService>
where
    F: Fn(worker::Request) -> Fut + 'static,
    Fut: Future<Output = worker::Result<worker::Response>> + 'static,
{
    Arc::new(Handler(SendWrapper::new(std::rc::Rc::new(handler))))
}

struct Handler<F>(SendWrapper<std::rc::Rc<F>>);

impl<F, Fut> HttpService for Handler<F>
where
    F: Fn(worker::Request) -> Fut + 'static,
    Fut: Future<Output = worker::Result<worker::Response>> + 'static,
{
    fn call(
        &self,
        request: Request<Bytes>,
        max_body: usize,
    ) -> BoxFuture<'static, Result<Response<Bytes>, ApiError>> {
        let handler = std::rc::Rc::clone(&self.0.0);
        Box::pin(SendFuture::new(async move {
            let request = to_platform(&request).map_err(failed)?;
            let response = handler(request).await.map_err(failed)?;
            from_platform(response, max_body).await
        }))
    }
}

fn failed(error: impl std::fmt::Display) -> ApiError {
    // The platform's errors contain handles, which belong to one thread.
    ApiError::Failed(error.to_string().into())
}

/// Returns the platform's request. Its URL has the host that the request names.
fn to_platform(request: &Request<Bytes>) -> Result<worker::Request, Error> {
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok());
    // The client chooses this value: a path in it would come before the request's path.
    let host = host.filter(|host| host.parse::<http::uri::Authority>().is_ok());
    let url = format!("https://{}{}", host.unwrap_or("localhost"), request.uri());
    let headers = Headers::new();
    response::append(&headers, request.headers())?;
    let body: Option<JsValue> = match request.body() {
        // A `GET` has no body.
        body if body.is_empty() => None,
        body => Some(Uint8Array::from(&body[..]).into()),
    };
    let mut init = RequestInit::new();
    init.with_method(Method::from(request.method().as_str().to_owned()))
        .with_headers(headers)
        .with_body(body);
    let init = web_sys::RequestInit::from(&init);
    let request = web_sys::Request::new_with_str_and_init(&url, &init)?;
    Ok(worker::Request::from(request))
}

async fn from_platform(
    mut answered: worker::Response,
    most: usize,
) -> Result<Response<Bytes>, ApiError> {
    let mut answer = Response::builder().status(answered.status_code());
    for (name, value) in answered.headers().entries() {
        let (name, value) = response::header(&name, &value).map_err(failed)?;
        answer = answer.header(name, value);
    }
    let mut body = Vec::new();
    let too_large = |len: usize| match len > most {
        true => Err(ApiError::TooLarge { most }),
        false => Ok(()),
    };
    match answered.stream() {
        Ok(mut stream) => {
            while let Some(chunk) = poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await {
                let chunk = chunk.map_err(failed)?;
                too_large(body.len() + chunk.len())?;
                body.extend_from_slice(&chunk);
            }
        }
        // The body has already arrived.
        Err(_) => {
            body = answered.bytes().await.map_err(failed)?;
            too_large(body.len())?;
        }
    }
    answer.body(Bytes::from(body)).map_err(ApiError::Request)
}
