use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crossws_core::adapter::{Notice, OpeningPeer, RestoredPeer, Session, Start};
use crossws_core::{CloseCode, CloseFrame, ClosedBy, Hooks, Resolve};

use crate::durable::alarm::Alarm;
use crate::link::{Event, Link};

/// Runs the hooks of a peer in an object until the connection ends. `fresh` means that its `open`
/// hook has not run.
pub(crate) async fn claim_and_run<R: Resolve>(
    link: Rc<Link>,
    seat: RestoredPeer,
    start: Arc<Start>,
    resolver: Arc<R>,
    alarm: Arc<Alarm>,
    fresh: bool,
) {
    let _over = Over(&link);
    if start.ready().await.is_err() {
        return part(&link, CloseFrame::new(CloseCode::TRY_AGAIN, "not started"));
    }
    match seat.claim(&resolver).await {
        Ok(joined) => {
            if let Some(at) = link.routed() {
                alarm.by(at);
            }
            drop(alarm);
            run(joined, &link, fresh).await;
        }
        Err(frame) => part(&link, frame),
    }
}

/// Closes a peer that no hooks claim. No hook runs for it.
fn part(link: &Link, frame: CloseFrame) {
    link.socket.close(frame, ClosedBy::Server, None);
    link.socket.forget();
}

/// Runs the hooks of one connection.
pub(crate) async fn run<H: Hooks + ?Sized>(joined: OpeningPeer<H>, link: &Link, fresh: bool) {
    let mut session = if fresh {
        joined.open().await
    } else {
        joined.resume()
    };
    let mut in_a_row = 0;
    loop {
        let next = next(link, &mut session, in_a_row >= MOST_IN_A_ROW).await;
        in_a_row = match next {
            Next::Notice(_) => in_a_row + 1,
            Next::Event(_) => 0,
        };
        match next {
            Next::Event(Event::Message(message)) => session.message(message).await,
            Next::Event(Event::Failed(error)) => session.error(error).await,
            Next::Notice(notice) => {
                session.notice(notice).await;
                continue;
            }
            Next::Event(Event::Due) => {
                while let Some(notice) = due(&mut session).await {
                    session.notice(notice).await;
                }
            }
            Next::Event(Event::Closed(closed)) => return session.close(closed).await,
            Next::Event(Event::Abandoned) => return,
        }
        link.handled();
    }
}

/// After this many notices an event has its turn: what brings about itself must not keep events waiting.
const MOST_IN_A_ROW: u32 = 64;

enum Next {
    Event(Event),
    Notice(Notice),
}

/// What is due by now.
async fn due<H: Hooks + ?Sized>(session: &mut Session<H>) -> Option<Notice> {
    poll_fn(|cx| {
        session.poll_tasks(cx);
        Poll::Ready(session.next_notice())
    })
    .await
}

/// Returns what comes next: a notice before an event, because what messages bring about must not pile up
/// meanwhile; or an event first.
async fn next<H: Hooks + ?Sized>(link: &Link, session: &mut Session<H>, event_first: bool) -> Next {
    poll_fn(|cx| {
        session.poll_tasks(cx);
        if !event_first && let Some(notice) = session.next_notice() {
            return Poll::Ready(Next::Notice(notice));
        }
        match link.poll_event(cx) {
            Poll::Ready(event) => Poll::Ready(Next::Event(event)),
            Poll::Pending => (session.next_notice())
                .map_or(Poll::Pending, |notice| Poll::Ready(Next::Notice(notice))),
        }
    })
    .await
}

/// Notifies the tasks that wait for the pump when it ends, however it ends.
struct Over<'a>(&'a Link);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over();
    }
}
