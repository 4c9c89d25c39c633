//! Bodies that a task writes.
//!
//! The platform cancels a stream of JavaScript's outside of any event, where no timer may be touched and no
//! task woken: so the code that the end of a body runs must not depend on it. Here the platform owns the
//! stream, and a task learns from a write that its reader has gone.

use std::future::poll_fn;
use std::panic::AssertUnwindSafe;

use crossws_core::{BoxError, Bytes};
use http::Response;
use http_body::Body;
use worker::ResponseBody;
use worker::js_sys::{Array, Function, Promise, Reflect, Uint8Array, global};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::{JsFuture, future_to_promise};

use crate::error::Error;
use crate::http::response::{has_no_body, plain, with_head};
use crate::js::call;

/// Returns a Worker's response, whose body arrives later: for event streams, and for handlers that are
/// written for every platform.
///
/// `context` is that of the request's event. It keeps the body for 30 s after its client has gone, which the
/// platform tells when the body is written to: then, within the 15 s of an event stream's comments, the body
/// is dropped.
///
/// ```
/// # use crossws_core::{BoxError, Bytes, http::Response};
/// # use http_body::Body;
/// fn ticks<B: Body<Data = Bytes, Error = BoxError> + 'static>(
///     response: Response<B>,
///     context: &worker::Context,
/// ) -> worker::Result<worker::Response> {
///     Ok(crossws_worker::respond(response, context)?)
/// }
/// ```
///
/// # Errors
/// When the platform refuses the response. A status outside 200 to 599 becomes 500, and the body of a status
/// that has none, such as 204, is dropped.
pub fn respond<B>(
    response: Response<B>,
    context: &worker::Context,
) -> Result<worker::Response, Error>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    let (response, pump) = pumped(response)?;
    let written = future_to_promise(AssertUnwindSafe(async move {
        pump.await;
        Ok(JsValue::UNDEFINED)
    }));
    // Not the wrapper's method, which panics if this fails.
    context.as_ref().wait_until(&written)?;
    Ok(response)
}

/// Returns a response as the platform's, and the task that writes its body until its reader has gone.
pub(crate) fn pumped<B>(
    response: Response<B>,
) -> Result<(worker::Response, impl Future<Output = ()> + use<B>), Error>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = response.into_parts();
    if body.is_end_stream() || has_no_body(parts.status) {
        let response = plain(Response::from_parts(parts, Bytes::new()))?;
        return Ok((response, write(None)));
    }
    let class: Function = Reflect::get(&global(), &"IdentityTransformStream".into())?.dyn_into()?;
    let both = Reflect::construct(&class, &Array::new())?;
    let readable = Reflect::get(&both, &"readable".into())?;
    let writable = Reflect::get(&both, &"writable".into())?;
    let writer = call(&writable, "getWriter", &Array::new())?;
    let stream = ResponseBody::Stream(readable.unchecked_into());
    let response = worker::Response::from_body(stream)?;
    let response = with_head(response, parts.status, &parts.headers)?;
    Ok((response, write(Some((body, writer)))))
}

/// Writes a body, if there is one, until its reader has gone.
async fn write<B>(body: Option<(B, JsValue)>)
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    if let Some((body, writer)) = body {
        // An error means that the reader has gone: there is no other to tell.
        drop(pump(body, &writer).await);
    }
}

async fn pump<B>(body: B, writer: &JsValue) -> Result<(), JsValue>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = Box::pin(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => done(writer, "write", &Uint8Array::from(&data[..])).await?,
            // The platform has no trailers.
            Ok(Err(_)) => {}
            Err(error) => {
                let error = worker::js_sys::Error::new(&error.into().to_string());
                return done(writer, "abort", &error).await;
            }
        }
    }
    done(writer, "close", &JsValue::UNDEFINED).await
}

/// Calls a method of the writer, and waits until the platform has done it.
async fn done(writer: &JsValue, method: &str, argument: &JsValue) -> Result<(), JsValue> {
    let promise = call(writer, method, &Array::of1(argument))?;
    JsFuture::from(promise.unchecked_into::<Promise>()).await?;
    Ok(())
}
