use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use crossws_core::BoxFuture;
use crossws_core::adapter::Background;
use worker::Delay;
use worker::send::SendFuture;
use worker::wasm_bindgen_futures::spawn_local;

use crate::link::deadline;

/// Returns the platform's time and tasks, for responses such as event streams. Time stands still
/// while code runs: the platform moves it at events.
///
/// Its tasks end with the event of their request, unless the platform is told to wait for them.
pub fn background() -> Arc<dyn Background> {
    Arc::new(Platform)
}

struct Platform;

impl Background for Platform {
    fn now(&self) -> Duration {
        Duration::from_millis(deadline::now())
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(SendFuture::new(sleep(time)))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        spawn_local(future);
    }
}

/// Waits for this long. The platform's delay wakes the task that polls it first, but the body of a
/// response is polled by another task for each chunk.
async fn sleep(time: Duration) {
    let latest = Arc::new(Latest::default());
    let waker = Waker::from(Arc::clone(&latest));
    let mut delay = pin!(Delay::from(time));
    poll_fn(|cx| {
        latest.set(cx.waker());
        delay.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await;
}

/// The task that polled last.
#[derive(Default)]
struct Latest(Mutex<Option<Waker>>);

impl Latest {
    fn set(&self, waker: &Waker) {
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *latest {
            Some(latest) => latest.clone_from(waker),
            None => *latest = Some(waker.clone()),
        }
    }
}

impl Wake for Latest {
    fn wake(self: Arc<Self>) {
        let latest = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = latest {
            waker.wake();
        }
    }
}
