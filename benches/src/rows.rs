//! The rows that are measured, and their bounds.

use crate::load::Work;

/// The part of a sample that a row reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// The server's CPU time, user and system, per delivered message.
    Cpu,
    /// The same per connection: how many connections one second of CPU time serves.
    Rate,
    /// The wall time per delivered message.
    Wall,
    /// The server's resident memory per connection.
    Memory,
}

/// A bound of a crossws row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    /// At most (for a rate: at least) this multiple of this peer's value in this row.
    Peer(&'static str, f64),
    /// At most (for a rate: at least) this multiple of the best peer's value in this row.
    Best(f64),
    /// At most this multiple of crossws's value in that other row.
    Row(&'static str, f64),
    /// At most this many nanoseconds of user time per message.
    User(f64),
    /// At most this many bytes.
    Bytes(f64),
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) measure: Measure,
    pub(crate) work: Work,
    /// The servers that take part.
    pub(crate) who: Who,
    pub(crate) bounds: &'static [Bound],
}

/// The servers that take part in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// Every server, and the floor of echoes.
    Echoes,
    /// Every server that has rooms, and the floor of chats.
    Rooms,
    /// Every server, and the floor of chats.
    Servers,
    /// crossws on tokio, and two servers whose growth it is compared with: Bun and uWebSockets.
    Scale,
    /// The same in one room, and the floor of chats.
    ScaleOfRoom,
    /// crossws on tokio alone: other servers have no such paths.
    Topics,
    /// crossws on tokio, on one thread and on two, which may use all cores.
    Threads,
    /// The encrypted servers.
    Tls,
    /// The servers of WebSockets over HTTP/2.
    Http2,
    /// crossws on tokio, with all of its mechanisms and without one of them.
    Without,
    /// The same on two threads, which may use all cores.
    WithoutOnTwo,
}

impl Who {
    /// Returns whether the row compares crossws with all other servers.
    pub(crate) fn is_compared(self) -> bool {
        matches!(self, Self::Echoes | Self::Rooms | Self::Servers)
    }

    /// Returns whether the row shows how cost grows. Such rows have a table of their own.
    pub(crate) fn is_scale(self) -> bool {
        matches!(self, Self::Scale | Self::ScaleOfRoom | Self::Topics)
    }
}

use Bound::{Best, Bytes, Peer, Row as OtherRow, User};

const fn chat(each: u32) -> Work {
    Work::Chat {
        clients: 32,
        each,
        size: 32,
        others: 0,
    }
}

const fn among(others: u32) -> Work {
    Work::Chat {
        clients: 32,
        each: 1,
        size: 32,
        others,
    }
}

const fn echo(depth: u32, size: usize) -> Work {
    Work::Echo {
        clients: 32,
        depth,
        size,
        binary: size > 1024,
    }
}

const fn publish(subscribers: u32, size: usize) -> Work {
    Work::Publish {
        subscribers,
        size,
        binary: size > 1024,
    }
}

const fn echo_http2(connections: u32, depth: u32) -> Work {
    Work::EchoHttp2 {
        connections,
        clients: 32,
        depth,
        size: 64,
    }
}

const IDLE: Work = Work::Idle {
    clients: 10_000,
    said: 0,
};

/// Fewer, because each has a handshake of its own, and the first must not have to answer a ping before
/// the last has connected.
const IDLE_TLS: Work = Work::Idle {
    clients: 2_000,
    said: 0,
};

const CONNECT: Work = Work::Connect { clients: 64 };

const ON_TWO: &[Bound] = &[Peer("ours-one", 1.0)];

/// All rows, in the table's order.
pub(crate) const ROWS: &[Row] = &[
    Row {
        id: "chat",
        title: "chat, 32 clients, 640 pipelined each",
        measure: Measure::Cpu,
        work: chat(640),
        who: Who::Rooms,
        bounds: &[Peer("bun", 0.10), Peer("floor", 4.0)],
    },
    Row {
        id: "singles",
        title: "the same room, each message written alone, clients in turn",
        measure: Measure::Cpu,
        work: Work::Singles {
            clients: 32,
            each: 640,
            size: 32,
        },
        who: Who::Rooms,
        bounds: &[Peer("bun", 0.50)],
    },
    Row {
        id: "turns",
        title: "the same room, the next message once the others' have come",
        measure: Measure::Cpu,
        work: chat(1),
        who: Who::Rooms,
        bounds: &[Peer("bun", 0.50)],
    },
    Row {
        id: "echo-64",
        title: "echo, 64 B, 64 pipelined",
        measure: Measure::Cpu,
        work: echo(64, 64),
        who: Who::Echoes,
        bounds: &[Peer("uws", 0.65), Peer("tcp-echo", 1.8)],
    },
    Row {
        id: "echo-1",
        title: "echo, 64 B, one at a time",
        measure: Measure::Cpu,
        work: echo(1, 64),
        who: Who::Echoes,
        bounds: &[Peer("bun", 1.05), User(1200.0)],
    },
    Row {
        id: "echo-16k",
        title: "echo, 16 KiB",
        measure: Measure::Cpu,
        work: echo(1, 16 << 10),
        who: Who::Echoes,
        bounds: &[Peer("uws", 0.75)],
    },
    Row {
        id: "publish-64",
        title: "one publisher, 1,000 subscribers, 64 B",
        measure: Measure::Cpu,
        work: publish(1000, 64),
        who: Who::Rooms,
        bounds: &[Peer("uws", 0.90)],
    },
    Row {
        id: "publish-16k",
        title: "one publisher, 1,000 subscribers, 16 KiB",
        measure: Measure::Cpu,
        work: publish(1000, 16 << 10),
        who: Who::Rooms,
        bounds: &[Peer("uws", 0.95)],
    },
    Row {
        id: "idle",
        title: "idle connection, 10,000 of them, resident memory",
        measure: Measure::Memory,
        work: IDLE,
        who: Who::Rooms,
        bounds: &[Bytes(2048.0)],
    },
    Row {
        id: "idle-after",
        title: "the same, of which each had 16 KiB echoed before",
        measure: Measure::Memory,
        work: Work::Idle {
            clients: 10_000,
            said: 16 << 10,
        },
        who: Who::Servers,
        bounds: &[],
    },
    Row {
        id: "connect",
        title: "connect + upgrade + close, per second of the server's CPU",
        measure: Measure::Rate,
        work: CONNECT,
        who: Who::Servers,
        bounds: &[Best(1.0)],
    },
    Row {
        id: "pairs-1k",
        title: "1,000 connections, two to a topic",
        measure: Measure::Cpu,
        work: Work::Pairs { clients: 1_000 },
        who: Who::Scale,
        bounds: &[],
    },
    Row {
        id: "pairs-10k",
        title: "10,000 connections, two to a topic",
        measure: Measure::Cpu,
        work: Work::Pairs { clients: 10_000 },
        who: Who::Scale,
        bounds: &[OtherRow("pairs-1k", 1.15)],
    },
    Row {
        id: "fan-out-1k",
        title: "one publisher, 1,000 subscribers",
        measure: Measure::Cpu,
        work: publish(1000, 64),
        who: Who::ScaleOfRoom,
        bounds: &[],
    },
    Row {
        id: "fan-out-10k",
        title: "one publisher, 10,000 subscribers",
        measure: Measure::Cpu,
        work: publish(10_000, 64),
        who: Who::ScaleOfRoom,
        bounds: &[OtherRow("fan-out-1k", 1.15)],
    },
    Row {
        id: "topics-1",
        title: "a room of 32, and no other topic",
        measure: Measure::Cpu,
        work: among(0),
        who: Who::Topics,
        bounds: &[],
    },
    Row {
        id: "topics-10k",
        title: "a room of 32, and 10,000 other topics in its namespace",
        measure: Measure::Cpu,
        work: among(10_000),
        who: Who::Topics,
        bounds: &[OtherRow("topics-1", 1.15)],
    },
    Row {
        id: "threads-chat",
        title: "chat, 640 pipelined",
        measure: Measure::Wall,
        work: chat(640),
        who: Who::Threads,
        bounds: ON_TWO,
    },
    Row {
        id: "threads-turns",
        title: "chat, one message at a time",
        measure: Measure::Wall,
        work: chat(1),
        who: Who::Threads,
        bounds: ON_TWO,
    },
    Row {
        id: "threads-echo-64",
        title: "echo, 64 B, 64 pipelined",
        measure: Measure::Wall,
        work: echo(64, 64),
        who: Who::Threads,
        bounds: ON_TWO,
    },
    Row {
        id: "threads-echo-1",
        title: "echo, 64 B, one at a time",
        measure: Measure::Wall,
        work: echo(1, 64),
        who: Who::Threads,
        bounds: ON_TWO,
    },
    Row {
        id: "threads-echo-16k",
        title: "echo, 16 KiB",
        measure: Measure::Wall,
        work: echo(1, 16 << 10),
        who: Who::Threads,
        bounds: ON_TWO,
    },
    Row {
        id: "threads-publish-64",
        title: "one publisher, 1,000 subscribers, 64 B",
        measure: Measure::Wall,
        work: publish(1000, 64),
        who: Who::Threads,
        bounds: ON_TWO,
    },
    Row {
        id: "threads-publish-16k",
        title: "one publisher, 1,000 subscribers, 16 KiB",
        measure: Measure::Wall,
        work: publish(1000, 16 << 10),
        who: Who::Threads,
        bounds: ON_TWO,
    },
    Row {
        id: "without-chat",
        title: "chat, 640 pipelined",
        measure: Measure::Cpu,
        work: chat(640),
        who: Who::Without,
        bounds: &[],
    },
    Row {
        id: "without-turns",
        title: "chat, one message at a time",
        measure: Measure::Cpu,
        work: chat(1),
        who: Who::Without,
        bounds: &[],
    },
    Row {
        id: "without-echo-1",
        title: "echo, 64 B, one at a time",
        measure: Measure::Cpu,
        work: echo(1, 64),
        who: Who::Without,
        bounds: &[],
    },
    Row {
        id: "without-publish-64",
        title: "one publisher, 1,000 subscribers, 64 B",
        measure: Measure::Cpu,
        work: publish(1000, 64),
        who: Who::Without,
        bounds: &[],
    },
    Row {
        id: "without-publish-16k",
        title: "one publisher, 1,000 subscribers, 16 KiB",
        measure: Measure::Cpu,
        work: publish(1000, 16 << 10),
        who: Who::Without,
        bounds: &[],
    },
    Row {
        id: "without-connect",
        title: "connect + upgrade + close, per second of CPU",
        measure: Measure::Rate,
        work: CONNECT,
        who: Who::Without,
        bounds: &[],
    },
    Row {
        id: "without-two-chat",
        title: "chat, 640 pipelined",
        measure: Measure::Cpu,
        work: chat(640),
        who: Who::WithoutOnTwo,
        bounds: &[],
    },
    Row {
        id: "without-two-turns",
        title: "chat, one message at a time",
        measure: Measure::Cpu,
        work: chat(1),
        who: Who::WithoutOnTwo,
        bounds: &[],
    },
    Row {
        id: "without-two-echo-1",
        title: "echo, 64 B, one at a time",
        measure: Measure::Cpu,
        work: echo(1, 64),
        who: Who::WithoutOnTwo,
        bounds: &[],
    },
    Row {
        id: "without-two-publish-64",
        title: "one publisher, 1,000 subscribers, 64 B",
        measure: Measure::Cpu,
        work: publish(1000, 64),
        who: Who::WithoutOnTwo,
        bounds: &[],
    },
    Row {
        id: "without-two-publish-16k",
        title: "one publisher, 1,000 subscribers, 16 KiB",
        measure: Measure::Cpu,
        work: publish(1000, 16 << 10),
        who: Who::WithoutOnTwo,
        bounds: &[],
    },
    Row {
        id: "tls-echo-64",
        title: "echo, 64 B, 64 pipelined",
        measure: Measure::Cpu,
        work: echo(64, 64),
        who: Who::Tls,
        bounds: &[],
    },
    Row {
        id: "tls-echo-1",
        title: "echo, 64 B, one at a time",
        measure: Measure::Cpu,
        work: echo(1, 64),
        who: Who::Tls,
        bounds: &[],
    },
    Row {
        id: "tls-echo-16k",
        title: "echo, 16 KiB",
        measure: Measure::Cpu,
        work: echo(1, 16 << 10),
        who: Who::Tls,
        bounds: &[],
    },
    Row {
        id: "tls-publish-64",
        title: "one publisher, 1,000 subscribers, 64 B",
        measure: Measure::Cpu,
        work: publish(1000, 64),
        who: Who::Tls,
        bounds: &[],
    },
    Row {
        id: "tls-idle",
        title: "idle connection, 2,000 of them, resident memory",
        measure: Measure::Memory,
        work: IDLE_TLS,
        who: Who::Tls,
        bounds: &[],
    },
    Row {
        id: "tls-connect",
        title: "connect + upgrade + close, per second of CPU",
        measure: Measure::Rate,
        work: CONNECT,
        who: Who::Tls,
        bounds: &[],
    },
    Row {
        id: "http2-echo-64",
        title: "echo, 64 B, 64 pipelined, a connection for each of 32 clients",
        measure: Measure::Cpu,
        work: echo_http2(32, 64),
        who: Who::Http2,
        bounds: &[],
    },
    Row {
        id: "http2-echo-1",
        title: "the same, one message at a time",
        measure: Measure::Cpu,
        work: echo_http2(32, 1),
        who: Who::Http2,
        bounds: &[],
    },
    Row {
        id: "http2-shared-echo-64",
        title: "echo, 64 B, 64 pipelined, 32 streams of one connection",
        measure: Measure::Cpu,
        work: echo_http2(1, 64),
        who: Who::Http2,
        bounds: &[],
    },
    Row {
        id: "http2-shared-echo-1",
        title: "the same, one message at a time",
        measure: Measure::Cpu,
        work: echo_http2(1, 1),
        who: Who::Http2,
        bounds: &[],
    },
];
