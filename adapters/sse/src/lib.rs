//! **Server-sent events** from any HTTP handler: [`EventStream`] is a response that the handler pushes
//! [`Event`]s into. It works in axum, in every tower service of a server of this project, in virtual
//! time in `TestServer`, and on Cloudflare Workers. `docs/sse.md` is the guide.
//!
//! The time for keep-alives and [`Events::sleep`], and the shutdown that ends the streams, come from
//! the application's [`Hub`](crossws_core::Hub).

#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod error;
mod events;
#[cfg(feature = "axum")]
mod extract;
mod format;
mod keep_alive;
mod queue;
mod reader;
mod stream;
#[cfg(feature = "transport")]
mod transport;

pub use body::EventBody;
pub use error::{NotServed, PushError};
pub use events::Events;
pub use format::event::Event;
pub use format::invalid::InvalidEvent;
pub use format::parser::{Parser, Received, TooLong};
pub use reader::{ReadError, Reader};
pub use stream::{EventResponse, EventStream, LAST_EVENT_ID};
#[cfg(all(feature = "transport", not(target_arch = "wasm32")))]
pub use transport::service::{EventSockets, NotFound};
#[cfg(feature = "transport")]
pub use transport::{
    body::SocketBody,
    outbound::CAPABILITIES,
    place::Place,
    request::{may_be_asked, respond},
    settings::StreamSettings,
    streams::Streams,
};
