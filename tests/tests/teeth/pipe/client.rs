use std::sync::Arc;
use std::time::Instant;

use crossws_conformance::{Client, Event, Frame, Fut, Gone};
use crossws_core::CloseCode;
use crossws_core::adapter::PeerEvents;
use tokio::sync::mpsc::UnboundedSender;

use super::{Pipe, size};
use crate::faults::Fault;
use crate::pump::Inbound;

/// The client's end.
pub struct BrittleClient {
    pub pipe: Arc<Pipe>,
    pub inbound: UnboundedSender<Inbound>,
    pub lifeline: Option<PeerEvents>,
    pub fault: Option<Fault>,
    pub each_message: Option<EachMessage>,
}

/// The effect of a fault on every message.
pub type EachMessage = Box<dyn Fn() -> Fut<'static, ()>>;

impl BrittleClient {
    fn take(&self) -> Option<Event> {
        let mut state = self.pipe.state.lock().unwrap();
        if self.fault == Some(Fault::BuffersUntilTheHookEnds) && state.busy {
            return None;
        }
        let (_, event) = state.queue.pop_front()?;
        state.buffered -= size(&event);
        state.waiting = (state.buffered > 0).then(Instant::now);
        state.stale = false;
        let drained = state.buffered == 0 && std::mem::take(&mut state.high);
        drop(state);
        self.pipe.count(&event);
        if let Event::Close(frame) = &event {
            // As in every client: a close frame is answered when it is read.
            let _ = self
                .inbound
                .send(Inbound::Frame(Frame::Close(frame.clone())));
        }
        if self.fault != Some(Fault::NeverSaysDrained) {
            if let Some(lifeline) = &self.lifeline {
                lifeline.drained();
            }
            if drained {
                let _ = self.inbound.send(Inbound::Drained);
            }
        }
        Some(event)
    }

    fn ended(&self) {
        if self.fault != Some(Fault::NoticesNothingWhileAHookRuns)
            && let Some(lifeline) = &self.lifeline
        {
            lifeline.ended();
        }
    }
}

impl Client for BrittleClient {
    fn send(&mut self, frame: Frame) -> Fut<'_, Result<(), Gone>> {
        Box::pin(async move {
            match &frame {
                Frame::Text(_) => {
                    if let Some(each) = &self.each_message {
                        each().await;
                    }
                }
                Frame::Ping(_) if self.pipe.too_many_pings() => {
                    let _ = self.inbound.send(Inbound::Violation(CloseCode::POLICY));
                    return Ok(());
                }
                Frame::Ping(data) => {
                    let answers = match self.fault {
                        Some(Fault::IgnoresPings) => false,
                        Some(Fault::AnswersPingsItself) => true,
                        _ => self.pipe.limits.auto_pong,
                    };
                    if answers {
                        self.pipe.push(Event::Pong(data.clone()));
                    }
                }
                Frame::Pong(data) => self.pipe.ponged(data),
                Frame::Close(_) => self.ended(),
                _ => {}
            }
            let sent = self.inbound.send(Inbound::Frame(frame));
            sent.map_err(|_| Gone)
        })
    }

    fn next(&mut self) -> Fut<'_, Event> {
        Box::pin(async move {
            loop {
                if let Some(event) = self.take() {
                    return event;
                }
                self.pipe.changed.notified().await;
            }
        })
    }

    fn vanish(self: Box<Self>) {
        self.ended();
        let _ = self.inbound.send(Inbound::Vanished);
    }
}

impl Drop for BrittleClient {
    fn drop(&mut self) {
        self.ended();
        let _ = self.inbound.send(Inbound::Vanished);
    }
}
