#![doc = include_str!("../README.md")]

#[doc(inline)]
pub use crossws_core::*;

#[cfg(feature = "memory")]
#[doc(inline)]
pub use crossws_memory as memory;

#[cfg(feature = "tokio")]
#[doc(inline)]
pub use crossws_tokio as tokio;
