use std::future::poll_fn;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use crossws_core::adapter::{Notice, OpeningPeer, RestoredPeer, Session, Start};
use crossws_core::{CloseCode, CloseFrame, ClosedBy, Hooks, Resolve};

use crate::durable::alarm::Alarm;
use crate::link::{Event, Link};

/// Runs the hooks of a peer in an object until the connection ends. `fresh` says that its `open`
/// hook has not run.
pub(crate) async fn drive<R: Resolve>(
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

/// No hooks claim the peer: its client is told, and no hook hears of it.
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
    loop {
        match next(link, &mut session).await {
            Next::Event(Event::Message(message)) => session.message(message).await,
            Next::Event(Event::Failed(error)) => session.error(error).await,
            Next::Notice(notice) => session.notice(notice).await,
            Next::Event(Event::Closed(closed)) => return session.close(closed).await,
            Next::Event(Event::Abandoned) => return,
        }
        link.handled();
    }
}

enum Next {
    Event(Event),
    Notice(Notice),
}

async fn next<H: Hooks + ?Sized>(link: &Link, session: &mut Session<H>) -> Next {
    poll_fn(|cx| match link.poll_event(cx) {
        Poll::Ready(event) => Poll::Ready(Next::Event(event)),
        Poll::Pending => session.poll_notice(cx).map(Next::Notice),
    })
    .await
}

/// Tells whoever waits for the driver that it is over, however it ended.
struct Over<'a>(&'a Link);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.over();
    }
}
