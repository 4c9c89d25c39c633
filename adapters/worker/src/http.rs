//! Conversions between the platform's requests and responses and those of `http`.

#[cfg(feature = "sse")]
pub(crate) mod answer;
pub(crate) mod api;
pub(crate) mod body;
#[cfg(feature = "sse")]
pub(crate) mod incoming;
pub(crate) mod request;
pub(crate) mod response;
