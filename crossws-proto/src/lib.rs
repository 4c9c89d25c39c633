//! The WebSocket protocol of **crossws**, without IO, clock or runtime: the opening handshake of
//! both roles, frames in both directions, and permessage-deflate (RFC 6455, RFC 7692).
//!
//! Adapters that own their sockets are built on it. A [`connection`] drives everything else:
//! [`handshake`] checks requests and responses, [`deflate`] negotiates and compresses, [`frame`] decodes
//! and encodes, and an [`outbox`] is what waits for one connection, within its bounds.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod connection;
pub mod deflate;
pub mod frame;
pub mod handshake;
pub mod outbox;
pub mod reasons;
#[doc(hidden)]
pub mod sync;
#[cfg(all(any(test, feature = "testing"), not(crossws_shuttle)))]
#[cfg_attr(docsrs, doc(cfg(feature = "testing")))]
pub mod testing;
