//! **A WebSocket proxy as hooks of crossws**: each client is connected to an upstream, on every runtime
//! on which the client runs, and in tests in virtual time.
//!
//! ```no_run
//! use crossws_proxy::Proxy;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let proxy = Proxy::to("ws://10.0.0.7:9000/rooms");
//! crossws_tokio::serve("127.0.0.1:3000", proxy).await?;
//! # Ok(()) }
//! ```
//!
//! [`Proxy`] has the settings: which targets are allowed, what of a request is forwarded, bounds, and
//! functions that hear of each connection.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod address;
mod callbacks;
mod connection;
mod ended;
mod error;
mod headers;
mod hosts;
mod link;
mod protocols;
mod proxy;
mod target;

pub use address::is_public;
pub use ended::{Ended, EndedBy};
pub use error::ProxyError;
pub use proxy::Proxy;
pub use target::{Awaited, Called, Fixed, FoundTarget, IntoTarget, IntoUrl};
