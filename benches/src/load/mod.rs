//! The load generator: one thread, one epoll, clients that check every message that they receive.

mod burst;
mod clients;
mod deck;
mod http2;
mod idle;
mod rounds;
mod storm;
mod stream;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use clients::{Framing, Target};

use std::io;
use std::time::Duration;

use crate::process::Usage;

/// The result of one measured window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Messages delivered, or connections made, or connections held.
    pub(crate) count: u64,
    /// What the server's process used in the window.
    pub(crate) usage: Usage,
    /// The window's duration.
    pub(crate) wall: Duration,
}

/// The work of the clients.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Every client sends `each` messages, and again once it has received as many from each other
    /// client.
    Chat {
        clients: u32,
        each: u32,
        size: usize,
        others: u32,
    },
    /// Every client sends `each` messages, which are written one by one, the clients in turn. They
    /// send again once every client has received everything.
    Singles {
        clients: u32,
        each: u32,
        size: usize,
    },
    /// Every client sends `depth` messages, and again once all of them have come back.
    Echo {
        clients: u32,
        depth: u32,
        size: usize,
        binary: bool,
    },
    /// The same over HTTP/2, on this many connections.
    EchoHttp2 {
        connections: u32,
        clients: u32,
        depth: u32,
        size: usize,
    },
    /// One client publishes, and again once every subscriber has received the message.
    Publish {
        subscribers: u32,
        size: usize,
        binary: bool,
    },
    /// Two clients per topic, one message at a time each way.
    Pairs { clients: u32 },
    /// Clients connect, upgrade, close, and start again.
    Connect { clients: u32 },
    /// Clients connect, have a message of `said` bytes echoed if that is not 0, and are silent.
    Idle { clients: u32, said: usize },
}

impl Work {
    /// Runs the work for about this long, after a short time that is not counted.
    pub(crate) fn run(self, target: &Target, time: Duration) -> io::Result<Sample> {
        match self {
            Self::Chat {
                clients,
                each,
                size,
                others,
            } => {
                let _others = burst::others(target, others)?;
                burst::chat(target, time, clients, each, size)
            }
            Self::Singles {
                clients,
                each,
                size,
            } => burst::singles(target, time, clients, each, size),
            Self::Pairs { clients } => burst::pairs(target, time, clients),
            Self::Echo {
                clients,
                depth,
                size,
                binary,
            } => rounds::echo(target, time, clients, depth, size, binary),
            Self::EchoHttp2 {
                connections,
                clients,
                depth,
                size,
            } => http2::echo(target, time, connections, clients, depth, size),
            Self::Publish {
                subscribers,
                size,
                binary,
            } => rounds::publish(target, time, subscribers, size, binary),
            Self::Connect { clients } => storm::connect(target, time, clients),
            Self::Idle { clients, said } => idle::hold(target, clients, said),
        }
    }
}
