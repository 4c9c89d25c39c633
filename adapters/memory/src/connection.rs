//! One connection: both ends of its socket, and what runs the hooks of the server's.

pub(crate) mod hook;
pub(crate) mod link;
pub(crate) mod pump;
pub(crate) mod socket;
pub(crate) mod task_handle;
pub(crate) mod transport;
