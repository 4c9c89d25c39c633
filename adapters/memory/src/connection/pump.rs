//! Runs the hooks of a connection, one at a time.

use std::future::poll_fn;
use std::task::{Context, Poll};

use crossws_core::Hooks;
use crossws_core::adapter::{Notice, OpeningPeer, Session};
use crossws_proto::connection::Step;

use crate::connection::hook;
use crate::connection::link::Link;

/// Runs the hooks of a connection to its end.
pub(crate) async fn run<H: Hooks + ?Sized>(mut link: Link, joined: OpeningPeer<H>) {
    link.connection.attach(joined.lifeline());
    let mut session = link.alongside(joined.open()).await;
    loop {
        let next = poll_fn(|cx| next(&mut link, &mut session, cx)).await;
        match next {
            PumpNext::Step(Step::Message(message)) => {
                link.alongside(session.message(message)).await;
            }
            PumpNext::Step(Step::Ping(data)) => link.alongside(session.ping(data)).await,
            PumpNext::Step(Step::Pong(data)) => link.alongside(session.pong(data)).await,
            PumpNext::Step(Step::Drain) => link.alongside(session.drain()).await,
            PumpNext::Step(Step::Failed(error)) => link.alongside(session.error(error)).await,
            PumpNext::Step(Step::Closed) => break,
            PumpNext::Notice(notice) => link.alongside(session.notice(notice)).await,
        }
    }
    let closed = link.connection.closed();
    link.alongside(session.close(closed)).await;
    link.finish().await;
}

enum PumpNext {
    Step(Step),
    Notice(Notice),
}

/// Returns what happens next while no hook runs.
fn next<H: Hooks + ?Sized>(
    link: &mut Link,
    session: &mut Session<H>,
    cx: &mut Context<'_>,
) -> Poll<PumpNext> {
    if let Poll::Ready(step) = link.poll_next(cx) {
        return Poll::Ready(PumpNext::Step(step));
    }
    // A message of the peer's own futures wakes this again.
    let hub = link.hub();
    hook::polled(&hub, || session.poll_notice(cx)).map(PumpNext::Notice)
}
