//! The parts that the benchmark's programs share: frames and the handshake, written only for these
//! programs, and the application that crossws's own servers run.

pub mod app;
pub mod wire;
