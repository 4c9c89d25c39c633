//! **crossws** on Cloudflare Workers: the same hooks in a hibernating Durable Object, or in a
//! plain Worker. `docs/workers.md` is the guide.
//!
//! ```no_run
//! use crossws_core::{HookResult, Hooks, Message, Peer};
//! use crossws_worker::{Objects, Upgraded};
//! use worker::{Context, Env, Request, Response, Result, event};
//!
//! #[derive(Default)]
//! struct Chat;
//!
//! impl Hooks for Chat {
//!     async fn open(&self, peer: &Peer) -> HookResult {
//!         peer.subscribe("talk")?;
//!         Ok(())
//!     }
//!
//!     async fn message(&self, peer: &Peer, message: Message) -> HookResult {
//!         peer.publish("talk", message)?;
//!         Ok(())
//!     }
//! }
//!
//! crossws_worker::durable_object! { pub struct ChatRoom => Chat = |_env| Chat; }
//!
//! # /*
//! #[event(fetch)]
//! # */
//! async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
//!     match Objects::new(&env, "ROOM")?.upgrade(request, Chat).await? {
//!         Upgraded::Answered(response) => Ok(response),
//!         Upgraded::NotHandled(_) => Response::error("not a WebSocket", 426),
//!     }
//! }
//! ```

mod alarm;
mod api;
mod attachment;
mod command;
mod console;
mod deadline;
mod driver;
mod durable;
mod durable_object;
mod error;
mod internal;
mod link;
mod objects;
mod options;
mod plain;
mod request;
mod response;
mod room;
mod shard;
mod socket;
mod sync;
mod ticket;
mod timer;
mod transport;
mod watch;

pub use attachment::BUDGET;
pub use console::log_to_console;
pub use durable::Durable;
pub use error::Error;
pub use objects::{Objects, Upgraded};
pub use options::Options;
pub use plain::Plain;
pub use room::{PeerInfo, Room, RoomRoute, ToRoom};
pub use shard::{NameByNamespace, NameByRequest, Shard};
pub use transport::{DURABLE_CAPABILITIES, PLAIN_CAPABILITIES};

// What the macro's expansion names.
#[doc(hidden)]
pub use worker;
