//! **crossws on async-std**: serve hooks alone in one line, together with HTTP on one port, or from
//! inside your own hyper server. It needs no tokio runtime and depends on none.
//!
//! ```no_run
//! let echo = crossws_core::hooks().on_message(|peer, message| async move { peer.send(message) });
//! async_std::task::block_on(crossws_async_std::serve("127.0.0.1:3000", echo))?;
//! # std::io::Result::Ok(())
//! ```
//!
//! [`Server`] has the rest: limits, HTTP on the same port (feature `http`), TLS (feature `tls`),
//! any listener, such as one on a Unix-domain socket, and an orderly shutdown. [`Acceptor`] takes
//! streams that another server has accepted (see [`io`]), or its requests.
//!
//! async-std is discontinued (RUSTSEC-2025-0052). This adapter is for apps that run on it today.
//! smol is the maintained choice, on the same executor and reactor crates. Moving is one line:
//! `crossws_smol` (or `crossws::smol`) in place of `crossws_async_std`.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod io;
mod listen;
mod runtime;

use std::io::{ErrorKind, Result};
use std::net::ToSocketAddrs;

use crossws_core::{Hub, Resolve, SharedResolver};

pub use runtime::AsyncStd;

/// The capabilities of this adapter.
pub use crossws_native::CAPABILITIES;
#[cfg(feature = "http2")]
pub use crossws_native::Http2;
pub use crossws_native::{HeadLimits, Listen, NotHandled, RawStream, Report, Shutdown, StreamInfo};
pub use crossws_native::{StopSignal, stop_signal};
#[cfg(feature = "tls")]
pub use crossws_native::{Tls, TlsError, TlsStream};

/// A server on async-std, created by [`Server::builder`](crossws_native::Server::builder).
pub type Server<R> = crossws_native::Server<R, AsyncStd>;
/// A builder of a [`Server`].
pub type ServerBuilder<R> = crossws_native::ServerBuilder<R, AsyncStd>;
/// A handle to a server, usable while the server runs.
pub type ServerHandle = crossws_native::ServerHandle<AsyncStd>;

/// Takes streams that were accepted elsewhere and, with the feature `http`, upgrade requests of
/// another HTTP server.
///
/// `Acceptor::new(hooks, hub)` creates an `Acceptor` without type parameters, for an app's state.
pub type Acceptor<R = SharedResolver> = crossws_native::Acceptor<R, AsyncStd>;
/// A builder of an [`Acceptor`].
pub type AcceptorBuilder<R> = crossws_native::AcceptorBuilder<R, AsyncStd>;
/// A layer that takes WebSocket upgrades out of a tower service's requests.
#[cfg(feature = "http")]
pub type WebSocketLayer<R = SharedResolver> = crossws_native::WebSocketLayer<R, AsyncStd>;
/// A service wrapped by a [`WebSocketLayer`].
#[cfg(feature = "http")]
pub type WebSocketService<S, R = SharedResolver> = crossws_native::WebSocketService<R, S, AsyncStd>;

/// Lends this runtime's time and tasks to a hub that has none: for event streams in a foreign
/// server. A [`Server`] and an [`Acceptor`] lend theirs themselves.
pub fn lend_background(hub: &Hub) {
    crossws_native::lend_background::<AsyncStd>(hub);
}

/// Serves hooks on an address until a signal stops the process, then shuts down in an orderly way:
/// [`Server::run_until`](crossws_native::Server::run_until) with [`stop_signal`] and the default
/// [`Shutdown`]. On systems without such signals, it serves until the future is dropped. Requests
/// that do not ask for a WebSocket get a 404.
///
/// # Errors
/// When the address cannot be bound, signals cannot be watched, or the `start` hook fails.
///
/// # Cancel safety
/// Dropping the future stops accepting; connections go on. For more, see [`Server`].
pub async fn serve<R: Resolve>(addr: impl ToSocketAddrs, resolver: R) -> Result<()> {
    let server = Server::builder(resolver).bind(addr).await?;
    match stop_signal() {
        Err(error) if error.kind() == ErrorKind::Unsupported => server.run().await,
        signal => {
            server.run_until(signal?, Shutdown::default()).await?;
            Ok(())
        }
    }
}
