//! What the fuzz targets try: each a function of bytes that panics when a promise is broken.

mod answer;
mod codec;
mod connection;
mod negotiation;
mod request;
mod routes;

pub use answer::answer;
pub use codec::{close, deflate, frames, utf8};
pub use connection::connection;
pub use negotiation::negotiation;
pub use request::request;
pub use routes::routes;
