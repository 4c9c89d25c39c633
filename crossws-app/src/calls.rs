//! Events by name, and calls with answers, in both directions: [`calls`].

mod batch;
mod call;
pub(crate) mod connection;
mod dispatch;
mod error;
mod event_message;
mod handler;
mod pending;
mod running;
pub(crate) mod wire;
mod wrapper;

pub use call::{Call, PeerCalls};
pub use error::{CallError, Failure};
pub use event_message::{EventMessage, event};
#[cfg(feature = "schema")]
pub use handler::DescribedMethod;
pub use handler::{Event, EventHandler, MethodHandler};
#[doc(hidden)]
pub use pending::PendingCalls;
pub use wire::{CallMessage, WireForm};
pub use wrapper::{Calls, calls};
