//! One connection: both ends of its link, and what runs the hooks of the server's.

pub(crate) mod driver;
pub(crate) mod hook;
pub(crate) mod link;
pub(crate) mod pump;
pub(crate) mod transport;
pub(crate) mod wire;
