//! The application's side of WebSockets, on every adapter: routes, layers that run before the
//! upgrade, authentication, and typed access to the path, the query and cookies.
//!
//! Applications use the `crossws` crate, which exports all of this.

#![cfg_attr(docsrs, feature(doc_cfg))]

mod auth;
pub mod calls;
mod codec;
pub mod description;
mod layers;
mod messages;
mod request;
pub mod rooms;
mod routes;
pub mod rules;

pub use auth::authenticate::{Admission, Admitted, AuthenticateFn};
pub use auth::basic::BasicCredentials;
pub use auth::challenge::Challenge;
pub use auth::token::NoToken;
pub use codec::auto::{AutoCodec, Payload};
#[cfg(feature = "cbor")]
pub use codec::cbor::{Cbor, CborCodec};
pub use codec::json::JsonCodec;
pub use codec::limits::{DecodeLimits, LimitExceeded};
#[cfg(feature = "message-pack")]
pub use codec::message_pack::{MessagePack, MessagePackCodec};
pub use codec::raw::RawCodec;
pub use codec::{Decode, Encode};
pub use description::Description;
pub use layers::addresses::PerAddress;
pub use layers::layer::{BeforeFn, BeforeOutput, Layer};
pub use layers::message_rate::{MessageRate, OnExcess};
pub use layers::proxies::{BehindProxies, behind_proxies};
pub use layers::reply_errors::{ReplyErrors, reply_errors};
pub use messages::closures::{Messages, messages};
pub use messages::hub::{HubExt, TypedHub};
pub use messages::malformed::{Malformed, OnMalformed};
pub use messages::message_loop::{MessageLoop, message_loop};
pub use messages::peer::TypedPeer;
pub use messages::to::TypedTo;
pub use messages::transform::{Transformed, transform};
pub use messages::typed::Typed;
pub use messages::typed_hooks::{TypedHooks, typed, typed_as};
pub use messages::typed_incoming::{IncomingExt, TypedIncoming};
pub use request::fields::error::FieldErrorKind;
pub use request::params::PathError;
pub use request::query::QueryError;
pub use request::{PeerExt, RequestExt};
pub use routes::pattern::error::{PatternError, PatternErrorKind};
pub use routes::pattern::{Pattern, PatternSegment};
pub use routes::prepared::PreparedRoute;
pub use routes::route::{IntoRoute, RouteBuilder, route};
pub use routes::router::Router;
pub use routes::router::error::RouterError;
pub use routes::router::info::RouteInfo;
pub use routes::router::switch::Switch;
pub use routes::router::trailing_slash::TrailingSlash;
