use std::sync::Arc;
use std::time::Duration;

use crossws::TopicOverflow;
use crossws::http::HeaderName;
use crossws::sse::StreamSettings;
use crossws::worker::Options;
use crossws_conformance::{Journal, Profile};
use serde::{Deserialize, Serialize};

use crate::notebook::Page;

/// How long a client of an event stream may be away. One that vanishes is gone after it.
const GRACE: Duration = Duration::from_millis(100);

/// The platform notices at the second write, as late as that may be, that a client has vanished.
const COMMENTS: Duration = Duration::from_millis(20);

/// The header that names the stage of a request.
pub(crate) const HEADER: &str = "x-stage";

/// The server of one case.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Stage {
    /// Unique among stages.
    id: String,
    /// Whether the Worker itself serves the connections.
    pub(crate) plain: bool,
    /// Whether its clients read event streams and post.
    pub(crate) events: bool,
    /// Whether its object loses its stored state when it sleeps: a fault that the suite must
    /// detect.
    pub(crate) forgetful: bool,
    profile: Profile,
}

impl Stage {
    /// The name of its object.
    pub(crate) fn name(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(self)
    }

    pub(crate) fn journal(&self) -> Arc<Journal> {
        Arc::new(Journal::new(Page::of(&self.id)))
    }

    /// Returns whether a connection has a hook left to run: such hooks hold the journal.
    pub(crate) fn is_live(&self) -> bool {
        Page::of(&self.id).is_shared()
    }

    pub(crate) fn options(&self) -> Options {
        let options = match self.profile.topic_overflow {
            true => Options::new()
                .topic_overflow("cursor/*", TopicOverflow::DropNewest)
                .topic_overflow("price/**", TopicOverflow::KeepLatest),
            false => Options::new(),
        };
        options
            .limits(self.profile.limits())
            .origin(self.profile.origin())
            .retained()
            .events(StreamSettings::new().grace(GRACE).keep_alive(COMMENTS))
            .http(crate::http)
            // A case about a request's headers reads this one in a later hook.
            .keep_headers([HeaderName::from_static("x-test")])
    }
}
