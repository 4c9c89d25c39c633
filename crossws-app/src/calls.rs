//! Events by name, and calls with answers, in both directions: [`calls`].

mod batch;
mod call;
mod error;
mod handler;
pub(crate) mod pending;
mod running;
mod wire;
mod wrapper;

pub use call::{Call, PeerCalls};
pub use error::{CallError, Failure};
pub use handler::{Event, EventHandler, MethodHandler};
pub use wire::WireForm;
pub use wrapper::{Calls, calls};
