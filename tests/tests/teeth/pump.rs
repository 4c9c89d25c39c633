use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use crossws_conformance::{Event, Frame};
use crossws_core::adapter::{Liveness, LivenessEvent, OpeningPeer, Session};
use crossws_core::{
    Capabilities, CloseCode, CloseFrame, Closed, ClosedBy, Dropped, Error, Hooks, Limits, Message,
    PeerId,
};
use tokio::sync::mpsc::UnboundedReceiver;

use super::faults::Fault;
use super::pipe::Pipe;

/// Its capabilities: everything except time and raw bytes.
pub const CAPABILITIES: Capabilities = Capabilities::PUBSUB
    .with(Capabilities::BINARY)
    .with(Capabilities::CLOSE_CODE)
    .with(Capabilities::TERMINATE)
    .with(Capabilities::PING)
    .with(Capabilities::DRAIN)
    .with(Capabilities::REMOTE_ADDR)
    .with(Capabilities::SUBPROTOCOL)
    .with(Capabilities::HANDLER)
    .with(Capabilities::PANIC)
    .with(Capabilities::SHUTDOWN)
    .with(Capabilities::CONCURRENT_WRITE)
    .with(Capabilities::SHARED_HUB)
    .with(Capabilities::ROUTES)
    .with(Capabilities::RETAINED);

/// An event for a connection's task.
pub enum Inbound {
    Frame(Frame),
    Vanished,
    Drained,
    Closing(CloseFrame),
    Terminated,
    TooSlow,
    /// The queue was too old, and lost this.
    TooOld(Dropped),
    Lost(Dropped),
    Silent,
    Violation(CloseCode),
}

/// Starts a connection's task. Generic, because for a trait object the compiler cannot prove here
/// that the hooks' futures are `Send`.
pub fn spawn<H: Hooks + ?Sized>(
    joined: OpeningPeer<H>,
    pipe: Arc<Pipe>,
    inbound: UnboundedReceiver<Inbound>,
    fault: Option<Fault>,
) {
    tokio::spawn(run(joined, pipe, inbound, fault));
}

async fn run<H: Hooks + ?Sized>(
    joined: OpeningPeer<H>,
    pipe: Arc<Pipe>,
    mut inbound: UnboundedReceiver<Inbound>,
    fault: Option<Fault>,
) {
    let mut watch = Watch::new(pipe.limits(), joined.peer().id());
    let lifeline = joined.lifeline();
    pipe.busy(true);
    let mut session = joined.open().await;
    pipe.busy(false);
    let mut waiting = VecDeque::new();
    let closed = loop {
        let event = match waiting.pop_front() {
            Some(event) => event,
            None => next(&mut session, &pipe, &mut inbound, &mut watch, fault).await,
        };
        if fault == Some(Fault::DeliversOutOfOrder) {
            while let Ok(later) = inbound.try_recv() {
                waiting.push_front(later);
            }
        }
        match event {
            Inbound::Frame(frame) => {
                pipe.busy(true);
                let closed = deliver(&mut session, &pipe, frame, fault).await;
                pipe.busy(false);
                if let Some(closed) = closed {
                    break closed;
                }
            }
            Inbound::Drained => session.drain().await,
            Inbound::Lost(lost) => lifeline.dropped(lost),
            Inbound::Violation(code) => violated(&mut session, code).await,
            Inbound::Vanished if fault == Some(Fault::CallsALossClean) => {
                break Closed::by_client(None);
            }
            Inbound::Vanished => break Closed::lost(ClosedBy::Network),
            Inbound::Terminated => break Closed::lost(ClosedBy::Server),
            Inbound::TooOld(lost) if fault != Some(Fault::NeverTellsWhatItDrops) => {
                lifeline.dropped(lost);
                waiting.push_front(Inbound::TooSlow);
            }
            Inbound::TooSlow | Inbound::TooOld(_) => {
                let frame = CloseFrame::new(CloseCode::TRY_AGAIN, "slow consumer");
                break Closed::by_us(&frame, ClosedBy::Server, false);
            }
            Inbound::Silent => {
                let frame = CloseFrame::new(CloseCode::TIMEOUT, "silent for too long");
                break Closed::by_us(&frame, ClosedBy::Timeout, false);
            }
            Inbound::Closing(frame) => {
                let answered = answer(&mut inbound);
                let clean = tokio::time::timeout(pipe.limits().close_timeout, answered).await;
                break Closed::by_us(&frame, ClosedBy::Server, clean == Ok(true));
            }
        }
    };
    if closed.clean {
        pipe.end(Event::End);
    } else {
        pipe.end(Event::Cut);
    }
    match fault {
        Some(Fault::LeaksConnections) => std::mem::forget(session),
        Some(Fault::DropsItsSessions) => {}
        _ => session.close(closed).await,
    }
}

/// A connection's deadlines. Without pings, so that silence counts only if the limits say so.
struct Watch {
    began: Instant,
    live: Liveness,
}

impl Watch {
    fn new(limits: &Limits, id: PeerId) -> Self {
        let idle = limits
            .idle_timeout
            .filter(|_| limits.ping_interval.is_none());
        let limits = limits.clone().ping_interval(None).idle_timeout(idle);
        Self {
            began: Instant::now(),
            live: Liveness::new(&limits, id, Duration::ZERO),
        }
    }
}

/// Returns the next event. Failures of the peer's own futures are reported on the way.
async fn next<H: Hooks + ?Sized>(
    session: &mut Session<H>,
    pipe: &Pipe,
    inbound: &mut UnboundedReceiver<Inbound>,
    watch: &mut Watch,
    fault: Option<Fault>,
) -> Inbound {
    loop {
        let happens = poll_fn(|cx| {
            if fault != Some(Fault::ForgetsSpawnedFutures)
                && let Poll::Ready(notice) = session.poll_notice(cx)
            {
                return Poll::Ready(Err(notice));
            }
            inbound.poll_recv(cx).map(Ok)
        });
        // Polls the clock, which a real adapter would not do.
        let Ok(happened) = tokio::time::timeout(Duration::from_millis(50), happens).await else {
            if let Some(lost) = pipe.too_old() {
                return Inbound::TooOld(lost);
            }
            match watch.live.poll(watch.began.elapsed()) {
                Some(LivenessEvent::Expired) => session.peer().close(CloseCode::RESTART, "expired"),
                Some(LivenessEvent::Silent) => return Inbound::Silent,
                Some(LivenessEvent::Inactive) => {
                    session.peer().close(CloseCode::TIMEOUT, "inactive");
                }
                _ => {}
            }
            continue;
        };
        match happened {
            Ok(event) => {
                let now = watch.began.elapsed();
                watch.live.heard(now);
                if let Some(Inbound::Frame(Frame::Text(_) | Frame::Binary(_))) = &event {
                    watch.live.active(now);
                }
                return event.unwrap_or(Inbound::Vanished);
            }
            Err(notice) => session.notice(notice).await,
        }
    }
}

async fn deliver<H: Hooks + ?Sized>(
    session: &mut Session<H>,
    pipe: &Pipe,
    frame: Frame,
    fault: Option<Fault>,
) -> Option<Closed> {
    let most = pipe.limits().max_message_size;
    match frame {
        Frame::Text(text) if !most.allows(text.len()) && fault != Some(Fault::TakesAnySize) => {
            violated(session, CloseCode::TOO_BIG).await;
        }
        Frame::Text(text)
            if fault == Some(Fault::RefusesWhatIsNoJson)
                && serde_json::from_str::<serde_json::Value>(&text).is_err() =>
        {
            violated(session, CloseCode::INVALID).await;
        }
        Frame::Text(text) => session.message(Message::from(text)).await,
        Frame::Binary(bytes) if fault == Some(Fault::TurnsBinaryIntoText) => {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            session.message(Message::from(text)).await;
        }
        Frame::Binary(bytes) => session.message(Message::from(bytes)).await,
        Frame::Ping(data) => session.ping(data.into()).await,
        Frame::Pong(data) => session.pong(data.into()).await,
        Frame::Close(frame) => {
            pipe.push(Event::Close(frame.clone()));
            let frame =
                frame.map(|(code, reason)| CloseFrame::new(CloseCode::new(code).unwrap(), reason));
            return Some(Closed::by_client(frame.as_ref()));
        }
    }
    None
}

async fn violated<H: Hooks + ?Sized>(session: &mut Session<H>, code: CloseCode) {
    session.peer().close(code, "");
    session.error(Error::protocol("a broken limit")).await;
}

/// Waits for the client's close frame; earlier frames are dropped.
async fn answer(inbound: &mut UnboundedReceiver<Inbound>) -> bool {
    loop {
        match inbound.recv().await {
            Some(Inbound::Frame(Frame::Close(_))) => return true,
            Some(Inbound::Vanished | Inbound::Terminated) | None => return false,
            Some(_) => {}
        }
    }
}
