//! The platform's timers.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use worker::js_sys::{Array, global};
use worker::wasm_bindgen::JsValue;
use worker::wasm_bindgen::closure::Closure;

use crate::error::report;
use crate::js::call;

/// The longest timer. The platform counts milliseconds in a signed 32-bit number.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A wait. It wakes the task that polled it last, and may be dropped at any time. The platform throws where a
/// timer is cleared outside of an event, and the exception would leave Rust's frames without their cleanup:
/// it is caught here.
pub(crate) struct Sleep {
    left: Duration,
    timer: Option<SleepTimer>,
}

struct SleepTimer {
    id: JsValue,
    state: Rc<RefCell<State>>,
    /// What the platform calls.
    _ring: Closure<dyn FnMut()>,
}

#[derive(Default)]
struct State {
    rang: bool,
    task: Option<Waker>,
}

impl Sleep {
    pub(crate) fn new(time: Duration) -> Self {
        Self {
            left: time,
            timer: None,
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let Some(timer) = &self.timer else {
                let part = self.left.min(LONGEST);
                self.left -= part;
                self.timer = Some(SleepTimer::set(part));
                continue;
            };
            let mut state = timer.state.borrow_mut();
            if !state.rang {
                state.task = Some(cx.waker().clone());
                return Poll::Pending;
            }
            drop(state);
            if self.left.is_zero() {
                return Poll::Ready(());
            }
            self.timer = None;
        }
    }
}

impl SleepTimer {
    fn set(time: Duration) -> Self {
        let state = Rc::<RefCell<State>>::default();
        let rings = Rc::clone(&state);
        let ring = move || {
            let mut state = rings.borrow_mut();
            state.rang = true;
            let task = state.task.take();
            drop(state);
            task.into_iter().for_each(Waker::wake);
        };
        let ring = Closure::wrap_assert_unwind_safe(Box::new(ring) as Box<dyn FnMut()>);
        // Not before the time has passed.
        let time = time.as_micros().div_ceil(1000);
        let time = u32::try_from(time).unwrap_or(u32::MAX);
        let arguments = Array::of2(ring.as_ref(), &time.into());
        let id = call(&global(), "setTimeout", &arguments).unwrap_or_else(|error| {
            report("there are no timers here", worker::Error::from(error));
            JsValue::UNDEFINED
        });
        Self {
            id,
            state,
            _ring: ring,
        }
    }
}

impl Drop for SleepTimer {
    fn drop(&mut self) {
        if !self.state.borrow().rang {
            // An error means that the event whose timer it is has ended, and the timer with it.
            let _ = call(&global(), "clearTimeout", &Array::of1(&self.id));
        }
    }
}
