//! The functions of the fuzz targets: each takes bytes and panics when a promise is broken.

mod answer;
mod calls;
mod codec;
mod connection;
mod messages;
mod negotiation;
mod pair;
mod request;
mod routes;

pub use answer::answer;
pub use calls::messages_to_calls;
pub use codec::{close, deflate, frames, utf8};
pub use connection::connection;
pub use messages::messages;
pub use negotiation::negotiation;
pub use pair::pair;
pub use request::request;
pub use routes::routes;
