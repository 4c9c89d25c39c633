//! The parts that every **crossws** adapter with its own sockets shares: the server,
//! and the pump that runs one connection. The protocol and the outbound queue are in
//! [`crossws_proto`].
//!
//! An adapter implements [`Io`] for its streams, [`Listen`] for its listeners, and [`Runtime`] and
//! [`ServerRuntime`] for its timers and tasks. Then [`Server`] is its server, and [`Acceptor`]
//! takes connections that other code has accepted. `docs/runtimes.md` writes a whole adapter. Below
//! that, [`serve_stream`] serves one stream. Code that reads the request itself uses its parts:
//! [`is_upgrade`], [`Handshake`] and [`pump`]. A client uses [`ClientHandshake`], and the
//! [`Decoder`](crossws_proto::frame::Decoder) in the client's role.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod driver;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http2")]
mod http2;
mod runtime;
mod server;
#[cfg(any(test, feature = "testing"))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
#[cfg(feature = "tls")]
mod tls;

/// How a server stops, and the result.
pub use crossws_core::{Report, Shutdown};
#[cfg(not(feature = "http"))]
pub use crossws_proto::handshake::is_upgrade;
pub use crossws_proto::handshake::{
    Agreed, AnswerError, ClientHandshake, Handshake, InvalidProtocol,
};
pub use driver::pump::pump;
pub use driver::raw::RawStream;
pub use driver::transport::CAPABILITIES;
#[cfg(feature = "http")]
pub use http::layer::{WebSocketLayer, WebSocketService};
#[cfg(feature = "http")]
pub use http::upgrade::is_upgrade;
#[cfg(feature = "http2")]
pub use http2::Http2;
pub use runtime::connect::ConnectRuntime;
#[cfg(feature = "futures-io")]
pub use runtime::futures::FuturesIo;
pub use runtime::io::Io;
pub use runtime::listen::Listen;
pub use runtime::tcp::{reset_on_drop, tune, write_now};
pub use runtime::{Runtime, ServerRuntime};
pub use server::Server;
pub use server::accept::{NotHandled, not_found, run_claim, run_upgrade, serve_stream};
pub use server::acceptor::{Acceptor, AcceptorBuilder};
pub use server::background::lend_background;
pub use server::builder::ServerBuilder;
pub use server::handle::ServerHandle;
pub use server::head::HeadLimits;
pub use server::signal::{StopSignal, stop_signal};
pub use server::stream_info::StreamInfo;
#[cfg(feature = "tls")]
pub use tls::{ClientTls, Tls, TlsError, TlsStream};
