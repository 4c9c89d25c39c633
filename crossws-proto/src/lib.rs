//! The WebSocket protocol of **crossws**, without IO, clock or runtime: the opening handshake of
//! both roles, frames in both directions, and permessage-deflate (RFC 6455, RFC 7692).
//!
//! Adapters that own their sockets are built on it. [`engine`] decodes, [`frame`] encodes,
//! [`deflate`] negotiates and compresses, [`handshake`] checks requests and answers. An
//! [`outbox`] is what waits for one connection, within its bounds.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod deflate;
pub mod engine;
pub mod frame;
pub mod handshake;
pub mod outbox;
#[doc(hidden)]
pub mod sync;
