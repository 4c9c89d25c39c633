//! **crossws on tokio**: serve hooks alone in one line, together with HTTP on one port, or from
//! inside your own hyper, tower or axum server.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! let echo = crossws_core::hooks().on_message(|peer, message| async move { peer.send(message) });
//! crossws_tokio::serve("127.0.0.1:3000", echo).await
//! # }
//! ```
//!
//! [`Server`] has the rest: limits, HTTP on the same port (feature `http`), TLS (feature `tls`),
//! any listener, such as one on a Unix-domain socket, and an orderly shutdown. [`Acceptor`] takes
//! streams that another server has accepted (see [`io`]), or its requests.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod io;
mod listen;
mod raw;
mod runtime;
mod signal;
#[cfg(feature = "tungstenite")]
mod take_over;

#[cfg(feature = "http")]
pub use crossws_native::is_upgrade;
pub use raw::RawStream;
pub use runtime::Tokio;
pub use signal::{StopSignal, stop_signal};
#[cfg(feature = "tungstenite")]
pub use take_over::take_over;

crossws_native::export_adapter!(Tokio, "tokio", "crossws_tokio");
