use http::Extensions;
use hyper::upgrade::OnUpgrade;

#[cfg(feature = "http2")]
use crate::http2::door::StreamDoor;

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
