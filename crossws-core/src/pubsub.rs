//! Topics, their subscribers, and their publications.

pub(crate) mod cursor;
pub(crate) mod filter;
pub(crate) mod log;
pub(crate) mod pattern;
pub(crate) mod publication;
pub(crate) mod published;
pub(crate) mod queue_size;
pub(crate) mod recipients;
pub(crate) mod registry;
pub(crate) mod retained;
pub(crate) mod to;
pub(crate) mod topic;
pub(crate) mod topic_kind;
pub(crate) mod topics;
