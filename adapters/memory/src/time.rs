//! Virtual time, and what runs when.

pub(crate) mod chance;
pub(crate) mod clock;
pub(crate) mod executor;
pub(crate) mod seeds;
