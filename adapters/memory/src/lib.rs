//! Tests of WebSocket apps without sockets, in virtual time: **crossws**' reference adapter.
//!
//! A [`TestServer`] runs the same hooks as a real server, through the same upgrade path, with the
//! same limits. A [`Client`] connects to it, exchanges messages, and observes everything that a
//! socket would show: refusals, response headers, control frames, close codes. Time moves only when
//! the test moves it.
//!
//! ```
//! use std::time::Duration;
//! use crossws_core::{CloseCode, hooks};
//! use crossws_memory::{Frame, TestServer};
//!
//! # futures_lite::future::block_on(async {
//! let server = TestServer::new(
//!     hooks()
//!         .on_open(|peer| async move { peer.send("welcome") })
//!         .on_message(|peer, message| async move { peer.send(message) }),
//! );
//!
//! let mut client = server.connect("/rooms/1").header("x-user", "ada").await?;
//! client.send("hello")?;
//! assert_eq!(client.next().await.unwrap().text()?, "welcome");
//! assert_eq!(client.next().await.unwrap().text()?, "hello");
//!
//! // Half a minute later the heartbeat has sent a ping, and the client has replied.
//! server.advance(Duration::from_secs(30)).await;
//! assert!(matches!(client.next_frame().await, Some(Frame::Ping(_))));
//!
//! server.hub().in_all_namespaces().close_all(CloseCode::AWAY);
//! assert_eq!(client.closed().await.code, 1001);
//! # Ok::<_, Box<dyn std::error::Error>>(()) }).unwrap();
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

mod client;
mod connection;
mod server;
mod time;

pub use client::calls::{Asked, CallClient};
pub use client::connect::Connect;
pub use client::frame::Frame;
pub use client::hear::NotHeard;
pub use client::refusal::ConnectError;
pub use client::room::Room;
pub use client::typed::TypedClient;
pub use client::{Client, CloseEvent, Elapsed};
pub use connection::transport::CAPABILITIES;
/// The rule or limit that a client broke: the source of the `error` hook's error.
pub use crossws_proto::frame::Violation;
pub use server::TestServer;
pub use server::builder::TestServerBuilder;
pub use time::seeds::seeds;
