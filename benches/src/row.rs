//! One row of the table: what is measured, of which servers, and what is wanted of it.

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

/// Returns a row without bounds. What is measured follows from the work.
pub(crate) const fn row(id: &'static str, title: &'static str, work: Work, who: Who) -> Row {
    Row {
        id,
        title,
        measure: match (work, who) {
            (Work::Idle { .. }, _) => Measure::Memory,
            (Work::Connect { .. }, _) => Measure::Rate,
            (_, Who::Threads) => Measure::Wall,
            _ => Measure::Cpu,
        },
        work,
        who,
        bounds: &[],
    }
}

impl Row {
    pub(crate) const fn bounds(self, bounds: &'static [Bound]) -> Self {
        Self { bounds, ..self }
    }
}
