//! A body that a task of the object writes.
//!
//! The platform cancels a stream of JavaScript's outside of any event, where no timer may be touched: so the
//! code that the end of a body runs must not depend on it. Here the platform owns the stream, and a task learns
//! from a write that its reader has gone.

use std::future::poll_fn;

use crossws_core::{BoxError, Bytes};
use http::Response;
use http_body::Body;
use worker::ResponseBody;
use worker::js_sys::{Array, Function, Promise, Reflect, Uint8Array, global};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::{JsFuture, spawn_local};

use crate::error::Error;
use crate::http::response::with_head;

/// Returns a response as the platform's, whose body a task writes until its reader has gone.
pub(crate) fn pumped<B>(response: Response<B>) -> Result<worker::Response, Error>
where
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<BoxError>,
{
    let (parts, body) = response.into_parts();
    let class: Function = Reflect::get(&global(), &"IdentityTransformStream".into())?.dyn_into()?;
    let both = Reflect::construct(&class, &Array::new())?;
    let readable = Reflect::get(&both, &"readable".into())?;
    let writable = Reflect::get(&both, &"writable".into())?;
    let writer = call(&writable, "getWriter", &JsValue::UNDEFINED)?;
    spawn_local(async move {
        // An error means that the reader has gone: there is no other to tell.
        let _ = pump(body, &writer).await;
    });
    let response = worker::Response::from_body(ResponseBody::Stream(readable.unchecked_into()))?;
    with_head(response, parts.status.as_u16(), &parts.headers)
}

async fn pump<B>(body: B, writer: &JsValue) -> Result<(), JsValue>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    let mut body = Box::pin(body);
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        match frame.map(http_body::Frame::into_data) {
            Ok(Ok(data)) => done(call(writer, "write", &Uint8Array::from(&data[..]))?).await?,
            // The platform has no trailers.
            Ok(Err(_)) => {}
            Err(error) => {
                let error = worker::js_sys::Error::new(&error.into().to_string());
                return done(call(writer, "abort", &error)?).await;
            }
        }
    }
    done(call(writer, "close", &JsValue::UNDEFINED)?).await
}

fn call(of: &JsValue, method: &str, argument: &JsValue) -> Result<JsValue, JsValue> {
    let method: Function = Reflect::get(of, &method.into())?.dyn_into()?;
    method.call1(of, argument)
}

async fn done(promise: JsValue) -> Result<(), JsValue> {
    JsFuture::from(promise.unchecked_into::<Promise>()).await?;
    Ok(())
}
