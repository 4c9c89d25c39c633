//! The requests that a Worker sends to its objects, and how an object tells them from other
//! requests.
//!
//! An object must not obey a request that a client wrote, even if the application forwards its
//! clients' requests to the object by mistake, to whatever URL. So an internal request has a mark
//! where HTTP has no place for one: in `Request.cf`. The platform fills `cf` in for a client, and
//! passes it unchanged from a Worker to its object. The mark is the object's id, which the platform
//! derives from its name with a key of the class: only the holder of the binding can ask for it. The clients
//! of event streams know it, because their requests name their object by it; they cannot write `cf`.

use worker::js_sys::{Object, Reflect};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::JsFuture;
use worker::worker_sys::Fetcher;
use worker::{ObjectId, ObjectNamespace, Request, State, web_sys};

use crate::error::{Error, report};

/// The property of `Request.cf` that holds the mark.
const MARK: &str = "crossws";

/// Every request needs a URL, and only the object gets this one.
const URL: &str = "http://crossws.internal/";

/// The header of an internal request about an event stream: what it asks for.
#[cfg(feature = "sse")]
pub(crate) const EVENTS: &str = "crossws-events";

/// The header of an internal request that carries the path of the client's.
#[cfg(feature = "sse")]
pub(crate) const PATH: &str = "crossws-path";

/// The headers of a client that its object reads.
#[cfg(feature = "sse")]
pub(crate) const KEPT: [&str; 3] = ["authorization", "content-type", "last-event-id"];

/// The status by which an object says that it has no connection to take up.
#[cfg(feature = "sse")]
pub(crate) const GONE: http::StatusCode = http::StatusCode::GONE;

/// An object, as the Worker reaches it.
pub(crate) struct Address {
    object: Fetcher,
    mark: String,
}

impl Address {
    /// Returns the address of the object with this name.
    pub(crate) fn of(namespace: &ObjectNamespace, name: &str) -> Result<Self, Error> {
        Self::new(&namespace.id_from_name(name)?)
    }

    /// Returns the address of the object with this id. The platform refuses an id that it has not given.
    #[cfg(feature = "sse")]
    pub(crate) fn with_id(namespace: &ObjectNamespace, id: &str) -> Result<Self, Error> {
        Self::new(&namespace.id_from_string(id)?)
    }

    fn new(id: &ObjectId<'_>) -> Result<Self, Error> {
        Ok(Self {
            object: id.get_stub()?.into_rpc(),
            mark: id.to_string(),
        })
    }

    /// Sends an internal request. It is created from scratch, so that of a client's request it
    /// contains only what the caller puts into it.
    pub(crate) async fn fetch(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        body: Option<&JsValue>,
    ) -> Result<web_sys::Response, Error> {
        // Not the wrappers of requests and responses, which link the conversions of all that they may hold.
        let init = web_sys::RequestInit::new();
        init.set_method(method);
        let set = web_sys::Headers::new()?;
        for (name, value) in headers {
            set.set(name, value)?;
        }
        init.set_headers_headers(&set);
        init.set_body(body.unwrap_or(&JsValue::UNDEFINED));
        // The platform's own property.
        let cf = Object::new();
        Reflect::set(&cf, &MARK.into(), &self.mark.as_str().into())?;
        Reflect::set(&init, &"cf".into(), &cf)?;
        let answer = self.object.fetch_with_str_and_init(URL, &init)?;
        Ok(JsFuture::from(answer).await?.dyn_into()?)
    }
}

// Omits the mark, which only a holder of the binding can send.
crossws_core::opaque_debug!([] Address, self => (self.object));

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

    /// Returns the object's id.
    #[cfg(feature = "sse")]
    pub(crate) fn id(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
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
