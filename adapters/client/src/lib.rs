//! **A WebSocket client of crossws**: on tokio, smol and async-std, in browsers, and in tests in virtual
//! time, with one API.
//!
//! ```no_run
//! use crossws_client::{Reconnect, connect};
//!
//! # async fn fresh_token() -> String { String::new() }
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut room = connect("wss://example.com/rooms/1")
//!     .token(fresh_token) // asked before each try
//!     .reconnect(Reconnect::backoff())
//!     .await?;
//! room.subscribe("talk")?; // again on each new connection
//! while let Some(message) = room.next().await {
//!     println!("{message}");
//! }
//! # Ok(()) }
//! ```
//!
//! [`connect`] has the settings. Awaiting it returns a [`Client`] once the first connection is open;
//! [`Connect::start`] returns it at once, and what is sent waits; [`Connect::run`] runs a function for
//! each message, like a hook. [`Connect::typed`] speaks the server's types.

#![cfg_attr(docsrs, feature(doc_cfg))]
// A browser does by itself what sockets need code for: pings, frames, most of the settings.
#![cfg_attr(
    any(target_family = "wasm", not(feature = "sockets")),
    allow(dead_code)
)]

mod calls;
mod client;
mod connect;
mod driver;
mod error;
#[cfg(any(
    feature = "memory",
    all(feature = "sockets", not(target_family = "wasm"))
))]
mod framed;
mod platform;
mod provider;
mod reconnect;
mod shared;
mod status;
mod statuses;
mod typed;
#[cfg(all(feature = "sockets", not(target_family = "wasm")))]
mod wire;

use std::sync::Arc;

pub use calls::Call;
pub use client::{Client, ClientHandle};
#[doc(hidden)]
pub use connect::split_unix_url;
pub use connect::{Connect, TokenIn, WhenClosed, WhileConnecting, connect};
/// The certificates that `wss` trusts.
#[cfg(all(feature = "sockets", feature = "tls", not(target_family = "wasm")))]
pub use crossws_native::{ClientTls, TlsError};
pub use error::ConnectError;
pub use provider::{IntoProvider, Provided, Provider};
pub use reconnect::{Disconnected, Reconnect};
pub use status::Status;
pub use statuses::Statuses;
pub use typed::{TypedClient, TypedConnect};
#[cfg(all(feature = "sockets", not(target_family = "wasm")))]
pub use wire::{HttpProxy, MAX_HEAD, ProxyError};

use crate::platform::Platform;

/// Returns the platform of the caller.
#[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
fn default_platform() -> Result<Arc<dyn Platform>, ConnectError> {
    Ok(Arc::new(platform::browser::Browser))
}

/// Returns the platform of the caller.
#[cfg(not(all(target_arch = "wasm32", target_os = "unknown")))]
#[allow(unreachable_code)] // smol comes before async-std
fn default_platform() -> Result<Arc<dyn Platform>, ConnectError> {
    #[cfg(all(feature = "tokio", not(target_family = "wasm")))]
    if tokio::runtime::Handle::try_current().is_ok() {
        return Ok(platform::native::Native::platform(
            crossws_tokio::Tokio::default(),
        ));
    }
    #[cfg(all(feature = "smol", not(target_family = "wasm")))]
    return Ok(platform::native::Native::platform(
        crossws_smol::Smol::default(),
    ));
    #[cfg(all(feature = "async-std", not(target_family = "wasm")))]
    return Ok(platform::native::Native::platform(
        crossws_async_std::AsyncStd::default(),
    ));
    Err(ConnectError::Unsupported(
        "connections here: a client needs a tokio runtime, or the feature `smol` or `async-std`",
    ))
}
