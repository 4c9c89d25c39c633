//! The runtime-free core of **crossws**: WebSocket apps as hooks, peers and pub/sub.
//!
//! Applications use the `crossws` crate. This one is for authors of other frameworks and of
//! adapters: it does no IO, reads no clock and spawns nothing. What only they need is in
//! [`adapter`]. The path of a connection:
//!
//! ```text
//! Hub::claim → Claim::upgrade → Accepted::join(transport) → OpeningPeer::open → Session
//!                                                             .message(..)  .close(..)
//! ```
//!
//! Where the upgrade hook runs elsewhere than the peer lives, or a peer is brought back to memory,
//! a [`Snapshot`](adapter::Snapshot) stands between: `Accepted::snapshot`, then `Hub::admit` or `Hub::restore` →
//! `RestoredPeer::claim` → `OpeningPeer`.
//!
//! Each step consumes the one before, so that `open` precedes `message`, hooks do not overlap,
//! and `close` comes once. Dropping any of them leaves nothing behind.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
mod api;
mod behind;
#[cfg(feature = "http")]
mod body;
mod bounds;
mod budget;
mod builder;
mod capabilities;
mod catch;
mod claim;
mod close;
mod codec;
mod context;
mod control_rate;
mod cursor;
mod deflate;
mod dyn_hooks;
mod error;
mod expiry;
mod extensions;
mod flusher;
mod handler;
mod hooks;
mod hub;
mod life;
mod limits;
mod liveness;
mod log;
mod members;
mod membership;
mod message;
mod notice;
mod origin;
mod path;
mod peer;
mod peer_id;
mod publication;
mod published;
mod rare;
mod refused;
mod registry;
mod rejection;
mod request;
mod resolve;
mod restored_peer;
mod route_members;
mod route_scope;
mod scope;
mod send;
mod session;
mod setters;
mod settings;
mod shutdown;
mod sleep;
mod snapshot;
#[cfg(feature = "http")]
mod sockets;
mod start;
mod subscriptions;
mod swap;
mod sync;
mod take;
mod tasks;
mod text;
mod to;
mod topic;
mod transport;
mod unfinished;
mod upgrade;
mod upgrade_door;
mod wire;
mod wrap;
mod yielding;

pub use api::{Api, ApiError, ApiRequest, ApiResponse};
#[cfg(feature = "http")]
pub use body::Body;
pub use bounds::{BoxError, BoxFuture, MaybeSend, MaybeSync};
pub use builder::{HooksBuilder, hooks};
pub use capabilities::Capabilities;
pub use close::{CloseCode, CloseFrame, Closed, ClosedBy, InvalidCloseCode};
pub use codec::{DecodeError, EncodeError};
pub use context::{ContextError, PeerContext};
pub use deflate::Deflate;
pub use dyn_hooks::{DynHooks, SharedHooks};
pub use error::{
    ControlError, DuplicateId, Error, ErrorKind, HookKind, PublishError, SendError, SubscribeError,
    Unsupported,
};
pub use expiry::{Expiry, ExpiryError};
pub use extensions::Extensions;
pub use handler::{Handler, HandlerEnd, Incoming, handler};
pub use hooks::{HookResult, Hooks, OnError, ok};
pub use hub::{Hub, HubBuilder, Stats};
pub use life::PeerState;
pub use limits::{DRAIN_MARK, Limit, Limits, Overflow};
pub use message::{IntoMessage, Json, Message};
pub use notice::{DropCause, Dropped, Subscription};
pub use origin::Origin;
pub use path::{PathNotUtf8, normal_path};
pub use peer::{Peer, WeakPeer};
pub use peer_id::{InvalidPeerId, PeerId};
pub use published::Published;
pub use refused::Refused;
pub use rejection::Rejection;
pub use request::{NotAttached, Params, Redacted, UpgradeRequest};
pub use resolve::{
    BeforeUpgrade, DynResolve, IntoResolution, Pass, Resolution, Resolve, ResolveWith, Route,
    SharedResolver, pass, resolve_with,
};
pub use route_scope::RouteScope;
pub use scope::Scope;
pub use send::{SendOptions, Sent};
pub use settings::{RouteSettings, Settings};
pub use shutdown::{Report, Shutdown};
pub use sleep::Sleep;
pub use snapshot::PersistError;
#[cfg(feature = "http")]
pub use sockets::{Sockets, SocketsOr, Through};
pub use swap::Swap;
pub use tasks::HookOutput;
pub use text::Utf8Bytes;
pub use to::{To, Topics};
pub use upgrade::{InvalidHeader, Upgrade};
pub use wrap::{Wrap, Wrapped, wrap};
pub use yielding::yield_now;

// The vocabulary that the signatures above use.
pub use bytes::Bytes;
pub use http;
