//! What the rows of a server do.

use std::io;

use crossws::sse::EventSockets;
use crossws::{
    HookResult, Hooks, Hub, Level, Message, Observer, Peer, Rejection, Resolve, Router,
    SharedResolver, Upgrade, UpgradeRequest,
};
use crossws_bench::{app, wire};

use crate::memory::{Client, Server};

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const HELLO: &str = "a text of 64 bytes, which a server sends to somebody or to others";

pub(crate) fn server() -> Server<impl Resolve> {
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

fn payload(size: usize) -> Vec<u8> {
    HELLO.bytes().cycle().take(size).collect()
}

/// Encodes a client's frames, and the same messages as a server's.
pub(crate) fn exchange(count: usize, size: usize) -> (Vec<u8>, Vec<u8>) {
    let payload = payload(size);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    for _ in 0..count {
        wire::put_frame(&mut up, wire::TEXT, &payload, Some(MASK));
        wire::put_frame(&mut down, wire::TEXT, &payload, None);
    }
    (up, down)
}

/// Encodes a client's frames. Returns them with the length of the resulting bytes at the other end.
fn burst(count: usize, size: usize) -> (Vec<u8>, u64) {
    let (up, down) = exchange(count, size);
    (up, down.len() as u64)
}

pub(crate) fn expect(client: &Client, bytes: u64) -> io::Result<()> {
    match client.written() {
        written if written == bytes => Ok(()),
        written => Err(io::Error::other(format!(
            "{written} bytes instead of {bytes}"
        ))),
    }
}

pub(crate) fn echo(turns: u32, depth: usize, size: usize) -> io::Result<()> {
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

pub(crate) fn echo_json(turns: u32, hooks: impl Hooks) -> io::Result<()> {
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

pub(crate) fn publish(turns: u32, subscribers: usize, patterns: usize) -> io::Result<()> {
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

pub(crate) fn publish_to(turns: u32, publisher: &str) -> io::Result<()> {
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

pub(crate) fn publish_events(turns: u32) -> io::Result<()> {
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
pub(crate) fn watched(messages: bool) -> Server<impl Resolve> {
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

pub(crate) fn chat<R: Resolve>(
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
pub(crate) fn routed(routes: usize) -> Server<impl Resolve> {
    let mut router = Router::new();
    for number in 0..routes {
        router = router.route(&format!("/api/r{number}/{{id}}/echo"), app::App::Echo);
    }
    Server::new(router, app::hub())
}

pub(crate) fn connect<R: Resolve>(turns: u32, mut server: Server<R>, path: &str) -> io::Result<()> {
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
