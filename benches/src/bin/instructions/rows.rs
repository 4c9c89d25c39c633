//! The rows that are counted.

use std::io;

use crossws_bench::app;

use crate::clients::{self, Engine};
use crate::servers::{
    chat, connect, echo, echo_json, publish, publish_events, publish_to, routed, server, watched,
};
use crate::upstreams::proxy;

/// A row of `instructions.json`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
    /// One connection, 64 messages of 64 bytes per turn, all of which come back.
    Echo,
    /// The same with one message per turn.
    EchoOne,
    /// One message of 16 KiB per turn.
    EchoLarge,
    /// A message to 100 subscribers.
    Publish,
    /// The same, while there are 10,000 patterns that begin with the topic's name and do not match it.
    PublishPatterns,
    /// A message to 1,000 subscribers of one topic.
    PublishMany,
    /// The same to 1,000 subscribers over event streams: at most 1.1 times the instructions.
    PublishEvents,
    /// A message to 1,000 subscribers of two topics, half of whom are in both, without 100 of a
    /// third.
    PublishToEach,
    /// A room of 32, in which each member sends 20 messages per turn.
    Chat,
    /// The same on a hub that is watched: counters, an observer of connections, and a log at a level
    /// that the subscriber does not want. What is watched costs some 30 instructions per message that
    /// arrives, and none per recipient: here, where a delivery costs less than anywhere else, at most
    /// 1.02 times as many.
    ChatWatched,
    /// The same with an observer of each message, which is called twice for it: some 290 instructions
    /// in total, at most 1.15 times as many. The way of what is reported is out of that of what is only
    /// counted.
    ChatObserved,
    /// A room of 32, in which each member sends one message per turn.
    Turns,
    /// A connection from its request to its end.
    Connect,
    /// The same through a router with 1,000 routes that have a parameter.
    ConnectRouted,
    /// As `EchoOne`, with JSON that the hook reads and writes with `serde_json`.
    EchoJson,
    /// The same with a typed hook: at most 1.1 times the instructions.
    EchoTyped,
    /// 64 messages of 64 bytes per turn from a client through a proxy to its upstream, then as many back.
    /// Each goes in at one side and out at the other, as an echo goes in and out: at most 2.2 times the
    /// instructions.
    Proxy,
    /// The same with one message each way per turn.
    ProxyOne,
    /// As `Echo`, in a client: 64 messages per turn, all of which it sends back. Our client takes at most
    /// 1.1 times the instructions of our server.
    ClientEcho(Engine),
    /// As `EchoOne`, in a client.
    ClientEchoOne(Engine),
    /// As `EchoLarge`, in a client.
    ClientEchoLarge(Engine),
}

impl Row {
    pub(crate) const ALL: [Self; 30] = [
        Self::Echo,
        Self::EchoOne,
        Self::EchoLarge,
        Self::Publish,
        Self::PublishPatterns,
        Self::PublishMany,
        Self::PublishEvents,
        Self::PublishToEach,
        Self::Chat,
        Self::ChatWatched,
        Self::ChatObserved,
        Self::Turns,
        Self::Connect,
        Self::ConnectRouted,
        Self::EchoJson,
        Self::EchoTyped,
        Self::Proxy,
        Self::ProxyOne,
        Self::ClientEcho(Engine::Ours),
        Self::ClientEcho(Engine::Next),
        Self::ClientEcho(Engine::Tungstenite),
        Self::ClientEcho(Engine::Fastwebsockets),
        Self::ClientEchoOne(Engine::Ours),
        Self::ClientEchoOne(Engine::Next),
        Self::ClientEchoOne(Engine::Tungstenite),
        Self::ClientEchoOne(Engine::Fastwebsockets),
        Self::ClientEchoLarge(Engine::Ours),
        Self::ClientEchoLarge(Engine::Next),
        Self::ClientEchoLarge(Engine::Tungstenite),
        Self::ClientEchoLarge(Engine::Fastwebsockets),
    ];

    pub(crate) fn name(self) -> String {
        let name = match self {
            Self::Echo => "echo-64",
            Self::EchoOne => "echo-1",
            Self::EchoLarge => "echo-16k",
            Self::Publish => "publish-64",
            Self::PublishPatterns => "publish-patterns",
            Self::PublishMany => "publish-1k",
            Self::PublishEvents => "publish-events-1k",
            Self::PublishToEach => "publish-each-1k",
            Self::Chat => "chat",
            Self::ChatWatched => "chat-watched",
            Self::ChatObserved => "chat-observed",
            Self::Turns => "turns",
            Self::Connect => "connect",
            Self::ConnectRouted => "connect-routed",
            Self::EchoJson => "echo-json",
            Self::EchoTyped => "echo-typed",
            Self::Proxy => "proxy-64",
            Self::ProxyOne => "proxy-1",
            Self::ClientEcho(engine) => return format!("client-echo-64{}", engine.suffix()),
            Self::ClientEchoOne(engine) => return format!("client-echo-1{}", engine.suffix()),
            Self::ClientEchoLarge(engine) => return format!("client-echo-16k{}", engine.suffix()),
        };
        name.to_owned()
    }

    /// Returns whether the row has a figure. Clients of other projects are only compared with.
    pub(crate) fn has_figure(self) -> bool {
        let engine = match self {
            Self::ClientEcho(engine)
            | Self::ClientEchoOne(engine)
            | Self::ClientEchoLarge(engine) => engine,
            _ => return true,
        };
        matches!(engine, Engine::Ours | Engine::Next)
    }

    /// Returns the messages delivered, or connections served, per turn.
    pub(crate) fn messages(self) -> u64 {
        match self {
            Self::Echo | Self::ClientEcho(_) => 64,
            Self::Proxy => 2 * 64,
            Self::ProxyOne => 2,
            Self::EchoJson
            | Self::EchoTyped
            | Self::EchoOne
            | Self::EchoLarge
            | Self::ClientEchoOne(_)
            | Self::ClientEchoLarge(_)
            | Self::Connect
            | Self::ConnectRouted => 1,
            Self::Publish | Self::PublishPatterns => 100,
            Self::PublishMany | Self::PublishEvents | Self::PublishToEach => 1000,
            Self::Chat | Self::ChatWatched | Self::ChatObserved => 32 * 31 * 20,
            Self::Turns => 32 * 31,
        }
    }

    /// Returns the row that this one is compared with, and how many times its instructions this one
    /// may take.
    pub(crate) fn bound(self) -> Option<(Self, f64)> {
        match self {
            Self::EchoTyped => Some((Self::EchoJson, 1.1)),
            Self::ChatWatched => Some((Self::Chat, 1.02)),
            Self::ChatObserved => Some((Self::Chat, 1.15)),
            Self::PublishPatterns => Some((Self::Publish, 1.05)),
            // Each event is numbered for its own stream, and the server of a stream asks for its bytes,
            // where a connection writes what all share.
            Self::PublishEvents => Some((Self::PublishMany, 1.1)),
            Self::PublishToEach => Some((Self::PublishMany, 1.3)),
            Self::Proxy => Some((Self::Echo, 2.2)),
            Self::ProxyOne => Some((Self::EchoOne, 2.2)),
            Self::ClientEcho(Engine::Ours) => Some((Self::Echo, 1.1)),
            Self::ClientEchoOne(Engine::Ours) => Some((Self::EchoOne, 1.1)),
            Self::ClientEchoLarge(Engine::Ours) => Some((Self::EchoLarge, 1.1)),
            _ => None,
        }
    }

    /// Returns the number of turns after which nothing is new any more, and the number at which the
    /// count ends.
    pub(crate) fn turns(self) -> (u32, u32) {
        match self {
            Self::Echo
            | Self::Publish
            | Self::PublishPatterns
            | Self::Proxy
            | Self::ClientEcho(_) => (20, 120),
            Self::PublishMany | Self::PublishEvents | Self::PublishToEach => (5, 25),
            Self::Connect | Self::ConnectRouted => (50, 250),
            Self::EchoOne
            | Self::EchoLarge
            | Self::EchoJson
            | Self::EchoTyped
            | Self::ProxyOne
            | Self::ClientEchoOne(_)
            | Self::ClientEchoLarge(_) => (100, 1100),
            Self::Chat | Self::ChatWatched | Self::ChatObserved => (5, 15),
            Self::Turns => (10, 60),
        }
    }

    /// Runs `turns` turns. Fails if a message is not delivered.
    pub(crate) fn run(self, turns: u32) -> io::Result<()> {
        match self {
            Self::Echo => echo(turns, 64, 64),
            Self::EchoOne => echo(turns, 1, 64),
            Self::EchoLarge => echo(turns, 1, 16 << 10),
            Self::Publish => publish(turns, 100, 0),
            Self::PublishPatterns => publish(turns, 100, 10_000),
            Self::PublishMany => publish_to(turns, "all"),
            Self::PublishEvents => publish_events(turns),
            Self::PublishToEach => publish_to(turns, "each"),
            Self::Chat => chat(turns, server(), 32, 20),
            Self::ChatWatched => chat(turns, watched(false), 32, 20),
            Self::ChatObserved => chat(turns, watched(true), 32, 20),
            Self::Turns => chat(turns, server(), 32, 1),
            Self::EchoJson => echo_json(turns, app::json_echo()),
            Self::EchoTyped => echo_json(turns, app::typed_echo()),
            Self::Proxy => proxy(turns, 64),
            Self::ProxyOne => proxy(turns, 1),
            Self::ClientEcho(engine) => clients::echo(engine, turns, 64, 64),
            Self::ClientEchoOne(engine) => clients::echo(engine, turns, 1, 64),
            Self::ClientEchoLarge(engine) => clients::echo(engine, turns, 1, 16 << 10),
            Self::Connect => connect(turns, server(), "/echo"),
            Self::ConnectRouted => connect(turns, routed(1_000), "/api/r777/7/echo"),
        }
    }
}
