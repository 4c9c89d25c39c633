use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::SubscribeError;
use crate::hub::settings::limits::{Limit, Limits};
use crate::hub::settings::{RouteSettings, Settings};
use crate::pubsub::pattern::InvalidPattern;
use crate::upgrade::token::is_token;

/// A setting that would refuse or end every connection, or has no effect. A server that finds one
/// when it starts does not start. A test finds it earlier: see [`Settings::validate`].
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// An entry of [`Origin::Listed`](crate::Origin::Listed) that no page can have.
    #[error(
        "`{0}` in `Origin::listed` is no origin: write `https://app.example`, with each subdomain by itself, or \
         `Origin::Any` for pages from anywhere, which alone admits `null`"
    )]
    Origin(String),
    /// A subprotocol that is not a token (RFC 6455 section 4.1), so that no client can offer it.
    #[error("no client can offer the subprotocol {0:?}")]
    Protocol(String),
    /// A [limit](crate::Limits) of zero that would refuse or end every connection: `max_unfinished`,
    /// `max_fragments`, `max_control_rate`, `max_name_len`, `max_target`, and every time but those of queues and of the
    /// close. Or a bound of zero on an HTTP request's head, such as `HeadLimits::timeout`.
    #[error("`{0}` is zero, which would refuse or end every connection")]
    Zero(&'static str),
    /// Topics of every peer that the limits refuse: a name above `max_name_len`, or more than
    /// `max_topics`.
    #[error("the topics of every peer exceed a limit: {0}")]
    Topics(SubscribeError),
    /// A [policy](crate::HubBuilder::topic_overflow) for topics that cannot be.
    #[error("a policy is for the topics `{topics}`: {source}")]
    TopicOverflow {
        /// What was named as topics.
        topics: Arc<str>,
        /// Why it is no pattern.
        source: InvalidPattern,
    },
    /// The first setter that was called on the builder of a server with a given hub, which has
    /// settings of its own. Other servers of that hub start.
    #[error(
        "`{0}` on the builder of a server with a given hub would change nothing: set it where the hub is built"
    )]
    Ignored(&'static str),
}

// A `main` that returns it shows the sentence.
impl fmt::Debug for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl SettingsError {
    /// Refuses the first of these bounds that is zero: `true`, after its name.
    #[doc(hidden)]
    pub fn of_zeros(bounds: impl IntoIterator<Item = (&'static str, bool)>) -> Result<(), Self> {
        let mut bounds = bounds.into_iter();
        match bounds.find(|(_, is_zero)| *is_zero) {
            Some((name, _)) => Err(Self::Zero(name)),
            None => Ok(()),
        }
    }
}

impl Settings {
    /// Checks the settings. A server does so when it starts.
    ///
    /// ```
    /// # use crossws_core::{Limits, Settings, SettingsError};
    /// let never = Settings::default().limits(Limits::default().max_fragments(0));
    /// assert_eq!(never.validate(), Err(SettingsError::Zero("max_fragments")));
    /// ```
    ///
    /// # Errors
    /// The first [`SettingsError`].
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.validate_each()?;
        let topics = self.limits.check_topics(&self.topics);
        topics.map_err(SettingsError::Topics)
    }

    /// Checks each setting by itself.
    fn validate_each(&self) -> Result<(), SettingsError> {
        self.origin.check()?;
        if let Some(name) = self.protocols.iter().find(|name| !is_token(name)) {
            return Err(SettingsError::Protocol(name.clone()));
        }
        check_zeros(&self.limits)
    }
}

/// Refuses limits of zero that would refuse or end every connection.
fn check_zeros(limits: &Limits) -> Result<(), SettingsError> {
    let counts = [
        ("max_unfinished", limits.max_unfinished),
        ("max_fragments", limits.max_fragments),
        ("max_control_rate", limits.max_control_rate),
        ("max_name_len", limits.max_name_len),
        ("max_target", limits.max_target),
    ];
    let times = [
        ("message_timeout", limits.message_timeout),
        ("upgrade_timeout", Some(limits.upgrade_timeout)),
        ("ping_interval", limits.ping_interval),
        ("pong_timeout", Some(limits.pong_timeout)),
        ("idle_timeout", limits.idle_timeout),
        ("inactivity_timeout", limits.inactivity_timeout),
        ("max_lifetime", limits.max_lifetime),
    ];
    let counts = counts.map(|(name, most)| (name, most == Limit::At(0)));
    let times = times.map(|(name, time)| (name, time == Some(Duration::ZERO)));
    SettingsError::of_zeros(counts.into_iter().chain(times))
}

impl RouteSettings {
    /// Checks what the route changes, as [`Settings::validate`] does, except for its topics: the hub
    /// has limits and topics too. A router does so when it is checked.
    ///
    /// # Errors
    /// The first [`SettingsError`].
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.changed_from(&Settings::default()).validate_each()
    }

    /// Checks the settings of the route's connections on a hub with these `defaults`, its topics
    /// included. A router does so when it is started.
    ///
    /// # Errors
    /// The first [`SettingsError`].
    pub fn validate_on(&self, defaults: &Arc<Settings>) -> Result<(), SettingsError> {
        self.apply(defaults).validate()
    }
}
