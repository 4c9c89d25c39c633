//! The load generator: one thread, one epoll, clients that check every message they get.

mod burst;
mod clients;
mod deck;
mod idle;
mod rounds;
mod storm;
#[cfg(test)]
mod tests;
mod window;

pub(crate) use clients::{Framing, Target};

use std::io;
use std::time::Duration;

use crate::process::Usage;

/// What one measured window came to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Messages delivered, or connections made, or connections held.
    pub(crate) count: u64,
    /// What the server's process used meanwhile.
    pub(crate) usage: Usage,
    /// How long it took.
    pub(crate) wall: Duration,
}

/// What the clients do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Work {
    /// Every client says `each` messages, and again once it has heard as many from each other one.
    Chat {
        clients: u32,
        each: u32,
        size: usize,
        others: u32,
    },
    /// Every client says `each` messages, which are written one by one, the clients in turn; and again
    /// once everybody has heard everything.
    Singles {
        clients: u32,
        each: u32,
        size: usize,
    },
    /// Every client sends `depth` messages, and again once all of them are back.
    Echo {
        clients: u32,
        depth: u32,
        size: usize,
        binary: bool,
    },
    /// One client publishes, and again once every subscriber has it.
    Publish {
        subscribers: u32,
        size: usize,
        binary: bool,
    },
    /// Two clients to a topic, one message at a time each way.
    Pairs { clients: u32 },
    /// Clients connect, upgrade, close, and come again.
    Connect { clients: u32 },
    /// Clients connect, have a message of `said` bytes echoed where that is not 0, and are silent.
    Idle { clients: u32, said: usize },
}

impl Work {
    /// Does it for about this long, after a short while that is not counted.
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
