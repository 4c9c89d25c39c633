//! The application's side of WebSockets, on every adapter: routes, layers that run before the
//! upgrade, authentication, and typed access to the path, the query and cookies.
//!
//! Applications use the `crossws` crate, which exports all of this.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod addresses;
mod authenticate;
mod basic;
pub mod calls;
mod challenge;
mod codec;
mod cookies;
pub mod description;
mod fields;
mod global;
mod identity;
mod layer;
mod messages;
mod namespace;
mod params;
mod path;
mod pattern;
mod prepared;
mod proxies;
mod query;
mod reply_errors;
mod request;
pub mod rooms;
mod route;
mod router;
pub mod rules;
mod token;
mod typed;

pub use addresses::PerAddress;
pub use authenticate::{Admission, Admitted, AuthenticateFn};
pub use basic::BasicCredentials;
pub use challenge::Challenge;
pub use codec::{
    AutoCodec, Decode, DecodeLimits, Encode, JsonCodec, LimitExceeded, Payload, RawCodec,
};
#[cfg(feature = "cbor")]
pub use codec::{Cbor, CborCodec};
#[cfg(feature = "message-pack")]
pub use codec::{MessagePack, MessagePackCodec};
pub use description::Description;
pub use fields::FieldErrorKind;
pub use layer::{BeforeFn, BeforeOutput, Layer};
pub use messages::{
    HubExt, IncomingExt, Malformed, Messages, OnMalformed, Transformed, Typed, TypedHooks,
    TypedHub, TypedIncoming, TypedPeer, TypedTo, messages, transform, typed, typed_as,
};
pub use params::PathError;
pub use pattern::{Pattern, PatternError, PatternErrorKind, PatternSegment};
pub use prepared::PreparedRoute;
pub use proxies::{BehindProxies, behind_proxies};
pub use query::QueryError;
pub use reply_errors::{ReplyErrors, reply_errors};
pub use request::{PeerExt, RequestExt};
pub use route::{IntoRoute, RouteBuilder, route};
pub use router::{RouteInfo, Router, RouterError, Switch, TrailingSlash};
pub use token::NoToken;
