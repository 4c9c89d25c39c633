//! The platform's requests and responses as those of `http`, both ways.

pub(crate) mod api;
pub(crate) mod request;
pub(crate) mod response;
