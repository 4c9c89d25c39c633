use std::future::poll_fn;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::time::Duration;

use crossws_core::BoxFuture;
use crossws_core::adapter::Background;

use crate::server::World;
use crate::time::clock::{Alarm, Clock};

/// Virtual time, and tasks that run whenever the toolkit is awaited. They end with the server.
pub(crate) struct Virtual {
    pub(crate) clock: Arc<Clock>,
    /// The world owns the hub, which owns this.
    pub(crate) world: Weak<World>,
}

impl Background for Virtual {
    fn now(&self) -> Duration {
        self.clock.now()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let clock = Arc::clone(&self.clock);
        let until = clock.now().saturating_add(time);
        let mut alarm = Alarm::new(&clock);
        Box::pin(poll_fn(move |cx| {
            if clock.now() >= until {
                return Poll::Ready(());
            }
            alarm.set(Some(until), cx.waker());
            Poll::Pending
        }))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        if let Some(world) = self.world.upgrade() {
            world.executor.spawn(future);
        }
    }
}
