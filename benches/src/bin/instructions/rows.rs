//! The rows that are counted.

use std::io;

use crossws::sse::EventSockets;
use crossws::{
    HookResult, Hooks, Hub, Level, Message, Observer, Peer, Rejection, Resolve, Router,
    SharedResolver, Upgrade, UpgradeRequest,
};
use crossws_bench::{app, wire};

use crate::memory::{Client, Server};
use crate::upstreams::proxy;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const HELLO: &str = "a text of 64 bytes, which a server sends to somebody or to others";

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
    /// that the subscriber does not want. What is watched costs some 80 instructions per message that
    /// arrives, and none per recipient: here, where a delivery costs less than anywhere else, at most
    /// 1.05 times as many. 1.02, which is wanted, would be 40 instructions.
    ChatWatched,
    /// The same with an observer of each message, which is called twice for it: some 210 instructions
    /// in total, at most 1.12 times as many.
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
}

impl Row {
    pub(crate) const ALL: [Self; 18] = [
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
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
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
        }
    }

    /// Returns the messages delivered, or connections served, per turn.
    pub(crate) fn messages(self) -> u64 {
        match self {
            Self::Echo => 64,
            Self::Proxy => 2 * 64,
            Self::ProxyOne => 2,
            Self::EchoJson
            | Self::EchoTyped
            | Self::EchoOne
            | Self::EchoLarge
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
            Self::ChatWatched => Some((Self::Chat, 1.05)),
            Self::ChatObserved => Some((Self::Chat, 1.12)),
            Self::PublishPatterns => Some((Self::Publish, 1.05)),
            // 1.1 is wanted. Each event is numbered for its own stream, and the server of a stream asks
            // for its bytes, where a connection writes what all share.
            Self::PublishEvents => Some((Self::PublishMany, 1.55)),
            Self::PublishToEach => Some((Self::PublishMany, 1.3)),
            Self::Proxy => Some((Self::Echo, 2.2)),
            Self::ProxyOne => Some((Self::EchoOne, 2.2)),
            _ => None,
        }
    }

    /// Returns the number of turns after which nothing is new any more, and the number at which the
    /// count ends.
    pub(crate) fn turns(self) -> (u32, u32) {
        match self {
            Self::Echo | Self::Publish | Self::PublishPatterns | Self::Proxy => (20, 120),
            Self::PublishMany | Self::PublishEvents | Self::PublishToEach => (5, 25),
            Self::Connect | Self::ConnectRouted => (50, 250),
            Self::EchoOne | Self::EchoLarge | Self::EchoJson | Self::EchoTyped | Self::ProxyOne => {
                (100, 1100)
            }
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
            Self::Connect => connect(turns, server(), "/echo"),
            Self::ConnectRouted => connect(turns, routed(1_000), "/api/r777/7/echo"),
        }
    }
}

fn server() -> Server<impl Resolve> {
    Server::new(app::hooks(), app::hub())
}

/// Opens `count` connections, and reads their greetings if there are any.
fn join<R: Resolve>(server: &mut Server<R>, count: usize, path: &str) -> io::Result<Vec<Client>> {
    let clients: Vec<_> = (0..count).map(|_| server.accept()).collect();
    for client in &clients {
        client.send(wire::request(path, "localhost").as_bytes());
    }
    server.settle();
    for client in &clients {
        if client.written() < 100 {
            return Err(io::Error::other("no answer to an upgrade"));
        }
    }
    Ok(clients)
}

pub(crate) fn payload(size: usize) -> Vec<u8> {
    HELLO.bytes().cycle().take(size).collect()
}

/// Encodes a client's frames. Returns them with the length of the resulting bytes at the other end.
pub(crate) fn burst(count: usize, size: usize) -> (Vec<u8>, u64) {
    let payload = payload(size);
    let mut sent = Vec::new();
    let mut back = Vec::new();
    for _ in 0..count {
        wire::put_frame(&mut sent, wire::TEXT, &payload, Some(MASK));
        wire::put_frame(&mut back, wire::TEXT, &payload, None);
    }
    (sent, back.len() as u64)
}

pub(crate) fn expect(client: &Client, bytes: u64) -> io::Result<()> {
    match client.written() {
        written if written == bytes => Ok(()),
        written => Err(io::Error::other(format!(
            "{written} bytes instead of {bytes}"
        ))),
    }
}

fn echo(turns: u32, depth: usize, size: usize) -> io::Result<()> {
    let mut server = server();
    let clients = join(&mut server, 1, "/echo")?;
    let (burst, back) = burst(depth, size);
    for _ in 0..turns {
        for client in &clients {
            client.send(&burst);
        }
        server.settle();
        for client in &clients {
            expect(client, back)?;
        }
    }
    Ok(())
}

fn echo_json(turns: u32, hooks: impl Hooks) -> io::Result<()> {
    const SAID: &str =
        r#"{"user":"ann","kind":{"place":{"at":[52.5,13.25]}},"text":"meet me there","count":7}"#;
    // Uses the same type as `routed`, so that the pump is not compiled once more for it.
    let mut server = Server::new(Router::new().route("/", hooks), app::hub());
    let clients = join(&mut server, 1, "/")?;
    let (mut sent, mut back) = (Vec::new(), Vec::new());
    wire::put_frame(&mut sent, wire::TEXT, SAID.as_bytes(), Some(MASK));
    wire::put_frame(&mut back, wire::TEXT, SAID.as_bytes(), None);
    for _ in 0..turns {
        clients[0].send(&sent);
        server.settle();
        expect(&clients[0], back.len() as u64)?;
    }
    Ok(())
}

fn publish(turns: u32, subscribers: usize, patterns: usize) -> io::Result<()> {
    let limits = app::hub().limits().clone().max_patterns(patterns);
    let hub = Hub::builder().limits(limits).build();
    let mut server = Server::new(app::hooks(), hub.clone());
    let clients = join(&mut server, subscribers + 1, "/chat")?;
    if let Some(peer) = hub.peers().first() {
        for number in 0..patterns {
            let pattern = format!("room/{number:05}/*");
            peer.subscribe_pattern(pattern).map_err(io::Error::other)?;
        }
    }
    let (burst, back) = burst(1, 64);
    for _ in 0..turns {
        clients[0].send(&burst);
        server.settle();
        expect(&clients[0], 0)?;
        for client in &clients[1..] {
            expect(client, back)?;
        }
    }
    Ok(())
}

/// `/TOPIC/TOPIC/…`: subscribed to these topics of one namespace. Messages of the peer of `/all` go
/// to one topic. Messages of the peer of `/each` go to two, without a third.
struct Rooms;

impl Hooks for Rooms {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let topics = request.path().split('/').filter(|topic| !topic.is_empty());
        let upgrade = Upgrade::new().namespace("rooms");
        Ok(topics.fold(upgrade, Upgrade::topic))
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        if peer.request().path() == "/all" {
            peer.publish("all", message)?;
        } else {
            peer.to(["red", "blue"]).except("muted").send(message)?;
        }
        Ok(())
    }
}

fn publish_to(turns: u32, publisher: &str) -> io::Result<()> {
    let mut server = Server::new(Rooms, app::hub());
    let publishers = join(&mut server, 1, &format!("/{publisher}"))?;
    let mut clients = Vec::new();
    for (count, path) in [
        (250, "/all/red"),
        (500, "/all/red/blue"),
        (250, "/all/blue"),
    ] {
        clients.extend(join(&mut server, count, path)?);
    }
    let muted = join(&mut server, 100, "/red/muted")?;
    let (burst, back) = burst(1, 64);
    for _ in 0..turns {
        publishers[0].send(&burst);
        server.settle();
        for client in &clients {
            expect(client, back)?;
        }
    }
    for client in &muted {
        expect(client, 0)?;
    }
    Ok(())
}

fn publish_events(turns: u32) -> io::Result<()> {
    let (hub, app) = (app::hub(), SharedResolver::new(Rooms));
    let sockets = EventSockets::new(app.clone(), &hub);
    let mut server = Server::new(app, hub);
    let publishers = join(&mut server, 1, "/all")?;
    let clients: Vec<_> = (0..1000)
        .map(|_| server.stream(&sockets, "/all/red"))
        .collect();
    server.settle();
    let (burst, _) = burst(1, 64);
    for turn in 0..=turns {
        for client in &clients {
            // The message, its fields, and an id that grows.
            match client.written() {
                65..256 => {}
                written => return Err(io::Error::other(format!("an event of {written} bytes"))),
            }
        }
        if turn < turns {
            publishers[0].send(&burst);
            server.settle();
        }
    }
    Ok(())
}

/// Counts, tells an observer, and logs connections; messages would be logged at a level that is not.
/// `messages` says whether the observer hears of each message.
fn watched(messages: bool) -> Server<impl Resolve> {
    struct Silent {
        messages: bool,
    }
    impl Observer for Silent {
        fn wants_messages(&self) -> bool {
            self.messages
        }
    }
    tracing_subscriber::fmt()
        .with_max_level(Level::DEBUG)
        .with_writer(io::sink)
        .init();
    let hub = app::hub_builder()
        .observer(Silent { messages })
        .trace(Level::TRACE);
    Server::new(app::hooks(), hub.build())
}

fn chat<R: Resolve>(
    turns: u32,
    mut server: Server<R>,
    members: usize,
    each: usize,
) -> io::Result<()> {
    let clients = join(&mut server, members, "/chat")?;
    let (burst, back) = burst(each, 32);
    for _ in 0..turns {
        for client in &clients {
            client.send(&burst);
        }
        server.settle();
        for client in &clients {
            expect(client, back * (members as u64 - 1))?;
        }
    }
    Ok(())
}

/// Creates a server that finds its hooks by the path.
fn routed(routes: usize) -> Server<impl Resolve> {
    let mut router = Router::new();
    for number in 0..routes {
        router = router.route(&format!("/api/r{number}/{{id}}/echo"), app::App::Echo);
    }
    Server::new(router, app::hub())
}

fn connect<R: Resolve>(turns: u32, mut server: Server<R>, path: &str) -> io::Result<()> {
    let mut close = Vec::new();
    wire::put_frame(&mut close, wire::CLOSE, &1000_u16.to_be_bytes(), Some(MASK));
    for _ in 0..turns {
        let clients = join(&mut server, 1, path)?;
        for client in &clients {
            client.send(&close);
            server.settle();
            expect(client, 4)?;
            client.end();
            server.settle();
        }
        if server.open() != 0 {
            return Err(io::Error::other("a connection that does not end"));
        }
    }
    Ok(())
}
