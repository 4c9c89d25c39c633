//! Who may connect: credentials in requests, and the layers that check them.

pub(crate) mod authenticate;
pub(crate) mod basic;
pub(crate) mod challenge;
pub(crate) mod identity;
pub(crate) mod token;
