use std::sync::Arc;

use crossws_conformance::Event;
use crossws_core::adapter::{
    ControlFrame, MeterCell, OutboundQueue, Publication, Receipt, Transport,
};
use crossws_core::{
    Capabilities, CloseFrame, ControlError, DropCause, Dropped, Message, Overflow, SendError,
    SendOptions, Sent,
};
use tokio::sync::mpsc::UnboundedSender;

use super::Pipe;
use crate::faults::Fault;
use crate::pump::Inbound;

/// The transport.
pub struct Wire(pub Arc<Pipe>, pub UnboundedSender<Inbound>);

impl Wire {
    fn after(&self, receipt: Receipt, options: &SendOptions) {
        let overflow = self.0.limits.overflow;
        let cause = match receipt.queued || receipt.dropped != 1 || !options.is_volatile() {
            true => DropCause::Overflow(overflow),
            false => DropCause::Volatile,
        };
        if receipt.dropped > 0 && self.0.fault != Some(Fault::NeverTellsWhatItDrops) {
            let lost = Dropped::new(receipt.dropped, cause);
            let _ = self.1.send(Inbound::Lost(lost));
        }
        let refused = !receipt.queued && receipt.dropped > 0 && cause != DropCause::Volatile;
        if refused && self.0.limits.overflow == Overflow::Close {
            let _ = self.1.send(Inbound::TooSlow);
        }
    }
}

impl Transport for Wire {
    fn capabilities(&self) -> Capabilities {
        if self.0.fault == Some(Fault::PretendsToHaveTopics) {
            return self.0.capabilities.with(Capabilities::PUBSUB);
        }
        self.0.capabilities
    }

    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let receipt = self.0.message(&message, options);
        self.after(receipt, options);
        self.0.changed.notify_one();
        if options.is_volatile() && !receipt.queued && receipt.dropped > 0 {
            return Ok(Sent::Dropped);
        }
        if receipt.queued || self.0.limits.overflow == Overflow::Close && receipt.dropped > 0 {
            Ok(Sent::Written)
        } else if receipt.dropped > 0 {
            Err(SendError::Full(message))
        } else {
            Err(SendError::Closed(message))
        }
    }

    fn publish(&self, publication: &Publication) -> Receipt {
        let options = publication.options();
        let receipt = self.0.message(publication.message(), options);
        self.after(receipt, options);
        match self.0.fault {
            Some(Fault::DeliversPublicationsTwice) => {
                self.0.message(publication.message(), options);
            }
            Some(Fault::ReordersPublications) => self.0.shuffle(),
            _ => {}
        }
        receipt
    }

    fn wake(&self) {
        self.0.changed.notify_one();
    }

    fn close(&self, frame: CloseFrame) {
        let has_code = frame.has_code();
        let shown = (frame.code().get(), frame.reason().to_string());
        // Sent first, because the client may reply at once.
        let _ = self.1.send(Inbound::Closing(frame));
        if self.0.fault == Some(Fault::ClosesWithoutItsFrame) {
            self.0.end(Event::End);
        } else if self.0.fault == Some(Fault::LosesCloseReasons) {
            let shown = has_code.then(|| (shown.0, String::new()));
            self.0.end(Event::Close(shown));
        } else {
            self.0.end(Event::Close(has_code.then_some(shown)));
        }
    }

    fn terminate(&self) {
        if self.0.fault == Some(Fault::TerminatesWithACloseFrame) {
            self.0.push(Event::Close(Some((1001, String::new()))));
        }
        self.0.end(Event::Cut);
        let _ = self.1.send(Inbound::Terminated);
    }

    fn control(&self, frame: ControlFrame) -> Result<(), ControlError> {
        self.0.push(match frame {
            ControlFrame::Ping(data) => Event::Ping(data.to_vec()),
            ControlFrame::Pong(data) => Event::Pong(data.to_vec()),
        });
        Ok(())
    }

    fn meter(&self) -> Option<&MeterCell> {
        Some(&self.0.meter)
    }

    fn queue(&self) -> Option<&dyn OutboundQueue> {
        Some(self)
    }
}

impl OutboundQueue for Wire {
    fn buffered_amount(&self) -> usize {
        let state = self.0.state.lock().unwrap();
        match self.0.fault {
            Some(Fault::CountsNoHeaders) => state.buffered.saturating_sub(2 * state.queue.len()),
            _ => state.buffered,
        }
    }

    fn dropped(&self) -> u64 {
        if self.0.fault == Some(Fault::DoesNotCountWhatItDrops) {
            return 0;
        }
        self.0.state.lock().unwrap().dropped
    }

    fn has_room(&self, len: usize) -> bool {
        let state = self.0.state.lock().unwrap();
        let (bytes, messages) = (state.buffered + len, state.queue.len() + 1);
        let limits = &self.0.limits;
        self.0.fault == Some(Fault::AlwaysHasRoom)
            || state.queue.is_empty()
            || (bytes <= limits.max_buffered.get() / 2 && messages <= limits.max_queued.get() / 2)
    }

    fn is_behind(&self) -> bool {
        false
    }
}
