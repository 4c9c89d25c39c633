// Its code is tested in tests/docs, which adds what the snippets leave out.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

#[doc(inline)]
pub use crossws_core::*;

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
