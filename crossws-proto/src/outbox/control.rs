//! The waiting control frames, and the close frame.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use crossws_core::adapter::MeterCell;
use crossws_core::{CloseFrame, ControlError};

use super::{Clock, Framing};
use crate::frame::Opcode;

/// Most pings of one burst that are answered, the latest: 2 KiB of answers.
const MOST_ANSWERS: usize = 16;

/// At least one frame, or nothing. Rare, and therefore not a part of every connection.
#[derive(Debug, Default)]
pub(super) struct Controls(Option<Box<Frames>>);

#[derive(Debug, Default)]
struct Frames {
    /// At most one of our pings may wait.
    ping: Option<Bytes>,
    /// Pongs, which are the answers to the client's pings: to all of a burst, and only to the
    /// latest while the client does not take its frames (RFC 6455 section 5.5.3 allows that).
    answers: VecDeque<Bytes>,
    /// Sent after everything else.
    close: Option<Close>,
}

/// `None` for a close frame without a code.
#[derive(Debug)]
struct Close(Option<CloseFrame>);

/// Control frames on their way out.
#[derive(Default)]
pub(super) struct ControlFrames {
    /// The encoded frames, one after the other.
    pub(super) frames: BytesMut,
    pub(super) count: usize,
    /// How many of them are pings.
    pub(super) pings: u16,
}

impl Controls {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Queues the answer to a ping, or an unsolicited pong.
    pub(super) fn answer(&mut self, data: Bytes, client_is_slow: bool) {
        let answers = &mut self.frames().answers;
        if client_is_slow {
            answers.clear();
        } else if answers.len() == MOST_ANSWERS {
            answers.pop_front();
        }
        answers.push_back(data);
    }

    /// Queues a ping of this side's own, unless one waits.
    pub(super) fn heartbeat(&mut self) {
        self.frames().ping.get_or_insert_default();
    }

    /// Queues a ping of the application.
    pub(super) fn ping(&mut self, data: Bytes) -> Result<(), ControlError> {
        let ping = &mut self.frames().ping;
        if ping.is_some() {
            return Err(ControlError::Busy);
        }
        *ping = Some(data);
        Ok(())
    }

    /// Queues a close frame; `None` for one without a code.
    pub(super) fn close_with(&mut self, frame: Option<CloseFrame>) {
        self.frames().close = Some(Close(frame));
    }

    /// Returns the close frame that waits, if it has a code.
    pub(super) fn close(&self) -> Option<&CloseFrame> {
        self.0.as_ref()?.close.as_ref()?.0.as_ref()
    }

    /// Takes the close frame, if one waits.
    pub(super) fn take_close(&mut self) -> Option<Option<CloseFrame>> {
        let frames = self.0.as_mut()?;
        let close = frames.close.take()?;
        if !frames.has_controls() {
            self.0 = None;
        }
        Some(close.0)
    }

    pub(super) fn take<F: Framing>(
        &mut self,
        meter: &MeterCell,
        clock: &impl Clock,
    ) -> ControlFrames {
        let Some(frames) = &mut self.0 else {
            return ControlFrames::default();
        };
        let controls = frames.take::<F>(meter, clock);
        if frames.close.is_none() {
            self.0 = None;
        }
        controls
    }

    /// Returns the frames, allocated if needed.
    fn frames(&mut self) -> &mut Frames {
        self.0.get_or_insert_default()
    }
}

impl Frames {
    fn has_controls(&self) -> bool {
        self.ping.is_some() || !self.answers.is_empty()
    }

    fn take<F: Framing>(&mut self, meter: &MeterCell, clock: &impl Clock) -> ControlFrames {
        let mut controls = ControlFrames::default();
        for data in std::mem::take(&mut self.answers) {
            controls.put::<F>(Opcode::Pong, &data);
        }
        if let Some(data) = self.ping.take() {
            controls.put::<F>(Opcode::Ping, &data);
            controls.pings += 1;
            if let Some(meter) = meter.get() {
                meter.pinged(data, clock.now());
            }
        }
        controls
    }
}

impl ControlFrames {
    fn put<F: Framing>(&mut self, opcode: Opcode, data: &[u8]) {
        if F::put_control(&mut self.frames, opcode, data) {
            self.count += 1;
        }
    }
}
