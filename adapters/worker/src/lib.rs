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
//!         Upgraded::NotHandled(_) => Response::error("not found", 404),
//!     }
//! }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod background;
mod console;
mod durable;
mod error;
mod http;
mod js;
mod link;
mod objects;
mod options;
mod plain;
mod room;
mod serve;
mod sleep;
mod tasks;

pub use background::background;
pub use console::log_to_console;
pub use durable::Durable;
pub use durable::attachment::BUDGET;
#[cfg(feature = "sse")]
pub use durable::streams::EVENT_CAPABILITIES;
pub use error::Error;
pub use http::body::respond;
pub use link::transport::{DURABLE_CAPABILITIES, PLAIN_CAPABILITIES};
pub use objects::shard::{NameByNamespace, NameByRequest, Shard};
pub use objects::{Objects, Upgraded};
pub use options::Options;
pub use plain::Plain;
pub use room::{PeerInfo, Room, RoomGroup, ToRoom};

// What the macros' expansions name.
#[doc(hidden)]
pub use crossws_core::SharedResolver;
#[doc(hidden)]
pub use worker;
