//! What every **crossws** adapter that owns its sockets shares: the handshake, the codec, the
//! outbox, and the pump that runs one connection.
//!
//! An adapter implements [`Io`] for its streams and [`Runtime`] for its timers, accepts
//! connections, and calls [`serve_stream`] for each. One that sits behind somebody else's HTTP
//! server checks the request with [`is_upgrade`] and [`Handshake`], and runs [`pump`] on the
//! upgraded stream.

mod accept;
mod batch;
mod engine;
mod frame;
mod handshake;
mod head;
mod io;
mod link;
mod outbox;
mod pump;
mod runtime;
mod sync;
mod timer;

pub use accept::{StreamInfo, Unclaimed, not_found, run_claim, run_upgrade, serve_stream};
pub use handshake::{Handshake, is_upgrade};
pub use head::HeadLimits;
pub use io::Io;
pub use outbox::CAPABILITIES;
pub use pump::pump;
pub use runtime::Runtime;
