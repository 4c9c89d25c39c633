//! The runtime-free core of **crossws**: WebSocket apps as hooks, peers and pub/sub.
//!
//! Applications use the `crossws` crate. This one is for authors of other frameworks and of
//! adapters: it does no IO, reads no clock and spawns nothing. The items that only they need are in
//! [`adapter`]. The path of a connection:
//!
//! ```text
//! Hub::claim → Claim::upgrade → Accepted::join(transport) → OpeningPeer::open → Session
//!                                                             .message(..)  .close(..)
//! ```
//!
//! If the upgrade hook runs elsewhere than the peer lives, or a peer is restored, a
//! [`Snapshot`](adapter::Snapshot) stands between: `Accepted::snapshot`, then `Hub::admit` or
//! `Hub::restore` → `RestoredPeer::claim` → `OpeningPeer`.
//!
//! Each step consumes the one before, so that `open` precedes `message`, hooks do not overlap, and
//! `close` runs once. Dropping any of them leaves nothing behind.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod adapter;
mod bounds;
mod error;
mod hooks;
mod hub;
mod message;
mod observe;
mod opaque;
mod peer;
mod pubsub;
mod service;
mod session;
mod sort;
mod sync;
mod transport;
mod upgrade;

pub use bounds::{BoxError, BoxFuture, MaybeSend, MaybeSync};
pub use error::{
    ControlError, DuplicateId, Error, ErrorKind, HookKind, PublishError, SendError, SubscribeError,
    Unsupported,
};
pub use hooks::closures::{HooksBuilder, hooks};
pub use hooks::dyn_hooks::{DynHooks, SharedHooks};
pub use hooks::handler::{
    Cleanup, Handler, HandlerEnd, Incoming, handler, keep_open, keep_open_then,
};
pub use hooks::notice::{DropCause, Dropped, Subscription};
pub use hooks::output::{HookOutput, HookResult, ok};
pub use hooks::wrap::{Wrap, Wrapped, wrap};
pub use hooks::yielding::yield_now;
pub use hooks::{Hooks, OnError};
pub use hub::Hub;
pub use hub::builder::HubBuilder;
pub use hub::group::Group;
pub use hub::scope::Scope;
pub use hub::settings::deflate::Deflate;
pub use hub::settings::invalid::SettingsError;
pub use hub::settings::limits::{DRAIN_MARK, Limit, Limits, Overflow};
pub use hub::settings::topic_overflow::TopicOverflow;
pub use hub::settings::{RouteSettings, Settings};
pub use hub::shutdown::{Report, Shutdown};
pub use hub::stats::Stats;
pub use hub::stats::refused::Refused;
pub use message::close::{CloseCode, CloseFrame, Closed, ClosedBy, InvalidCloseCode};
pub use message::codec::{DecodeError, EncodeError};
#[doc(hidden)]
pub use message::formats::Formats;
pub use message::send::{SendOptions, Sent};
pub use message::text::Utf8Bytes;
pub use message::{IntoMessage, Json, Message};
pub use observe::{
    Audience, CloseCount, Closes, Counters, CountersSnapshot, Disconnected, Emitted, Histogram,
    HistogramSnapshot, HubSnapshot, HubTraffic, NamespaceSnapshot, Observer, PeerSnapshot,
    RejectReason, Rejected, Responded, RouteSnapshot, TopicSnapshot, Trace,
};
pub use peer::Peer;
pub use peer::context::{ContextError, PeerContext};
pub use peer::deadlines::expiry::{Expiry, ExpiryError};
pub use peer::deadlines::interval::Interval;
pub use peer::deadlines::sleep::Sleep;
pub use peer::deadlines::timers::TimerError;
pub use peer::extensions::Extensions;
pub use peer::id::{InvalidPeerId, PeerId};
pub use peer::labels::label_index::LabelError;
pub use peer::life::PeerState;
pub use peer::life::cancel::CancelToken;
pub use peer::meter::{PeerStats, Traffic};
pub use peer::snapshot::persist_error::PersistError;
pub use peer::tasks::cleanup::OnCloseError;
pub use peer::weak::WeakPeer;
#[doc(hidden)]
pub use pubsub::filter::Filter;
pub use pubsub::pattern::{InvalidPattern, TopicPattern};
pub use pubsub::published::Published;
pub use pubsub::retained::RetainError;
pub use pubsub::to::To;
pub use pubsub::topics::Topics;
pub use service::api::Api;
pub use service::api::request::ApiRequest;
pub use service::api::response::{ApiError, ApiResponse};
#[cfg(feature = "http")]
pub use service::body::Body;
pub use service::connection_info::ConnectionInfo;
#[cfg(feature = "http")]
pub use service::sockets::{Sockets, SocketsOr, Through};
pub use transport::capabilities::Capabilities;
pub use upgrade::origin::Origin;
pub use upgrade::path::{PathNotUtf8, normal_path};
pub use upgrade::rejection::Rejection;
pub use upgrade::request::attached::NotAttached;
pub use upgrade::request::{Params, Redacted, UpgradeRequest};
pub use upgrade::resolve::dynamic::{DynResolve, SharedResolver};
pub use upgrade::resolve::function::{IntoResolution, ResolveWith, resolve_with};
pub use upgrade::resolve::route::Route;
pub use upgrade::resolve::{BeforeUpgrade, Pass, Resolution, Resolve, pass};
pub use upgrade::swap::Swap;
pub use upgrade::{InvalidHeader, Upgrade};

// The vocabulary that the signatures above use.
pub use bytes::Bytes;
pub use http;
pub use tracing::Level;
