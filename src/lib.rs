// Its code is tested in tests/docs, which adds what the snippets leave out.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

// Listed by name. Items that only authors of adapters and frameworks need are in
// `crossws_core::adapter`.
#[doc(inline)]
pub use crossws_app::{
    Admission, Admitted, AuthenticateFn, AutoCodec, BasicCredentials, BeforeFn, BeforeOutput,
    BehindProxies, Challenge, Decode, DecodeLimits, Description, Encode, FieldErrorKind, HubExt,
    IncomingExt, IntoRoute, JsonCodec, Layer, LimitExceeded, Malformed, MessageLoop, MessageRate,
    Messages, NoToken, OnExcess, OnMalformed, PathError, Pattern, PatternError, PatternErrorKind,
    PatternSegment, Payload, PeerExt, PerAddress, PreparedRoute, QueryError, RawCodec, ReplyErrors,
    RequestExt, RouteBuilder, RouteInfo, Router, RouterError, Switch, TrailingSlash, Transformed,
    Typed, TypedHooks, TypedHub, TypedIncoming, TypedPeer, TypedTo, behind_proxies, message_loop,
    messages, reply_errors, route, transform, typed, typed_as,
};
#[cfg(feature = "cbor")]
#[doc(inline)]
pub use crossws_app::{Cbor, CborCodec};
#[cfg(feature = "message-pack")]
#[doc(inline)]
pub use crossws_app::{MessagePack, MessagePackCodec};
#[doc(inline)]
pub use crossws_app::{calls, description, rooms, rules};
#[doc(inline)]
pub use crossws_core::{
    Api, ApiError, ApiRequest, ApiResponse, Audience, BeforeUpgrade, BoxError, BoxFuture, Bytes,
    CancelToken, Capabilities, Cleanup, CloseCode, CloseCount, CloseFrame, Closed, ClosedBy,
    Closes, ConnectionInfo, ContextError, ControlError, Counters, CountersSnapshot, DRAIN_MARK,
    DecodeError, Deflate, Disconnected, DropCause, Dropped, DuplicateId, DynHooks, DynResolve,
    Emitted, EncodeError, Error, ErrorKind, Expiry, ExpiryError, Extensions, Group, Handler,
    HandlerEnd, Histogram, HistogramSnapshot, HookKind, HookOutput, HookResult, Hooks,
    HooksBuilder, Hub, HubBuilder, HubSnapshot, HubTraffic, Incoming, Interval, IntoMessage,
    IntoResolution, InvalidCloseCode, InvalidHeader, InvalidPattern, InvalidPeerId, Json,
    LabelError, Level, Limit, Limits, MaybeSend, MaybeSync, Message, NamespaceSnapshot,
    NotAttached, Observer, OnCloseError, OnError, Origin, Overflow, Params, Pass, PathNotUtf8,
    Peer, PeerContext, PeerId, PeerSnapshot, PeerState, PeerStats, PersistError, PublishError,
    Published, Redacted, Refused, RejectReason, Rejected, Rejection, Report, Resolution, Resolve,
    ResolveWith, Responded, RetainError, Route, RouteSettings, RouteSnapshot, Scope, SendError,
    SendOptions, Sent, Settings, SettingsError, SharedHooks, SharedResolver, Shutdown, Sleep,
    Stats, SubscribeError, Subscription, Swap, TimerError, To, TopicOverflow, TopicPattern,
    TopicSnapshot, Topics, Trace, Traffic, Unsupported, Upgrade, UpgradeRequest, Utf8Bytes,
    WeakPeer, Wrap, Wrapped, handler, hooks, http, keep_open, keep_open_then, normal_path, ok,
    pass, resolve_with, wrap, yield_now,
};

#[cfg(any(feature = "http", feature = "memory", feature = "sse-transport"))]
#[doc(inline)]
pub use crossws_core::{Body, Sockets, SocketsOr, Through};

/// The names that most hooks use, for one `use crossws::prelude::*`. The crate itself is not made
/// for glob imports: its modules have the names of runtimes.
pub mod prelude {
    #[doc(no_inline)]
    pub use crossws_app::{IncomingExt, PeerExt, RequestExt, Router, route};
    #[doc(no_inline)]
    pub use crossws_core::{
        CloseCode, Closed, HookResult, Hooks, Hub, Json, Message, Peer, Rejection, Upgrade,
        UpgradeRequest, handler, hooks, keep_open,
    };
}

#[cfg(all(
    target_family = "wasm",
    any(
        feature = "tokio",
        feature = "axum",
        feature = "smol",
        feature = "async-std"
    )
))]
compile_error!(
    "crossws: the features `tokio`, `axum`, `smol` and `async-std` are for servers with sockets of their \
     own, which WebAssembly has not; for Cloudflare Workers use the feature `worker`"
);

#[cfg(feature = "memory")]
#[doc(inline)]
pub use crossws_memory as memory;

#[cfg(feature = "client")]
#[doc(inline)]
pub use crossws_client as client;

#[cfg(feature = "proxy")]
#[doc(inline)]
pub use crossws_proxy as proxy;

#[cfg(feature = "metrics")]
#[doc(inline)]
pub use crossws_metrics as metrics;

#[cfg(feature = "sse")]
#[doc(inline)]
pub use crossws_sse as sse;

#[cfg(all(feature = "tokio", not(target_family = "wasm")))]
#[doc(inline)]
pub use crossws_tokio as tokio;

#[cfg(all(feature = "axum", not(target_family = "wasm")))]
#[doc(inline)]
pub use crossws_axum as axum;

#[cfg(feature = "worker")]
#[doc(inline)]
pub use crossws_worker as worker;

#[cfg(all(feature = "smol", not(target_family = "wasm")))]
#[doc(inline)]
pub use crossws_smol as smol;

#[cfg(all(feature = "async-std", not(target_family = "wasm")))]
#[doc(inline)]
pub use crossws_async_std as async_std;

/// Returns the routes that `crossws_codegen::routes(..).write()` has generated in the package's
/// `build.rs`, as a [`Router`].
///
/// ```ignore
/// crossws::tokio::serve("127.0.0.1:3000", crossws::routes!()).await
/// ```
///
/// It contains the modules of the route files, so use it once in a program.
#[macro_export]
macro_rules! routes {
    () => {{
        mod routes {
            include!(concat!(env!("OUT_DIR"), "/crossws_routes.rs"));
        }
        routes::router()
    }};
}

/// The routes that `crossws_codegen::sockets(..).write()` has generated in the package's `build.rs`
/// from functions that its modules export, as a [`Router`].
///
/// ```ignore
/// crossws::tokio::serve("127.0.0.1:3000", crossws::sockets!()).await
/// ```
#[macro_export]
macro_rules! sockets {
    () => {{
        mod sockets {
            include!(concat!(env!("OUT_DIR"), "/crossws_sockets.rs"));
        }
        sockets::router()
    }};
}

/// The snippets of the guide are tests.
#[cfg(doctest)]
#[doc = include_str!("../docs/routes.md")]
mod guide_to_routes {}
