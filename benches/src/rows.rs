//! The rows that are measured, and their bounds.

use crate::load::Work;
use crate::row::Bound::{Best, Bytes, Peer, Row as OtherRow, User};
use crate::row::{Bound, Row, Who, row};

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
    row(
        "chat",
        "chat, 32 clients, 640 pipelined each",
        chat(640),
        Who::Rooms,
    )
    .bounds(&[Peer("bun", 0.10), Peer("floor", 4.0)]),
    row(
        "singles",
        "the same room, each message written alone, clients in turn",
        Work::Singles {
            clients: 32,
            each: 640,
            size: 32,
        },
        Who::Rooms,
    )
    .bounds(&[Peer("bun", 0.50)]),
    row(
        "turns",
        "the same room, the next message once the others' have come",
        chat(1),
        Who::Rooms,
    )
    .bounds(&[Peer("bun", 0.50)]),
    row(
        "echo-64",
        "echo, 64 B, 64 pipelined",
        echo(64, 64),
        Who::Echoes,
    )
    .bounds(&[Peer("uws", 0.65), Peer("tcp-echo", 1.8)]),
    row(
        "echo-1",
        "echo, 64 B, one at a time",
        echo(1, 64),
        Who::Echoes,
    )
    .bounds(&[Peer("bun", 1.05), User(1200.0)]),
    row("echo-16k", "echo, 16 KiB", echo(1, 16 << 10), Who::Echoes).bounds(&[Peer("uws", 0.75)]),
    row(
        "publish-64",
        "one publisher, 1,000 subscribers, 64 B",
        publish(1000, 64),
        Who::Rooms,
    )
    .bounds(&[Peer("uws", 0.90)]),
    row(
        "publish-16k",
        "one publisher, 1,000 subscribers, 16 KiB",
        publish(1000, 16 << 10),
        Who::Rooms,
    )
    .bounds(&[Peer("uws", 0.95)]),
    row(
        "idle",
        "idle connection, 10,000 of them, resident memory",
        IDLE,
        Who::Rooms,
    )
    .bounds(&[Bytes(2048.0)]),
    row(
        "idle-after",
        "the same, of which each had 16 KiB echoed before",
        Work::Idle {
            clients: 10_000,
            said: 16 << 10,
        },
        Who::Servers,
    ),
    row(
        "connect",
        "connect + upgrade + close, per second of the server's CPU",
        CONNECT,
        Who::Servers,
    )
    .bounds(&[Best(1.0)]),
    row(
        "pairs-1k",
        "1,000 connections, two to a topic",
        Work::Pairs { clients: 1_000 },
        Who::Scale,
    ),
    row(
        "pairs-10k",
        "10,000 connections, two to a topic",
        Work::Pairs { clients: 10_000 },
        Who::Scale,
    )
    .bounds(&[OtherRow("pairs-1k", 1.15)]),
    row(
        "fan-out-1k",
        "one publisher, 1,000 subscribers",
        publish(1000, 64),
        Who::ScaleOfRoom,
    ),
    row(
        "fan-out-10k",
        "one publisher, 10,000 subscribers",
        publish(10_000, 64),
        Who::ScaleOfRoom,
    )
    .bounds(&[OtherRow("fan-out-1k", 1.15)]),
    row(
        "topics-1",
        "a room of 32, and no other topic",
        among(0),
        Who::Topics,
    ),
    row(
        "topics-10k",
        "a room of 32, and 10,000 other topics in its namespace",
        among(10_000),
        Who::Topics,
    )
    .bounds(&[OtherRow("topics-1", 1.15)]),
    row(
        "threads-chat",
        "chat, 640 pipelined",
        chat(640),
        Who::Threads,
    )
    .bounds(ON_TWO),
    row(
        "threads-turns",
        "chat, one message at a time",
        chat(1),
        Who::Threads,
    )
    .bounds(ON_TWO),
    row(
        "threads-echo-64",
        "echo, 64 B, 64 pipelined",
        echo(64, 64),
        Who::Threads,
    )
    .bounds(ON_TWO),
    row(
        "threads-echo-1",
        "echo, 64 B, one at a time",
        echo(1, 64),
        Who::Threads,
    )
    .bounds(ON_TWO),
    row(
        "threads-echo-16k",
        "echo, 16 KiB",
        echo(1, 16 << 10),
        Who::Threads,
    )
    .bounds(ON_TWO),
    row(
        "threads-publish-64",
        "one publisher, 1,000 subscribers, 64 B",
        publish(1000, 64),
        Who::Threads,
    )
    .bounds(ON_TWO),
    row(
        "threads-publish-16k",
        "one publisher, 1,000 subscribers, 16 KiB",
        publish(1000, 16 << 10),
        Who::Threads,
    )
    .bounds(ON_TWO),
    row(
        "without-chat",
        "chat, 640 pipelined",
        chat(640),
        Who::Without,
    ),
    row(
        "without-turns",
        "chat, one message at a time",
        chat(1),
        Who::Without,
    ),
    row(
        "without-echo-1",
        "echo, 64 B, one at a time",
        echo(1, 64),
        Who::Without,
    ),
    row(
        "without-publish-64",
        "one publisher, 1,000 subscribers, 64 B",
        publish(1000, 64),
        Who::Without,
    ),
    row(
        "without-publish-16k",
        "one publisher, 1,000 subscribers, 16 KiB",
        publish(1000, 16 << 10),
        Who::Without,
    ),
    row(
        "without-connect",
        "connect + upgrade + close, per second of CPU",
        CONNECT,
        Who::Without,
    ),
    row(
        "without-two-chat",
        "chat, 640 pipelined",
        chat(640),
        Who::WithoutOnTwo,
    ),
    row(
        "without-two-turns",
        "chat, one message at a time",
        chat(1),
        Who::WithoutOnTwo,
    ),
    row(
        "without-two-echo-1",
        "echo, 64 B, one at a time",
        echo(1, 64),
        Who::WithoutOnTwo,
    ),
    row(
        "without-two-publish-64",
        "one publisher, 1,000 subscribers, 64 B",
        publish(1000, 64),
        Who::WithoutOnTwo,
    ),
    row(
        "without-two-publish-16k",
        "one publisher, 1,000 subscribers, 16 KiB",
        publish(1000, 16 << 10),
        Who::WithoutOnTwo,
    ),
    row(
        "tls-echo-64",
        "echo, 64 B, 64 pipelined",
        echo(64, 64),
        Who::Tls,
    ),
    row(
        "tls-echo-1",
        "echo, 64 B, one at a time",
        echo(1, 64),
        Who::Tls,
    ),
    row("tls-echo-16k", "echo, 16 KiB", echo(1, 16 << 10), Who::Tls),
    row(
        "tls-publish-64",
        "one publisher, 1,000 subscribers, 64 B",
        publish(1000, 64),
        Who::Tls,
    ),
    row(
        "tls-idle",
        "idle connection, 2,000 of them, resident memory",
        IDLE_TLS,
        Who::Tls,
    ),
    row(
        "tls-connect",
        "connect + upgrade + close, per second of CPU",
        CONNECT,
        Who::Tls,
    ),
    row(
        "http2-echo-64",
        "echo, 64 B, 64 pipelined, a connection for each of 32 clients",
        echo_http2(32, 64),
        Who::Http2,
    ),
    row(
        "http2-echo-1",
        "the same, one message at a time",
        echo_http2(32, 1),
        Who::Http2,
    ),
    row(
        "http2-shared-echo-64",
        "echo, 64 B, 64 pipelined, 32 streams of one connection",
        echo_http2(1, 64),
        Who::Http2,
    ),
    row(
        "http2-shared-echo-1",
        "the same, one message at a time",
        echo_http2(1, 1),
        Who::Http2,
    ),
];
