//! Why a server closes a connection by itself: each close code with its text. What adapters without this
//! crate need too is core's, in `message/close.rs`.

use crossws_core::{CloseCode, CloseFrame};

use crate::frame::Violation;

/// The connection reached [`max_lifetime`](field@crossws_core::Limits::max_lifetime): 1012.
pub fn expired() -> CloseFrame {
    CloseFrame::new(CloseCode::RESTART, "connection expired")
}

/// The client sent nothing for too long, although it was pinged: 3008.
pub fn silent() -> CloseFrame {
    CloseFrame::new(CloseCode::TIMEOUT, "silent for too long")
}

/// A message did not arrive within
/// [`message_timeout`](field@crossws_core::Limits::message_timeout): 3008.
pub fn message_too_slow() -> CloseFrame {
    CloseFrame::new(CloseCode::TIMEOUT, "message took too long")
}

/// More control frames in a second than
/// [`max_control_rate`](field@crossws_core::Limits::max_control_rate): 1008.
pub fn too_many_control_frames() -> Violation {
    Violation::new(CloseCode::POLICY, "too many control frames")
}
