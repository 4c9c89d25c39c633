//! crossws on a runtime of its own: a few threads with a queue of tasks, a thread for timers and
//! one for the readiness of sockets. `docs/runtimes.md` explains it.
//!
//! The last three modules are the adapter; the first three are the runtime, which others have
//! already.

mod executor;
mod reactor;
mod timer;

pub mod io;
mod listen;
mod runtime;

use std::io::Result;
use std::net::ToSocketAddrs;

use crossws_core::Resolve;

pub use crossws_native::{CAPABILITIES, Shutdown, stop_signal};
pub use executor::{block_on, spawn};
pub use runtime::OwnRuntime;
pub use timer::Sleep;

/// A server on this runtime.
pub type Server<R> = crossws_native::Server<R, OwnRuntime>;
/// What a [`Server`] is made with.
pub type ServerBuilder<R> = crossws_native::ServerBuilder<R, OwnRuntime>;
/// A handle to a server, also while it runs.
pub type ServerHandle = crossws_native::ServerHandle<OwnRuntime>;
/// Takes streams that were accepted elsewhere.
pub type Acceptor<R> = crossws_native::Acceptor<R, OwnRuntime>;

/// Serves hooks on an address until SIGINT or SIGTERM, then shuts down in an orderly way.
///
/// # Errors
/// When the address cannot be bound, or signals cannot be watched.
///
/// # Cancel safety
/// Dropping the future stops accepting; connections go on.
pub async fn serve<R: Resolve>(addr: impl ToSocketAddrs, resolver: R) -> Result<()> {
    let server = Server::builder(resolver).bind(addr).await?;
    server
        .run_until(stop_signal()?, Shutdown::default())
        .await?;
    Ok(())
}
