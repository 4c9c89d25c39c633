//! What every **crossws** adapter that owns its sockets shares: the server, the outbox, and the pump
//! that runs one connection. The protocol itself is in [`crossws_proto`].
//!
//! An adapter implements [`Io`] for its streams, [`Listen`] for its listeners, and [`Runtime`] and
//! [`ServerRuntime`] for its timers and tasks; then [`Server`] is its server, and [`Acceptor`] its
//! door for whoever accepts connections elsewhere: `docs/runtimes.md` writes one, whole. Below that,
//! [`serve_stream`] serves one stream, and [`is_upgrade`], [`Handshake`] and [`pump`] are its parts
//! for those who read the request themselves. A client has [`ClientHandshake`], and the
//! [`engine`](crossws_proto::engine) in its own role.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod driver;
#[cfg(feature = "http")]
mod http;
mod outbox;
mod runtime;
mod server;
mod sync;
#[cfg(feature = "tls")]
mod tls;

/// How a server stops, and what that came to.
pub use crossws_core::{Report, Shutdown};
pub use crossws_proto::engine::EngineKind;
pub use crossws_proto::handshake::{Agreed, AnswerError, ClientHandshake, Handshake, is_upgrade};
pub use driver::pump::pump;
pub use driver::raw::RawStream;
pub use driver::transport::CAPABILITIES;
#[cfg(feature = "http")]
pub use http::layer::{WebSocketLayer, WebSocketService};
#[cfg(feature = "futures-io")]
pub use runtime::futures::FuturesIo;
pub use runtime::io::Io;
pub use runtime::listen::Listen;
pub use runtime::socket::{reset_on_drop, tune, write_now};
pub use runtime::{Runtime, ServerRuntime};
pub use server::accept::{NotHandled, StreamInfo, not_found, run_claim, run_upgrade, serve_stream};
pub use server::acceptor::{Acceptor, AcceptorBuilder};
pub use server::head::HeadLimits;
pub use server::signal::{StopSignal, stop_signal};
pub use server::{Server, ServerBuilder, ServerHandle};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError, TlsStream};
