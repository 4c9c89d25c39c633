//! Connections over sockets: names, addresses, TLS, the handshake, and frames.

mod dial;
mod head;
mod proxy;

pub(crate) use dial::open;
pub use head::MAX_HEAD;
pub use proxy::{HttpProxy, ProxyError};

/// Returns the error for a system without a random source.
fn no_random(error: getrandom::Error) -> std::io::Error {
    std::io::Error::other(error.to_string())
}
