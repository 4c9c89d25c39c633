use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, SystemTime};

use crossws_core::BoxFuture;
use crossws_core::adapter::Background;
use worker::Delay;
use worker::send::SendFuture;
use worker::wasm_bindgen_futures::spawn_local;

use crate::link::deadline;
use crate::sync::lock;

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

    fn wall_clock(&self) -> SystemTime {
        deadline::wall_clock()
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
async fn sleep(mut time: Duration) {
    let latest = Arc::new(Latest::default());
    let waker = Waker::from(Arc::clone(&latest));
    loop {
        let part = time.min(Duration::from_millis(deadline::LONGEST));
        let mut delay = pin!(Delay::from(part));
        poll_fn(|cx| {
            *lock(&latest.0) = Some(cx.waker().clone());
            delay.as_mut().poll(&mut Context::from_waker(&waker))
        })
        .await;
        time -= part;
        if time.is_zero() {
            return;
        }
    }
}

/// The task that polled last.
#[derive(Default)]
struct Latest(Mutex<Option<Waker>>);

impl Wake for Latest {
    fn wake(self: Arc<Self>) {
        let latest = lock(&self.0).take();
        latest.into_iter().for_each(Waker::wake);
    }
}
