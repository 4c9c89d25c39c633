//! The application's HTTP service and its sockets, each reachable from the other.

pub(crate) mod api;
pub(crate) mod background;
#[cfg(feature = "http")]
pub(crate) mod body;
pub(crate) mod connection_info;
#[cfg(feature = "http")]
pub(crate) mod http_app;
pub(crate) mod http_service;
#[cfg(feature = "http")]
pub(crate) mod sockets;
pub(crate) mod upgrade_door;
