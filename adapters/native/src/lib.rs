//! What every **crossws** adapter that owns its sockets shares: the handshake, the codec, the
//! outbox, and the pump that runs one connection.
//!
//! An adapter implements [`Io`] for its streams, [`Listen`] for its listeners, and [`Runtime`] and
//! [`ServerRuntime`] for its timers and tasks; then [`Server`] is its server, and [`Acceptor`] its
//! door for whoever accepts connections elsewhere: `docs/runtimes.md` writes one, whole. Below that,
//! [`serve_stream`] serves one stream, and [`is_upgrade`], [`Handshake`] and [`pump`] are its parts
//! for those who read the request themselves. A client has [`ClientHandshake`], and the [`engine`] in
//! its own role.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod accept;
mod acceptor;
mod batch;
mod crew;
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
mod keep_alive;
#[cfg(feature = "http")]
mod layer;
mod link;
mod listen;
mod mask;
mod outbox;
mod outlet;
mod pace;
mod pump;
mod raw;
mod runtime;
mod server;
mod shutdown;
mod signal;
mod socket;
mod stage;
mod stop;
mod sync;
mod tasks;
mod timer;
mod timers;
#[cfg(feature = "tls")]
mod tls;
mod transport;
#[cfg(feature = "http")]
mod upgrade;

pub use accept::{NotHandled, StreamInfo, not_found, run_claim, run_upgrade, serve_stream};
pub use acceptor::{Acceptor, AcceptorBuilder};
/// How a server stops, and what that came to.
pub use crossws_core::{Report, Shutdown};
pub use engine::EngineKind;
#[cfg(feature = "futures-io")]
pub use futures::FuturesIo;
pub use handshake::{Agreed, AnswerError, ClientHandshake, Handshake, is_upgrade};
pub use head::HeadLimits;
pub use io::Io;
#[cfg(feature = "http")]
pub use layer::{WebSocketLayer, WebSocketService};
pub use listen::Listen;
pub use pump::pump;
pub use raw::RawStream;
pub use runtime::{Runtime, ServerRuntime};
pub use server::{Server, ServerBuilder, ServerHandle};
pub use signal::{StopSignal, stop_signal};
pub use socket::{reset_on_drop, tune, write_now};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsStream};
pub use transport::CAPABILITIES;
