//! One connection's task: runs its hooks, and beside whatever hook is running reads, answers
//! control frames, writes the outbox, keeps time, and sees the client go.

use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use crossws_core::{Accepted, Error, Hooks, Message, Session};

use crate::handshake::Agreed;
use crate::io::Io;
use crate::link::{Inbound, Link};
use crate::outbox::Outbox;
use crate::outlet::Outlet;
use crate::runtime::Runtime;
use crate::sync::Mutex;
use crate::transport::NativeTransport;

/// Runs a connection whose 101 has been written, from `open` to the end of the TCP connection.
/// `early` is what the client sent behind its request, `agreed` what its handshake settled.
///
/// # Cancel safety
/// Dropping the future drops the connection and the running hook; the `close` hook does not run.
pub fn pump<I, R, H>(
    io: I,
    early: BytesMut,
    accepted: Accepted<H>,
    agreed: Agreed,
    runtime: R,
) -> impl Future<Output = ()> + Send
where
    I: Io,
    R: Runtime,
    H: Hooks + ?Sized,
{
    // Prepared before the future, which then owns the link and not its ingredients too.
    let outbox = Outbox::new(accepted.limits());
    let limits = accepted.limits().clone();
    let id = accepted.id();
    let outlet = Arc::new(Mutex::new(Outlet::new(io)));
    let transport = NativeTransport::new(outbox.clone(), &agreed).with_outlet(outlet.clone());
    let engine = agreed.into_engine(&limits);
    let link = Link::new(outlet, early, outbox, runtime, limits, id, engine);
    let mut link = Box::new(link.with_deflater(transport.deflater()));
    let joined = accepted.join(transport);
    async move {
        match joined {
            Ok(joined) => {
                link.attach(joined.lifeline());
                let session = link.beside(joined.open()).await;
                let session = run(&mut link, session).await;
                let closed = link.closed();
                link.beside(session.close(closed)).await;
            }
            Err(frame) => link.refuse(frame),
        }
        link.finish().await;
    }
}

/// Hooks run in one poll before the pump looks at its socket again and lets other tasks run.
const TURN: usize = 64;

enum Step {
    Message(Message),
    Ping(Bytes),
    Pong(Bytes),
    Drain,
    Failed(Error),
    Closed,
}

/// Runs hooks until the connection is ending and everything that had arrived is delivered.
async fn run<I, R, H>(link: &mut Link<I, R>, mut session: Session<H>) -> Session<H>
where
    I: Io,
    R: Runtime,
    H: Hooks + ?Sized,
{
    let mut turn = 0;
    loop {
        let mut step = None;
        std::future::poll_fn(|cx| {
            if turn >= TURN {
                // Written and read once in between; then at once again, after the others.
                turn = 0;
                link.poll(cx);
                if let Poll::Ready(error) = session.poll_tasks(cx) {
                    step = Some(Step::Failed(error));
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            // Everything that has been read is answered before anything is written: a burst of
            // requests leaves as one burst of answers.
            step = next(link);
            if step.is_none() {
                link.refill();
                step = next(link);
            }
            if step.is_none() {
                turn = 0;
                link.poll(cx);
                step = next(link);
            }
            if step.is_none()
                && let Poll::Ready(error) = session.poll_tasks(cx)
            {
                step = Some(Step::Failed(error));
            }
            if step.is_some() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        turn += 1;
        match step {
            Some(Step::Message(message)) => link.beside(session.message(message)).await,
            Some(Step::Ping(data)) => link.beside(session.ping(data)).await,
            Some(Step::Pong(data)) => link.beside(session.pong(data)).await,
            Some(Step::Drain) => link.beside(session.drain()).await,
            Some(Step::Failed(error)) => link.beside(session.error(error)).await,
            Some(Step::Closed) => return session,
            None => {}
        }
    }
}

fn next<I: Io, R: Runtime>(link: &mut Link<I, R>) -> Option<Step> {
    if link.take_drained() {
        return Some(Step::Drain);
    }
    match link.next_inbound() {
        Some(Inbound::Message(message)) => Some(Step::Message(message)),
        Some(Inbound::Ping(data)) => Some(Step::Ping(data)),
        Some(Inbound::Pong(data)) => Some(Step::Pong(data)),
        Some(Inbound::Failed(error)) => Some(Step::Failed(error)),
        None if link.is_ending() => Some(Step::Closed),
        None => None,
    }
}
