//! **crossws on tokio**: serve hooks alone in one line, beside HTTP on one port, or from inside
//! your own hyper, tower or axum server.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! let echo = crossws_core::hooks().on_message(|peer, message| async move { peer.send(message) });
//! crossws_tokio::serve("127.0.0.1:3000", echo).await
//! # }
//! ```
//!
//! [`Server`] has everything that is more than one line: limits, HTTP on the same port (feature
//! `http`), TLS (feature `tls`), any listener, such as one on a Unix-domain socket, and an orderly
//! shutdown. [`Acceptor`] takes what another server has accepted: streams (see [`io`]), or requests.

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

use crossws_core::{Resolve, SharedResolver};

pub use raw::RawStream;
pub use runtime::Tokio;
pub use signal::{StopSignal, stop_signal};
#[cfg(feature = "tungstenite")]
pub use take_over::take_over;

/// What this adapter can do.
pub use crossws_native::CAPABILITIES;
pub use crossws_native::{
    EngineKind, HeadLimits, Listen, NotHandled, Report, Shutdown, StreamInfo,
};
#[cfg(feature = "tls")]
pub use crossws_native::{Tls, TlsError, TlsStream};

/// A server on tokio: [`Server::builder`](crossws_native::Server::builder) makes one.
pub type Server<R> = crossws_native::Server<R, Tokio>;
/// What a [`Server`] is made with.
pub type ServerBuilder<R> = crossws_native::ServerBuilder<R, Tokio>;
/// A handle to a server, also while it runs.
pub type ServerHandle = crossws_native::ServerHandle<Tokio>;

/// Takes streams that were accepted elsewhere and, with the feature `http`, upgrade requests of
/// somebody else's HTTP server.
///
/// `Acceptor::new(hooks, hub)` makes an `Acceptor`, which has no type parameter: what an app's state
/// holds.
pub type Acceptor<R = SharedResolver> = crossws_native::Acceptor<R, Tokio>;
/// What an [`Acceptor`] is made with.
pub type AcceptorBuilder<R> = crossws_native::AcceptorBuilder<R, Tokio>;
#[cfg(feature = "http")]
pub use crossws_native::is_upgrade;
/// Takes WebSocket upgrades out of a tower service's requests.
#[cfg(feature = "http")]
pub type WebSocketLayer<R = SharedResolver> = crossws_native::WebSocketLayer<R, Tokio>;
/// A service behind a [`WebSocketLayer`].
#[cfg(feature = "http")]
pub type WebSocketService<S, R = SharedResolver> = crossws_native::WebSocketService<R, S, Tokio>;

/// Serves hooks on an address until the process is told to stop, then shuts down in an orderly way:
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
