//! What happens on a hub, for monitoring: observers, counters, events and spans.

mod closes;
mod counters;
mod histogram;
mod observer;
mod per_thread;
mod telling;
mod trace;
mod view;
pub(crate) mod watch;
mod watched;

pub(crate) use self::closes::CloseCounters;
pub use self::closes::{CloseCount, Closes};
pub use self::counters::{Counters, CountersSnapshot, HubTraffic};
pub use self::histogram::{Histogram, HistogramSnapshot};
pub use self::observer::{Audience, Disconnected, Emitted, Observer, Rejected, Responded};
pub use self::trace::Trace;
pub use self::view::{HubSnapshot, NamespaceSnapshot, PeerSnapshot, RouteSnapshot, TopicSnapshot};
pub(crate) use self::watch::Watch;
pub use crate::hub::stats::refused::RejectReason;
