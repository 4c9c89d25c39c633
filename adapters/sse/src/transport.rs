//! The application's hooks over EventSource and POST.

pub(crate) mod body;
pub(crate) mod connection;
pub(crate) mod downlink;
pub(crate) mod frame;
pub(crate) mod key;
pub(crate) mod list;
pub(crate) mod outbound;
pub(crate) mod place;
pub(crate) mod pump;
pub(crate) mod request;
pub(crate) mod retained;
// Where services are `Send`.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod streams;
pub(crate) mod uplink;
