use worker::js_sys::{Array, Function, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue};

/// Calls a method. Exceptions are errors.
pub(crate) fn call(of: &JsValue, method: &str, arguments: &Array) -> Result<JsValue, JsValue> {
    let method: Function = Reflect::get(of, &method.into())?.dyn_into()?;
    method.apply(of, arguments)
}
