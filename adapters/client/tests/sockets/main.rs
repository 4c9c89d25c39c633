//! The client over sockets: against this project's server on each runtime, and against servers that
//! break the rules.

#![allow(clippy::unwrap_used, clippy::panic)]

mod hostile;
mod own_server;
mod script;
mod tunnel;
