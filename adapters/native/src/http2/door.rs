use std::sync::Arc;

use crossws_proto::sync::Mutex;

use super::stream::StreamIo;
use crate::driver::stage::Stage;

/// A place for the connection that an accepted upgrade becomes, in the extensions of an extended
/// CONNECT of this crate's own server. The server takes it when a successful response has come back
/// through the middleware. Any other response drops it.
#[derive(Clone, Default)]
pub(crate) struct StreamDoor(Arc<Mutex<Option<Run>>>);

/// Builds the connection over its stream.
type Run = Box<dyn FnOnce(StreamIo) -> Stage + Send>;

impl StreamDoor {
    pub(crate) fn leave(&self, run: impl FnOnce(StreamIo) -> Stage + Send + 'static) {
        let old = self.0.lock().replace(Box::new(run));
        // Without the lock: its hooks are the application's.
        drop(old);
    }

    pub(crate) fn take(&self) -> Option<Run> {
        self.0.lock().take()
    }
}
