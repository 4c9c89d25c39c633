//! **crossws on tokio**: serve hooks alone in one line, beside HTTP on one port, or from inside
//! your own hyper, tower or axum server.
//!
//! ```no_run
//! # async fn run() -> std::io::Result<()> {
//! let echo = crossws_core::hooks().on_message(|peer, message| async move { peer.send(message) });
//! crossws_tokio::serve("127.0.0.1:3000", echo).await
//! # }
//! ```

mod io;
mod listen;
mod runtime;
mod server;
mod shutdown;
mod tasks;

#[cfg(feature = "http")]
mod acceptor;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod layer;
#[cfg(feature = "http")]
mod rewind;

#[cfg(feature = "http")]
pub use acceptor::Acceptor;
#[cfg(feature = "http")]
pub use layer::{WebSocketLayer, WebSocketService};
pub use server::{Server, ServerBuilder, ServerHandle, serve};
pub use shutdown::{Report, Shutdown};

/// What this adapter can do.
pub use crossws_native::CAPABILITIES;
pub use crossws_native::{HeadLimits, StreamInfo};
