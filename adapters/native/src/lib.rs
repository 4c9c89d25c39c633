//! What every **crossws** adapter that owns its sockets shares: the handshake, the codec, the
//! outbox, and the pump that runs one connection.
//!
//! An adapter implements [`Io`] for its streams, [`Listen`] for its listeners, and [`Runtime`] and
//! [`ServerRuntime`] for its timers and tasks; then [`Server`] is its server. One that accepts
//! connections itself calls [`serve_stream`] for each, and one that sits behind somebody else's HTTP
//! server checks the request with [`is_upgrade`] and [`Handshake`], and runs [`pump`] on the
//! upgraded stream.

mod accept;
#[cfg(feature = "http")]
mod acceptor;
mod batch;
pub mod deflate;
mod encoder;
pub mod engine;
mod frame;
#[cfg(feature = "futures-io")]
mod futures;
mod handshake;
mod head;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod hyper;
mod io;
#[cfg(feature = "http")]
mod layer;
mod link;
mod listen;
mod mask;
mod outbox;
mod pump;
mod runtime;
mod server;
mod shutdown;
mod socket;
mod stop;
mod sync;
mod tasks;
mod timer;
mod transport;

pub use accept::{StreamInfo, Unclaimed, not_found, run_claim, run_upgrade, serve_stream};
#[cfg(feature = "http")]
pub use acceptor::Acceptor;
pub use engine::EngineKind;
#[cfg(feature = "futures-io")]
pub use futures::FuturesIo;
pub use handshake::{Agreed, Handshake, is_upgrade};
pub use head::HeadLimits;
pub use io::Io;
#[cfg(feature = "http")]
pub use layer::{WebSocketLayer, WebSocketService};
pub use listen::Listen;
pub use pump::pump;
pub use runtime::{Runtime, ServerRuntime};
pub use server::{Server, ServerBuilder, ServerHandle};
pub use shutdown::{Report, Shutdown};
pub use socket::{reset_on_drop, tune};
pub use transport::CAPABILITIES;
