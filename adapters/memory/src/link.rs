//! One connection, seen from both ends: the counterpart of a socket and its buffers.

mod client;
mod server;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::task::Waker;
use std::time::Duration;

use crossws_core::adapter::MeterCell;
use crossws_core::{CloseFrame, Closed, Limits, PeerId};
use http::Response;

pub(crate) use client::Nothing;

use crate::clock::Clock;
use crate::outbox::Outbox;
use crate::sync::lock;
use crate::{ConnectError, Frame};

pub(crate) struct Link {
    clock: Arc<Clock>,
    /// Set once the upgrade is accepted.
    limits: OnceLock<Limits>,
    state: Mutex<State>,
    meter: Arc<MeterCell>,
}

struct State {
    meter: Arc<MeterCell>,
    // ---- the server's end
    outbox: Outbox,
    /// Set if a write happened before the pump looked: whether many bytes had piled up.
    relieved: Option<bool>,
    /// Volatile messages that were discarded.
    skipped: u64,
    /// Our close frame, while the client's is awaited.
    closing: Option<CloseFrame>,
    /// Set as soon as it is known how the connection ended. The first value stays.
    closed: Option<Closed>,
    /// The deadline for the client's close frame, or for taking the last frame.
    close_by: Option<Duration>,
    driver: Option<Waker>,
    /// No frame passes any more, in either direction.
    over: bool,

    // ---- on its way to the server, and not yet read by it
    network: VecDeque<Frame>,

    // ---- the client's end
    answer: Option<Result<Answer, ConnectError>>,
    received: VecDeque<Frame>,
    reads: bool,
    auto_pong: bool,
    auto_close: bool,
    close_sent: bool,
    close_received: Option<Option<CloseFrame>>,
    vanished: bool,
    reader: Option<Waker>,
}

/// The 101, and the client's identity from then on.
pub(crate) struct Answer {
    pub(crate) response: Response<()>,
    pub(crate) id: PeerId,
}

impl Link {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        let meter = Arc::<MeterCell>::default();
        Self {
            clock,
            limits: OnceLock::new(),
            state: Mutex::new(State {
                meter: Arc::clone(&meter),
                outbox: Outbox::new(Limits::default()),
                relieved: None,
                skipped: 0,
                closing: None,
                closed: None,
                close_by: None,
                driver: None,
                over: false,
                network: VecDeque::new(),
                answer: None,
                received: VecDeque::new(),
                reads: true,
                auto_pong: true,
                auto_close: true,
                close_sent: false,
                close_received: None,
                vanished: false,
                reader: None,
            }),
            meter,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Marks the upgrade as accepted: these limits apply to the connection.
    pub(crate) fn accept(&self, limits: &Limits) {
        self.lock().outbox.set_limits(limits.clone());
        let _ = self.limits.set(limits.clone());
    }

    /// Returns the deadline of a last write, or of a reply, that is awaited from now on.
    fn close_deadline(&self) -> Duration {
        let limits = self.limits.get();
        let time = limits.map_or(Duration::ZERO, |limits| limits.close_timeout);
        self.clock.now().saturating_add(time)
    }

    /// Changes the state and wakes the server's end.
    fn tell_driver<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, waker) = {
            let mut state = self.lock();
            (change(&mut state), state.driver.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }

    /// Changes the state and wakes the client's end.
    fn tell_reader<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let (result, waker) = {
            let mut state = self.lock();
            (change(&mut state), state.reader.take())
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        result
    }
}
