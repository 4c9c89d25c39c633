//! What a server, a transport or a framework is made of. Applications need none of it.
//!
//! A connection goes from [`Hub::claim`](crate::Hub::claim) through [`Claim`], [`Accepted`] and
//! [`Joined`] to its [`Session`], or, where it was upgraded elsewhere or has slept, from a
//! [`Snapshot`] through [`Seat`]. An adapter implements [`Transport`] for its outbound half, tells
//! the peer through its [`Lifeline`] what happens while a hook runs, and asks [`Liveness`] what is
//! due.

pub use crate::claim::{Accepted, Claim};
pub use crate::control_rate::ControlRate;
pub use crate::feed::{Backlog, Clock, Feed, Lag, Range, Room};
pub use crate::flusher::{Asleep, Flusher};
pub use crate::hub::Refused;
pub use crate::liveness::{Due, Liveness};
pub use crate::notice::Notice;
pub use crate::publication::Publication;
pub use crate::seat::Seat;
pub use crate::session::{Joined, Lifeline, Session};
pub use crate::snapshot::{Part, RestoreError, Snapshot};
pub use crate::start::Start;
pub use crate::transport::{Receipt, Settled, Transport};
pub use crate::unfinished::{Overloaded, Unfinished};
pub use crate::wire::{Encoding, Wire};
