//! The application's hooks over EventSource and POST.

pub(crate) mod connection;
pub(crate) mod downlink;
pub(crate) mod driver;
pub(crate) mod frame;
pub(crate) mod key;
pub(crate) mod outbound;
pub(crate) mod retained;
pub(crate) mod service;
pub(crate) mod settings;
pub(crate) mod uplink;
