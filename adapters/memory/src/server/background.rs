use std::sync::{Arc, Weak};
use std::time::Duration;

use crossws_core::BoxFuture;
use crossws_core::adapter::Background;

use crate::server::World;
use crate::time::clock::Clock;

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
        Box::pin(self.clock.sleep(time))
    }

    fn spawn(&self, future: BoxFuture<'static, ()>) {
        if let Some(world) = self.world.upgrade() {
            world.executor.spawn(future);
        }
    }
}
