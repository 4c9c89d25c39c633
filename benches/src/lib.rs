//! What the programs of the benchmark share: frames and the handshake, written for these programs
//! and no other, and the application that our own servers run.

pub mod app;
pub mod wire;
