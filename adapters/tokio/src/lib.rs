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

use std::io::Result;
use std::net::ToSocketAddrs;

use crossws_core::{Hub, Resolve, SharedResolver};

pub use raw::RawStream;
pub use runtime::Tokio;
pub use signal::{StopSignal, stop_signal};
#[cfg(feature = "tungstenite")]
pub use take_over::take_over;

/// The capabilities of this adapter.
pub use crossws_native::CAPABILITIES;
#[cfg(feature = "http2")]
pub use crossws_native::Http2;
pub use crossws_native::{HeadLimits, Listen, NotHandled, Report, Shutdown, StreamInfo};
#[cfg(feature = "tls")]
pub use crossws_native::{Tls, TlsError, TlsStream};

/// A server on tokio, created by [`Server::builder`](crossws_native::Server::builder).
pub type Server<R> = crossws_native::Server<R, Tokio>;
/// A builder of a [`Server`].
pub type ServerBuilder<R> = crossws_native::ServerBuilder<R, Tokio>;
/// A handle to a server, usable while the server runs.
pub type ServerHandle = crossws_native::ServerHandle<Tokio>;

/// Takes streams that were accepted elsewhere and, with the feature `http`, upgrade requests of
/// another HTTP server.
///
/// `Acceptor::new(hooks, hub)` creates an `Acceptor` without type parameters, for an app's state.
pub type Acceptor<R = SharedResolver> = crossws_native::Acceptor<R, Tokio>;
/// A builder of an [`Acceptor`].
pub type AcceptorBuilder<R> = crossws_native::AcceptorBuilder<R, Tokio>;
#[cfg(feature = "http")]
pub use crossws_native::is_upgrade;
/// A layer that takes WebSocket upgrades out of a tower service's requests.
#[cfg(feature = "http")]
pub type WebSocketLayer<R = SharedResolver> = crossws_native::WebSocketLayer<R, Tokio>;
/// A service wrapped by a [`WebSocketLayer`].
#[cfg(feature = "http")]
pub type WebSocketService<S, R = SharedResolver> = crossws_native::WebSocketService<R, S, Tokio>;

/// Lends this runtime's time and tasks to a hub that has none: for event streams in a foreign
/// server. A [`Server`] and an [`Acceptor`] lend theirs themselves.
pub fn lend_background(hub: &Hub) {
    crossws_native::lend_background::<Tokio>(hub);
}

/// Serves hooks on an address until a signal stops the process, then shuts down in an orderly way:
/// [`Server::run_until`](crossws_native::Server::run_until) with [`stop_signal`] and the default
/// [`Shutdown`]. Requests that do not ask for a WebSocket get a 404.
///
/// # Errors
/// When the address cannot be bound, signals cannot be watched, or the `start` hook fails.
///
/// # Cancel safety
/// Dropping the future stops accepting; connections go on. For more, see [`Server`].
pub async fn serve<R: Resolve>(addr: impl ToSocketAddrs, resolver: R) -> Result<()> {
    let server = Server::builder(resolver).bind(addr).await?;
    server
        .run_until(stop_signal()?, Shutdown::default())
        .await?;
    Ok(())
}
