// Its code is tested in tests/docs, which adds what the snippets leave out.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]
#![cfg_attr(docsrs, feature(doc_cfg))]

// By name: what only authors of adapters and frameworks need is in `crossws_core::adapter`.
#[doc(inline)]
pub use crossws_core::{
    After, BoxError, BoxFuture, Bytes, Capabilities, CloseCode, CloseFrame, Closed, ClosedBy,
    Context, ContextError, ControlError, DRAIN_MARK, DecodeError, Deflate, DropCause, Dropped,
    DuplicateId, DynHooks, DynResolve, EncodeError, Error, ErrorKind, Expiry, Extensions, Handler,
    Hook, HookOutput, HookResult, Hooks, HooksBuilder, Hub, HubBuilder, Incoming, IntoMessage,
    IntoResolution, InvalidCloseCode, InvalidHeader, InvalidPeerId, Json, Limit, Limits, MaybeSend,
    MaybeSync, Message, NotAttached, OnError, Origin, Overflow, Params, Peer, PeerId, PersistError,
    PublishError, Published, Rejection, RenewError, Report, Resolution, Resolve, ResolveWith,
    Route, RouteSettings, Scope, SendError, SendOptions, Sent, Settings, SharedHooks, Shutdown,
    State, Stats, SubscribeError, Subscription, Swap, To, Topics, Unsupported, Upgrade,
    UpgradeRequest, Utf8Bytes, WeakPeer, Wrap, Wrapped, handler, hooks, http, ok, resolve_with,
    wrap, yield_now,
};

/// What most hooks name, for one `use crossws::prelude::*`. The crate itself is not for glob
/// imports: its modules carry the names of runtimes.
pub mod prelude {
    #[doc(no_inline)]
    pub use crossws_core::{
        CloseCode, Closed, HookResult, Hooks, Hub, Json, Message, Peer, Rejection, Upgrade,
        UpgradeRequest, handler, hooks,
    };
}

#[cfg(feature = "memory")]
#[doc(inline)]
pub use crossws_memory as memory;

#[cfg(feature = "tokio")]
#[doc(inline)]
pub use crossws_tokio as tokio;

#[cfg(feature = "worker")]
#[doc(inline)]
pub use crossws_worker as worker;

#[cfg(feature = "smol")]
#[doc(inline)]
pub use crossws_smol as smol;

#[cfg(feature = "async-std")]
#[doc(inline)]
pub use crossws_async_std as async_std;
