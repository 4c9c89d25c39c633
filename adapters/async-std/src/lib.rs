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

pub use crossws_native::{RawStream, StopSignal, stop_signal};
pub use runtime::AsyncStd;

crossws_native::export_adapter!(AsyncStd, "async-std", "crossws_async_std");
