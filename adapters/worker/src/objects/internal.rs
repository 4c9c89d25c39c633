//! The requests that a Worker sends to its objects, and how an object tells them from other
//! requests.
//!
//! An object must not obey a request that a client wrote, even if the application forwards its
//! clients' requests to the object by mistake, to whatever URL. So an internal request has a mark
//! where HTTP has no place for one: in `Request.cf`. The platform fills `cf` in for a client, and
//! passes it unchanged from a Worker to its object. The mark is the object's id, which the platform
//! derives from its name with a key of the class: only the holder of the binding can ask for it.

use std::fmt;

use worker::js_sys::{Object, Reflect};
use worker::wasm_bindgen::JsValue;
use worker::{
    Headers, Method, ObjectNamespace, Request, RequestInit, Response, State, Stub, web_sys,
};

use crate::error::{Error, report};

/// The property of `Request.cf` that holds the mark.
const MARK: &str = "crossws";

/// Every request needs a URL, and only the object gets this one.
const URL: &str = "http://crossws.internal/";

/// An object, as the Worker reaches it.
pub(crate) struct Address {
    stub: Stub,
    mark: String,
}

impl Address {
    /// Returns the address of the object with this name.
    pub(crate) fn of(namespace: &ObjectNamespace, name: &str) -> Result<Self, Error> {
        let id = namespace.id_from_name(name)?;
        Ok(Self {
            stub: id.get_stub()?,
            mark: id.to_string(),
        })
    }

    /// Sends an internal request. It is created from scratch, so that of a client's request it
    /// contains only what the caller puts into it.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        headers: Headers,
        body: Option<JsValue>,
    ) -> Result<Response, Error> {
        let mut init = RequestInit::new();
        init.with_method(method)
            .with_headers(headers)
            .with_body(body);
        let init = web_sys::RequestInit::from(&init);
        // Not `CfProperties`, which has no property of this name.
        let cf = Object::new();
        Reflect::set(&cf, &MARK.into(), &self.mark.as_str().into())?;
        Reflect::set(&init, &"cf".into(), &cf)?;
        let request = web_sys::Request::new_with_str_and_init(URL, &init)?;
        Ok(self.stub.fetch_with_request(Request::from(request)).await?)
    }
}

/// Omits the mark, which is a secret.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Address").field(&self.stub).finish()
    }
}

/// An object's own mark.
#[derive(Clone)]
pub(crate) struct Mark(Option<String>);

impl Mark {
    /// Returns the mark of the object with this state.
    pub(crate) fn of(state: &State) -> Self {
        // Not the wrapper's method, which panics if this fails.
        let id = state.as_raw().id().and_then(|id| id.to_string());
        if let Err(error) = &id {
            report("the object has no id", worker::Error::from(error.clone()));
        }
        Self(id.ok())
    }

    /// Returns whether a request is an internal one, for this object.
    pub(crate) fn is_on(&self, request: &Request) -> bool {
        let get = |from: &JsValue, name: &str| Reflect::get(from, &name.into()).ok();
        let cf = get(request.inner(), "cf");
        // `get` is an error if the value is not an object.
        let mark = cf.and_then(|cf| get(&cf, MARK)?.as_string());
        mark.is_some() && mark == self.0
    }
}
