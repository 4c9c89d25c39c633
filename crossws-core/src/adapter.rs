//! The parts of a server, a transport or a framework. Applications need none of them.
//!
//! A connection goes from [`Hub::claim`](crate::Hub::claim) through [`Claim`], [`Accepted`] and
//! [`OpeningPeer`] to its [`Session`]. A connection that was upgraded elsewhere or has slept goes
//! there from a [`Snapshot`] through [`RestoredPeer`]. An adapter implements [`Transport`] for its
//! outbound half, with those of [`OutboundQueue`], [`LogReader`] and [`Hibernation`] that it has,
//! reports events during a hook to the peer's [`PeerEvents`], and asks [`Liveness`] which deadlines
//! have passed.

#[doc(hidden)]
pub use crate::bounds::{Callback, Function};
#[doc(hidden)]
pub use crate::hooks::handler::running::Loop;
pub use crate::hooks::notice::Notice;
#[doc(hidden)]
pub use crate::hooks::setters::boxed;
pub use crate::hub::settings::setters::HubChoice;
pub use crate::hub::shutdown::Closing;
pub use crate::hub::start::Start;
pub use crate::message::codec::excerpt;
pub use crate::message::formats::Formats;
pub use crate::peer::events::PeerEvents;
pub use crate::peer::meter::{Meter, MeterCell};
pub use crate::peer::snapshot::persist_error::SnapshotPart;
pub use crate::peer::snapshot::{RestoreError, Snapshot};
pub use crate::pubsub::cursor::{Backlog, Cursor, Left};
pub use crate::pubsub::log::{LogSlice, Sequence};
pub use crate::pubsub::publication::Publication;
pub use crate::pubsub::publication::wire::{Encoding, Wire};
pub use crate::pubsub::queue_size::{Allowance, QueueSize};
pub use crate::pubsub::retained::{RetainedBy, RetainedMessage, RetainedStore};
pub use crate::service::background::{Background, within};
#[cfg(feature = "http")]
pub use crate::service::http_app::{HttpApp, http_service};
pub use crate::service::http_service::HttpService;
#[cfg(feature = "http")]
pub use crate::service::sockets::OriginalTarget;
pub use crate::service::upgrade_door::UpgradeDoor;
pub use crate::session::accepted::Accepted;
pub use crate::session::claim::{Claim, ClaimError};
pub use crate::session::control_rate::ControlRate;
pub use crate::session::liveness::{Liveness, LivenessEvent};
pub use crate::session::restored_peer::RestoredPeer;
pub use crate::session::unfinished::{Overloaded, Unfinished};
pub use crate::session::{OpeningPeer, Session};
pub use crate::transport::{
    ControlFrame, Hibernation, LogReader, OutboundQueue, Receipt, Settled, Transport,
};
pub use crate::upgrade::take::{FromConnection, Taken};
pub use crate::upgrade::token::{is_token, is_word};

/// What the adapters' own state is locked with.
#[doc(hidden)]
pub mod sync {
    pub use crate::sync::{Mutex, MutexGuard, atomic, thread_local};
}
