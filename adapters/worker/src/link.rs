pub(crate) mod deadline;
pub(crate) mod pump;
pub(crate) mod socket;
pub(crate) mod timer;
pub(crate) mod transport;
pub(crate) mod watch;

use std::cell::{Cell, RefCell, RefMut};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crossws_core::adapter::{LivenessEvent, PeerEvents, RestoredPeer};
use crossws_core::{CloseCode, Closed, ClosedBy, Error, Message, Peer, PeerState};
use crossws_proto::frame::Violation;
use crossws_proto::reasons;

use crate::link::socket::Socket;
use crate::link::watch::Watch;

/// Connects the platform's events with the task that runs a peer's hooks, in order of arrival.
pub(crate) struct Link {
    pub(crate) socket: Arc<Socket>,
    pub(crate) peer: Peer,
    /// What its object knows it by.
    pub(crate) number: usize,
    lifeline: PeerEvents,
    /// Present until the pump begins: a restored peer has no pump before its first event.
    seat: RefCell<Option<RestoredPeer>>,
    inbox: RefCell<VecDeque<Event>>,
    /// The future that runs the hooks, while it is not being polled.
    pump: RefCell<Option<Pump>>,
    /// The pump's task, while it waits for an event.
    idle: RefCell<Option<Waker>>,
    given: Cell<u64>,
    handled: Cell<u64>,
    waiters: RefCell<Vec<Waker>>,
    over: Cell<bool>,
    /// Whether the pump got the end of the connection.
    ended: Cell<bool>,
    watch: RefCell<Watch>,
}

type Pump = Pin<Box<dyn Future<Output = ()>>>;

pub(crate) enum Event {
    Message(Message),
    Failed(Error),
    /// Timers are due: their hooks run before the next event.
    Due,
    Closed(Closed),
    /// The object is no longer in memory: no hook runs any more.
    Abandoned,
}

/// Returns the deadlines of a peer's connection, by its settings.
fn watch(peer: &Peer, socket: &Socket) -> Watch {
    let limits = &peer.settings().limits;
    socket.set_close_timeout(limits.close_timeout);
    Watch::new(
        limits,
        peer.id(),
        socket.began(),
        socket.last_heard(),
        socket.last_spoke(),
    )
}

impl Link {
    pub(crate) fn new(socket: Arc<Socket>, seat: RestoredPeer) -> Self {
        let link = Self::of(socket, seat.peer().clone(), seat.lifeline());
        link.seat.replace(Some(seat));
        link
    }

    pub(crate) fn of(socket: Arc<Socket>, peer: Peer, lifeline: PeerEvents) -> Self {
        Self {
            watch: RefCell::new(watch(&peer, &socket)),
            socket,
            peer,
            number: 0,
            lifeline,
            seat: RefCell::default(),
            inbox: RefCell::default(),
            pump: RefCell::default(),
            idle: RefCell::default(),
            given: Cell::new(0),
            handled: Cell::new(0),
            waiters: RefCell::default(),
            over: Cell::new(false),
            ended: Cell::new(false),
        }
    }

    /// Returns the seat, for the pump that begins.
    pub(crate) fn take_seat(&self) -> Option<RestoredPeer> {
        self.seat.borrow_mut().take()
    }

    /// Updates the deadlines after the peer's route was resolved again, because the route's
    /// settings may differ from the stored ones. Returns the next deadline.
    pub(crate) fn routed(&self) -> Option<u64> {
        self.watch.replace(watch(&self.peer, &self.socket));
        self.next_due()
    }

    /// Records that the client sent something, now or at this earlier time.
    pub(crate) fn heard(&self, at: u64) {
        if self.watch.borrow_mut().heard(at) {
            self.socket.heard(at);
        }
    }

    /// Records that the client sent a message.
    pub(crate) fn spoke(&self, at: u64) {
        self.heard(at);
        if self.watch.borrow_mut().spoke(at) {
            self.socket.spoke(at);
        }
    }

    /// Returns when to call [`keep_time`](Self::keep_time) next.
    pub(crate) fn next_due(&self) -> Option<u64> {
        if self.ended.get() {
            return None;
        }
        let closing = self.socket.closing_until();
        closing.or_else(|| self.watch().next_due())
    }

    /// Acts on passed deadlines of the connection. Returns how it ended if the client did not reply
    /// to our close in time.
    pub(crate) fn keep_time(&self, now: u64) -> Option<Closed> {
        loop {
            if self.ended.get() {
                return None;
            }
            if let Some(until) = self.socket.closing_until() {
                let lost = || self.socket.closed(Closed::ABNORMAL, String::new(), false);
                return (until <= now).then(lost);
            }
            let due = self.watch().poll(now);
            match due? {
                LivenessEvent::Expired => self.peer.close_frame(reasons::expired()),
                LivenessEvent::CredentialsExpired => self.expired(),
                LivenessEvent::Inactive => self.inactive(),
                LivenessEvent::Silent => self.silent(self.socket.close_deadline(now)),
                _ => {}
            }
        }
    }

    fn watch(&self) -> RefMut<'_, Watch> {
        let mut watch = self.watch.borrow_mut();
        watch.credentials(self.lifeline.expires_at());
        watch
    }

    /// Closes a client that was silent for too long. Nothing more is read from it.
    fn silent(&self, until: u64) {
        self.lifeline.ended();
        let by = ClosedBy::Timeout;
        self.socket.close(reasons::silent(), by, Some(until));
    }

    /// Acts on the end of the peer's credentials, of its hooks' sleeps, or of its timers.
    fn expired(&self) {
        if self.peer.state() == PeerState::Open
            && let Some(at) = self.lifeline.expires_at()
        {
            if self.lifeline.expired(at) {
                self.give(Event::Due);
            }
            if self.peer.state() != PeerState::Open {
                self.socket.closed_by_time();
            }
        }
    }

    /// Closes a client that has sent no message for too long.
    fn inactive(&self) {
        if self.peer.state() == PeerState::Open {
            self.lifeline.inactive();
            self.socket.closed_by_time();
        }
    }

    /// Queues a message. One that is too big ends the connection.
    pub(crate) fn message(&self, message: Message) {
        if self.peer.state() != PeerState::Open {
            return;
        }
        let most = self.peer.settings().limits.max_message_size.get();
        match Violation::check_size(message.len() as u64, most) {
            Ok(()) => self.give(Event::Message(message)),
            Err(violation) => self.failed(violation),
        }
    }

    /// Closes a client that broke a rule: the close frame names it, and nothing more is read.
    fn failed(&self, violation: Violation) {
        self.peer.close(violation.code(), violation.reason());
        self.give(Event::Failed(Error::protocol(violation)));
    }

    /// Handles the platform's report of a broken protocol rule or a lost connection.
    pub(crate) fn broken(&self, error: &str) {
        if !self.lifeline.closed_here() {
            self.failed(Violation::new(CloseCode::PROTOCOL, error.to_owned()));
        }
    }

    /// Ends the connection: the peer leaves every list at once, and then its hook runs.
    pub(crate) fn closed(&self, closed: Closed) {
        self.lifeline.ended();
        if !self.ended.replace(true) {
            self.give(Event::Closed(closed));
        }
    }

    /// Drops the peer's memory without ending its connection: no hook runs.
    pub(crate) fn abandon(&self) {
        self.take_seat();
        self.give(Event::Abandoned);
    }

    /// Returns how many events were given.
    pub(crate) fn given(&self) -> u64 {
        self.given.get()
    }

    fn give(&self, event: Event) {
        if self.over.get() {
            return;
        }
        self.given.set(self.given.get() + 1);
        self.inbox.borrow_mut().push_back(event);
        // Taken first, because the hooks may call this method again.
        let idle = self.idle.borrow_mut().take();
        let Some(waker) = idle else {
            return;
        };
        let pump = self.pump.borrow_mut().take();
        match pump {
            // Polled at once, which saves a turn of the platform's queue for each event.
            Some(pump) => {
                if self.run(pump, &mut Context::from_waker(&waker)).is_ready() {
                    // Woken so that its task ends too.
                    waker.wake();
                }
            }
            None => waker.wake(),
        }
    }

    /// Sets the future that runs the hooks, to be polled with [`poll_pump`].
    ///
    /// [`poll_pump`]: Self::poll_pump
    pub(crate) fn begin(&self, pump: impl Future<Output = ()> + 'static) {
        self.pump.replace(Some(Box::pin(pump)));
    }

    /// Polls the hooks. Ready when there is nothing left to run.
    pub(crate) fn poll_pump(&self, cx: &mut Context<'_>) -> Poll<()> {
        let pump = self.pump.borrow_mut().take();
        pump.map_or(Poll::Ready(()), |pump| self.run(pump, cx))
    }

    fn run(&self, mut pump: Pump, cx: &mut Context<'_>) -> Poll<()> {
        let poll = pump.as_mut().poll(cx);
        if poll.is_pending() {
            self.pump.replace(Some(pump));
        }
        poll
    }

    /// Returns the next event, for the pump.
    pub(crate) fn poll_event(&self, cx: &mut Context<'_>) -> Poll<Event> {
        if let Some(event) = self.inbox.borrow_mut().pop_front() {
            return Poll::Ready(event);
        }
        self.idle.replace(Some(cx.waker().clone()));
        Poll::Pending
    }

    /// Records that one event was handled to its end. Hooks that no event has caused do not count.
    pub(crate) fn handled(&self) {
        self.handled.set(self.handled.get() + 1);
        self.wake_waiters();
    }

    /// Records that no event will be handled any more.
    pub(crate) fn over(&self) {
        self.over.set(true);
        self.inbox.borrow_mut().clear();
        self.wake_waiters();
    }

    fn wake_waiters(&self) {
        let waiters = self.waiters.take();
        waiters.into_iter().for_each(Waker::wake);
    }

    /// Waits until every event so far was handled, so that the platform regards an event as in
    /// flight while its hook runs.
    pub(crate) async fn settled(&self) {
        let given = self.given.get();
        poll_fn(|cx| {
            if self.over.get() || self.handled.get() >= given {
                return Poll::Ready(());
            }
            self.waiters.borrow_mut().push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }
}
