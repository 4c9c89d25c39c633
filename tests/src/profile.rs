use std::time::Duration;

use crossws_core::{Deflate, Hub, HubBuilder, Limit, Limits, Origin, Overflow, TopicOverflow};
use serde::{Deserialize, Serialize};

/// The settings of a case's server. `None` keeps the default, of times [`LONG`]: a server's deadlines must
/// not end what takes long on a busy machine, unless a case is about them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// `Limits::max_message_size`.
    pub max_message_size: Option<usize>,
    /// `Limits::max_frame_size`.
    pub max_frame_size: Option<usize>,
    /// `Limits::max_inbound`.
    pub max_inbound: Option<usize>,
    /// `Limits::max_control_rate`.
    pub max_control_rate: Option<usize>,
    /// `Limits::max_buffered`.
    pub max_buffered: Option<usize>,
    /// `Limits::max_queued`.
    pub max_queued: Option<usize>,
    /// `Limits::max_queue_age`.
    pub max_queue_age: Option<Duration>,
    /// `Limits::overflow`: `drop-newest`, `drop-oldest`, or the default.
    pub overflow: Option<String>,
    /// `Limits::max_topics`.
    pub max_topics: Option<usize>,
    /// `Limits::max_name_len`.
    pub max_name_len: Option<usize>,
    /// `Limits::max_namespaces`.
    pub max_namespaces: Option<usize>,
    /// `Limits::max_peers`.
    pub max_peers: Option<usize>,
    /// `Limits::upgrade_timeout`.
    pub upgrade_timeout: Option<Duration>,
    /// `Limits::close_timeout`.
    pub close_timeout: Option<Duration>,
    /// `Limits::ping_interval`. None by default.
    pub ping_interval: Option<Duration>,
    /// Turns `Limits::auto_pong` off.
    pub manual_pong: bool,
    /// `Limits::pong_timeout`.
    pub pong_timeout: Option<Duration>,
    /// `Limits::idle_timeout`.
    pub idle_timeout: Option<Duration>,
    /// `Limits::max_lifetime`.
    pub max_lifetime: Option<Duration>,
    /// The longest time for a request's head, if the adapter reads it itself.
    pub handshake_timeout: Option<Duration>,
    /// `HubBuilder::topic_overflow`: the newest message to `cursor/*` is dropped where it would have to wait,
    /// the latest to `price/**` kept.
    pub topic_overflow: bool,
    /// The origins that may connect.
    pub origin: OriginRule,
    /// `Deflate`: `on`, `strict`, or `takeover` of both contexts; off by default.
    pub deflate: Option<String>,
}

/// `Origin`, in a form that can be sent to a server.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub enum OriginRule {
    /// The library's default.
    #[default]
    Default,
    /// `Origin::Listed`.
    Listed(Vec<String>),
    /// `Origin::Any`.
    Any,
}

/// Longer than any case takes.
pub const LONG: Duration = Duration::from_secs(3600);

impl Profile {
    /// Returns the limits of a server with this profile.
    pub fn limits(&self) -> Limits {
        let mut limits = Limits::default()
            .message_timeout(LONG)
            .max_queue_age(LONG)
            .upgrade_timeout(LONG)
            .close_timeout(LONG)
            .ping_interval(None)
            .pong_timeout(LONG)
            .idle_timeout(LONG);
        let size = |limit: &mut Limit, value: Option<usize>| {
            if let Some(value) = value {
                *limit = Limit::At(value);
            }
        };
        size(&mut limits.max_message_size, self.max_message_size);
        size(&mut limits.max_frame_size, self.max_frame_size);
        size(&mut limits.max_inbound, self.max_inbound);
        size(&mut limits.max_control_rate, self.max_control_rate);
        size(&mut limits.max_buffered, self.max_buffered);
        size(&mut limits.max_queued, self.max_queued);
        size(&mut limits.max_topics, self.max_topics);
        size(&mut limits.max_name_len, self.max_name_len);
        size(&mut limits.max_namespaces, self.max_namespaces);
        size(&mut limits.max_peers, self.max_peers);
        limits.overflow = match self.overflow.as_deref() {
            Some("drop-newest") => Overflow::DropNewest,
            Some("drop-oldest") => Overflow::DropOldest,
            _ => Overflow::Close,
        };
        let time = |limit: &mut Duration, value: Option<Duration>| {
            if let Some(value) = value {
                *limit = value;
            }
        };
        time(&mut limits.upgrade_timeout, self.upgrade_timeout);
        time(&mut limits.close_timeout, self.close_timeout);
        time(&mut limits.pong_timeout, self.pong_timeout);
        let maybe = |limit: &mut Option<Duration>, value: Option<Duration>| {
            *limit = value.or(*limit);
        };
        maybe(&mut limits.max_queue_age, self.max_queue_age);
        maybe(&mut limits.ping_interval, self.ping_interval);
        maybe(&mut limits.idle_timeout, self.idle_timeout);
        maybe(&mut limits.max_lifetime, self.max_lifetime);
        limits.auto_pong = !self.manual_pong;
        limits
    }

    /// Returns the origins that may connect.
    pub fn origin(&self) -> Origin {
        match &self.origin {
            OriginRule::Default => Origin::default(),
            OriginRule::Listed(origins) => Origin::listed(origins.clone()),
            OriginRule::Any => Origin::Any,
        }
    }

    /// Returns a hub with this profile.
    pub fn hub(&self) -> Hub {
        self.hub_builder().build()
    }

    /// What a hub of this profile is made with.
    pub fn hub_builder(&self) -> HubBuilder {
        let deflate = self.deflate.as_deref().map(|how| {
            Deflate::default()
                .strict(how == "strict")
                .server_no_context_takeover(how != "takeover")
                .client_no_context_takeover(how != "takeover")
        });
        let mut hub = Hub::builder()
            .limits(self.limits())
            .deflate(deflate)
            .origin(self.origin());
        if self.topic_overflow {
            hub = hub
                .topic_overflow("cursor/*", TopicOverflow::DropNewest)
                .topic_overflow("price/**", TopicOverflow::KeepLatest);
        }
        hub
    }
}
