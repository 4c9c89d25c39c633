//! Two connections with a pipe between them, in virtual time: the one fake of a peer's other end, for
//! tests, fuzz targets and benchmarks of connections. What `crossws_native` drives over a stream of a runtime is
//! tested over its `FakeStream`.
//!
//! ```
//! use crossws_core::{CloseCode, ClosedBy, Limits, Message};
//! use crossws_proto::testing::Pair;
//!
//! let mut pair = Pair::new(Limits::default());
//! pair.client.send("hello");
//! pair.run();
//! assert_eq!(pair.server.messages(), [&Message::from("hello")]);
//!
//! // The pipe ends in the middle of the server's close frame.
//! pair.client.incoming.passes = 3;
//! pair.server.close(CloseCode::AWAY);
//! pair.run_to_end();
//! assert_eq!(pair.client.closed().by, ClosedBy::Network);
//! ```

// A fake may panic, as tests do.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod end;
mod pipe;
#[cfg(test)]
mod tests;

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crossws_core::http::Request;
use crossws_core::{Hub, Limits, UpgradeRequest, hooks};

pub use self::end::End;
pub use self::pipe::{Cut, Pipe};
use crate::connection::Connection;
use crate::frame::{ClientFrame, Decoder, Role, ServerFrame};
use crate::outbox::{Clock, Outbox};

/// The time of a [`Pair`], which only its methods move.
#[derive(Debug, Clone, Default)]
pub struct VirtualTime(Arc<AtomicU64>);

impl VirtualTime {
    fn set(&self, now: Duration) {
        let nanos = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        self.0.store(nanos, Ordering::Relaxed);
    }
}

impl Clock for VirtualTime {
    fn now(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// A server's and a client's connection: see the [module](self). What the server sends is in the
/// [`incoming`](End::incoming) pipe of the client, and the other way around.
#[derive(Debug)]
pub struct Pair {
    /// The server's end. It has no peer.
    pub server: End<ServerFrame>,
    /// The client's end.
    pub client: End<ClientFrame>,
    time: VirtualTime,
}

impl Pair {
    /// Creates a pair, of which both ends have these limits, with a pipe that passes everything at once.
    pub fn new(limits: Limits) -> Self {
        Self::with(limits.clone(), limits)
    }

    /// Creates a pair whose ends have different limits.
    pub fn with(server: Limits, client: Limits) -> Self {
        let time = VirtualTime::default();
        let outbox = Arc::new(Outbox::new(&server, time.clone()));
        let decoder = Decoder::new(Role::Server, &server);
        let hub = Hub::builder().limits(server).build();
        let request = UpgradeRequest::new(Request::new(()).into_parts().0);
        // None of these hooks waits.
        let accepted = ready(async {
            let claim = hub.claim(&Arc::new(hooks()), request).await;
            claim.expect("hooks").upgrade().await.expect("an upgrade")
        });
        let server = Connection::new(outbox, &accepted, decoder);
        let outbox = Arc::new(Outbox::new(&client, time.clone()));
        let decoder = Decoder::new(Role::Client, &client);
        let hub = Hub::builder().limits(client).build();
        let client = Connection::client(outbox, hub, decoder);
        Self {
            server: End::new(server),
            client: End::new(client),
            time,
        }
    }

    /// Returns the virtual time.
    pub fn now(&self) -> Duration {
        self.time.now()
    }

    /// Does everything that can be done before time moves on.
    pub fn run(&mut self) {
        let now = self.now();
        while self.server.turn(&mut self.client.incoming, now)
            | self.client.turn(&mut self.server.incoming, now)
        {}
    }

    /// Moves time on, from one deadline or arrival to the next, and does everything in between.
    pub fn advance(&mut self, by: Duration) {
        let until = self.now().saturating_add(by);
        self.run();
        while let Some(next) = self.next_event().filter(|next| *next <= until) {
            self.time.set(next);
            self.run();
        }
        self.time.set(until);
        self.run();
    }

    /// Moves time on at once, as for a process that is stopped: what was due meanwhile is found late.
    pub fn stop(&mut self, time: Duration) {
        self.time.set(self.now().saturating_add(time));
        self.run();
    }

    /// Moves time on until both connections are over.
    ///
    /// # Panics
    /// If that takes more than a day, which is longer than any default limit.
    pub fn run_to_end(&mut self) {
        const DAY: Duration = Duration::from_secs(24 * 60 * 60);
        let latest = self.now().saturating_add(DAY);
        self.run();
        while !self.is_over() {
            let next = self.next_event().expect("a connection has no next event");
            assert!(next < latest, "a connection does not end: {self:?}");
            self.time.set(next);
            self.run();
        }
    }

    /// Returns whether both connections are over.
    pub fn is_over(&self) -> bool {
        self.server.connection().is_over() && self.client.connection().is_over()
    }

    fn next_event(&mut self) -> Option<Duration> {
        let now = self.now();
        let events = [self.server.next_event(now), self.client.next_event(now)];
        events.into_iter().flatten().min()
    }
}

/// Returns the output of a future that waits for nothing.
fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("these hooks do not wait"),
    }
}
