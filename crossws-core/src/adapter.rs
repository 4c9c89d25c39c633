//! What a server, a transport or a framework is made of. Applications need none of it.
//!
//! A connection goes from [`Hub::claim`](crate::Hub::claim) through [`Claim`], [`Accepted`] and
//! [`OpeningPeer`] to its [`Session`], or, where it was upgraded elsewhere or has slept, from a
//! [`Snapshot`] through [`RestoredPeer`]. An adapter implements [`Transport`] for its outbound half, tells
//! the peer through its [`PeerEvents`] what happens while a hook runs, and asks [`Liveness`] what is
//! due.

pub use crate::api::HttpService;
#[cfg(feature = "http")]
pub use crate::body::http_service;
pub use crate::claim::{Accepted, Claim};
pub use crate::codec::excerpt;
pub use crate::control_rate::ControlRate;
pub use crate::cursor::{Allowance, Backlog, Cursor, LogSlice, QueueSize, Sequence};
pub use crate::flusher::{Asleep, Flusher};
pub use crate::hub::ClaimError;
pub use crate::liveness::{Liveness, LivenessEvent};
pub use crate::notice::Notice;
pub use crate::publication::Publication;
pub use crate::restored_peer::RestoredPeer;
pub use crate::session::{OpeningPeer, PeerEvents, Session};
pub use crate::setters::HubChoice;
pub use crate::shutdown::Closing;
pub use crate::snapshot::{RestoreError, Snapshot, SnapshotPart};
#[cfg(feature = "http")]
pub use crate::sockets::OriginalTarget;
pub use crate::start::Start;
pub use crate::take::{FromConnection, Taken};
pub use crate::transport::{Receipt, Settled, Transport};
pub use crate::unfinished::{Overloaded, Unfinished};
pub use crate::upgrade_door::UpgradeDoor;
pub use crate::wire::{Encoding, Wire};
