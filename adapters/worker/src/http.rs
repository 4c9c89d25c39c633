//! Conversions between the platform's requests and responses and those of `http`.

#[cfg(feature = "sse")]
pub(crate) mod answer;
pub(crate) mod api;
#[cfg(feature = "sse")]
pub(crate) mod incoming;
pub(crate) mod pump;
pub(crate) mod request;
pub(crate) mod response;
