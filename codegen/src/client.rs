//! Clients and documents from the description of a router.

mod asyncapi;
mod generated;
mod module;
mod names;
mod runtime;
mod text;
mod types;

pub use asyncapi::{AsyncApi, asyncapi};
pub use generated::{CheckError, Generated};
pub use module::{javascript, typescript};
