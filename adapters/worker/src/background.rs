use std::sync::Arc;
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
        Box::pin(SendFuture::new(async move {
            Delay::from(time).await;
        }))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        spawn_local(future);
    }
}
