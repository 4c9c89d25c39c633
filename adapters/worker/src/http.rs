//! Conversions between the platform's requests and responses and those of `http`.

pub(crate) mod api;
pub(crate) mod request;
pub(crate) mod response;
pub(crate) mod stream;
