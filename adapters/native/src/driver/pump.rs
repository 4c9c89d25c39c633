//! One connection's task. It runs the hooks. Concurrently with any running hook it reads, answers
//! control frames, writes the outbox, keeps time, and notices the client's end.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use crossws_core::Hooks;
use crossws_core::adapter::{Accepted, Notice, Session};

use crate::driver::link::Link;
use crate::driver::outlet::Outlet;
use crate::driver::server_crew::ServerCrew;
use crate::driver::task_handle::TaskHandle;
use crate::driver::transport::NativeTransport;
use crate::runtime::Runtime;
use crate::runtime::io::Io;
use crossws_proto::connection::Step;
use crossws_proto::frame::Role;
use crossws_proto::handshake::Agreed;
use crossws_proto::sync::Mutex;

/// Runs a connection whose 101 has been written, from `open` to the end of the TCP connection.
/// `early` holds the bytes that the client sent after its request, `agreed` the result of the
/// handshake.
///
/// The peer has joined the hub when this returns, before the future is polled.
///
/// # Cancel safety
/// Dropping the future drops the connection and the running hook; the `close` hook does not run.
pub fn pump<I: Io, R: Runtime, H: Hooks + ?Sized>(
    io: I,
    early: Bytes,
    accepted: Accepted<H>,
    agreed: Agreed,
    runtime: R,
) -> impl Future<Output = ()> + Send {
    pump_with(None, false, io, early, accepted, agreed, runtime)
}

/// As [`pump`], for a connection of a server that has a crew, and for a stream whose behaviour on a
/// drop is known: see [`Listen::ends_on_drop`](crate::Listen::ends_on_drop).
pub(crate) fn pump_with<I: Io, R: Runtime, H: Hooks + ?Sized>(
    crew: Option<Arc<ServerCrew>>,
    ends_on_drop: bool,
    io: I,
    early: Bytes,
    accepted: Accepted<H>,
    agreed: Agreed,
    runtime: R,
) -> impl Future<Output = ()> + Send {
    // Prepared before the future, which then owns the link and not its ingredients too. The part
    // that runs hooks is boxed by itself, so that a waiting connection owns no room for it.
    let limits = &accepted.settings().limits;
    let outbox = TaskHandle::new(limits);
    let outlet = Arc::new(Mutex::new(Outlet::new(io)));
    let flush = Arc::downgrade(&outlet);
    let transport = NativeTransport::new(outbox.clone(), &agreed)
        .with_outlet(flush)
        .with_crew(crew);
    let decoder = agreed.into_decoder(Role::Server, limits);
    let mut link = Link::new(outlet, early, outbox, runtime, &accepted, decoder);
    link.connection.compress_in(transport.deflater());
    let opening = match accepted.join(transport) {
        Ok(joined) => {
            link.connection.attach(joined.lifeline());
            Some(Box::pin(joined.open()))
        }
        Err(frame) => {
            link.refuse(frame);
            None
        }
    };
    async move {
        if let Some(opening) = opening {
            let mut session = link.beside(opening).await;
            run(&mut link, &mut session).await;
            let closed = link.connection.closed();
            link.beside(Box::pin(session.close(closed))).await;
        }
        link.finish(ends_on_drop).await;
    }
}

/// What the connection's task does next.
enum Next {
    /// Run the hook of something that happened on the connection.
    Step(Step),
    /// Run a hook that other code has brought about.
    Notice(Notice),
}

/// Hooks run in one poll before the pump looks at its socket again and lets other tasks run.
const TURN: u32 = 64;

/// How much of the task's turn is used up.
#[derive(Default)]
struct Turn(u32);

impl Turn {
    #[inline]
    fn is_over(&self) -> bool {
        self.0 >= TURN
    }

    #[inline]
    fn count(&mut self, steps: u32) {
        self.0 = self.0.saturating_add(steps);
    }

    fn end(&mut self) {
        self.0 = TURN;
    }
}

/// Runs hooks until the connection is ending and every message that had arrived is delivered.
#[expect(
    clippy::manual_async_fn,
    reason = "a waiting connection would own its arguments twice"
)]
fn run<I, R, H>(link: &mut Link<I, R>, session: &mut Session<H>) -> impl Future<Output = ()> + Send
where
    I: Io,
    R: Runtime,
    H: Hooks + ?Sized,
{
    async move {
        let mut turn = Turn::default();
        loop {
            let next = poll_fn(|cx| poll_next(link, session, &mut turn, cx)).await;
            // In a box: a waiting connection owns no room for it.
            if Box::pin(work(link, session, &mut turn, next)).await {
                return;
            }
            // The work has arranged its wake-up.
            let mut slept = false;
            poll_fn(|_| match std::mem::replace(&mut slept, true) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
        }
    }
}

/// Runs the hook of this step, and of others until there is none for now. Returns whether it was the
/// last step of all.
async fn work<I: Io, R: Runtime, H: Hooks + ?Sized>(
    link: &mut Link<I, R>,
    session: &mut Session<H>,
    turn: &mut Turn,
    mut next: Next,
) -> bool {
    loop {
        let is_message = matches!(next, Next::Step(Step::Message(_)));
        if link.must_pace() || link.must_wait_for_others(is_message) {
            Box::pin(link.pace()).await;
        }
        match next {
            Next::Step(step) => {
                turn.count(1 + step.weight());
                match step {
                    Step::Message(message) => {
                        link.note_spoken();
                        link.beside(session.message(message)).await;
                    }
                    Step::Ping(data) => link.beside(session.ping(data)).await,
                    Step::Pong(data) => link.beside(session.pong(data)).await,
                    Step::Drain => link.beside(session.drain()).await,
                    Step::Failed(error) => link.beside(session.error(error)).await,
                    Step::Closed => return true,
                }
                // The most frequent next step. The first message of all may have to wait.
                while is_message
                    && !turn.is_over()
                    && !link.must_pace()
                    && let Some(message) = link.next_message()
                {
                    link.beside(session.message(message)).await;
                    turn.count(1);
                }
            }
            // Other notices that were due with it come before the next message.
            Next::Notice(notice) => {
                turn.count(1);
                link.beside(session.notice(notice)).await;
            }
        }
        if link.must_pace() {
            turn.end();
        }
        let polled = poll_fn(|cx| Poll::Ready(poll_next(link, session, turn, cx)));
        match polled.await {
            Poll::Ready(then) => next = then,
            Poll::Pending => return false,
        }
    }
}

/// Returns what to do next. If there is nothing for now, arranges a wake-up of the task for it.
fn poll_next<I: Io, R: Runtime, H: Hooks + ?Sized>(
    link: &mut Link<I, R>,
    session: &mut Session<H>,
    turn: &mut Turn,
    cx: &mut Context<'_>,
) -> Poll<Next> {
    let is_over = turn.is_over();
    if is_over {
        link.turn_out(cx);
    } else {
        // Before the next message: what messages bring about must not pile up meanwhile.
        if let Some(notice) = session.next_notice() {
            return Poll::Ready(Next::Notice(notice));
        }
        if let Some(step) = link.turn(cx) {
            return Poll::Ready(Next::Step(step));
        }
    }
    link.end_turn(cx);
    session.poll_tasks(cx);
    // What brings about itself would never let others run.
    if !is_over && let Some(notice) = session.next_notice() {
        return Poll::Ready(Next::Notice(notice));
    }
    *turn = Turn::default();
    Poll::Pending
}
