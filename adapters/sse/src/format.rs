//! The event stream format: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.

pub(crate) mod event;
pub(crate) mod invalid;
pub(crate) mod lines;
pub(crate) mod parser;
