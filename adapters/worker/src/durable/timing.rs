//! The deadlines of an object's connections, for all of which it has one alarm.

use std::rc::Rc;

use crossws_core::Resolve;
use worker::js_sys::{Date, Function, Reflect};
use worker::wasm_bindgen::JsCast;

use crate::durable::Durable;
use crate::link::Link;

impl<R: Resolve> Durable<R> {
    /// Acts on passed deadlines before any other event, in case the alarm is late: no message
    /// reaches a peer, or comes from it, after its time is over.
    pub(super) fn catch_up(&self, now: u64) {
        if self.alarm.is_due(now) {
            self.keep_time(now);
        }
    }

    /// Acts on each peer's passed deadlines, and sets the alarm for the next one. Returns the peers
    /// whose hooks run because of a deadline: `timer` and `close`.
    pub(super) fn keep_time(&self, now: u64) -> Vec<Rc<Link>> {
        self.alarm.rang();
        let mut told: Vec<_> = self.links.all();
        told.retain(|link| {
            let given = link.given();
            if let Some(at) = self.auto_responded(link) {
                link.heard(at);
            }
            if let Some(closed) = link.keep_time(now) {
                self.closed(link, closed);
            }
            link.given() > given
        });
        self.set_alarm();
        for link in &told {
            self.run_hooks(link, false);
        }
        told
    }

    /// Returns when the platform last answered this client without waking the object.
    fn auto_responded(&self, link: &Link) -> Option<u64> {
        let state = self.state.as_raw();
        let method = Reflect::get(state, &"getWebSocketAutoResponseTimestamp".into()).ok()?;
        let date = method
            .dyn_into::<Function>()
            .ok()?
            .call1(state, link.socket.raw())
            .ok()?;
        let time = date.dyn_into::<Date>().ok()?.get_time();
        // A time since the epoch: positive, and far below the type's limit.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        Some(time as u64)
    }

    /// Sets the alarm for the next deadline of any peer.
    pub(super) fn set_alarm(&self) {
        if let Some(at) = self.links.next_due() {
            self.alarm.by(at);
        }
    }
}
