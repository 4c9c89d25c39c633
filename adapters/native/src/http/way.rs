#[cfg(feature = "http2")]
use crossws_proto::sync::Mutex;
use http::Extensions;
use hyper::upgrade::OnUpgrade;

#[cfg(feature = "http2")]
use crate::driver::stage::Stage;
#[cfg(feature = "http2")]
use crate::http2::stream::StreamIo;
#[cfg(feature = "http2")]
use std::sync::Arc;

/// How the stream of an accepted upgrade will be obtained, from the extensions of its request.
pub(crate) enum Way {
    /// From hyper, once the response has been sent.
    Hyper(OnUpgrade),
    /// From this crate's own HTTP/2 server.
    #[cfg(feature = "http2")]
    Stream(StreamDoor),
}

impl Way {
    /// Takes it out of a request's extensions. A request that was created by hand has none.
    pub(crate) fn take(extensions: &mut Extensions) -> Option<Self> {
        #[cfg(feature = "http2")]
        if let Some(door) = extensions.remove() {
            return Some(Self::Stream(door));
        }
        extensions.remove().map(Self::Hyper)
    }

    /// Returns it to the extensions that it was taken from.
    pub(crate) fn put_back(self, extensions: &mut Extensions) {
        match self {
            Self::Hyper(upgrade) => extensions.insert(upgrade).map(drop),
            #[cfg(feature = "http2")]
            Self::Stream(door) => extensions.insert(door).map(drop),
        };
    }
}

/// A place for the connection that an accepted upgrade becomes, in the extensions of an extended
/// CONNECT of this crate's own server. The server takes it when a successful response has come back
/// through the middleware. Any other response drops it.
#[cfg(feature = "http2")]
#[derive(Clone, Default)]
pub(crate) struct StreamDoor(Arc<Mutex<Option<Run>>>);

/// Builds the connection over its stream.
#[cfg(feature = "http2")]
type Run = Box<dyn FnOnce(StreamIo) -> Stage + Send>;

#[cfg(feature = "http2")]
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
