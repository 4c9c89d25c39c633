//! The settings that every builder takes, under the same names.

use crate::hub::Hub;
use crate::hub::builder::HubBuilder;
use crate::hub::settings::Settings;
use crate::hub::settings::invalid::SettingsError;

/// The hub of a server: an existing one, or one of its own. A builder stores it in the field `hub`,
/// and gets the settings' setters from [`hub_setters!`](crate::hub_setters).
#[derive(Debug, Clone, Default)]
pub struct HubChoice {
    /// The existing hub.
    given: Option<Hub>,
    own: HubBuilder,
    /// The first setter that was called for a hub of its own.
    setter: Option<&'static str>,
}

impl HubChoice {
    /// Uses an existing hub.
    #[must_use]
    pub fn give(mut self, hub: Hub) -> Self {
        self.given = Some(hub);
        self
    }

    /// Changes the settings of the server's own hub, for the setter of this name.
    #[must_use]
    pub fn change(
        mut self,
        setter: &'static str,
        change: impl FnOnce(HubBuilder) -> HubBuilder,
    ) -> Self {
        self.own = change(self.own);
        self.setter.get_or_insert(setter);
        self
    }

    /// Returns the defaults of the connections of the server's own hub.
    #[doc(hidden)]
    pub fn settings_mut(&mut self, setter: &'static str) -> &mut Settings {
        self.setter.get_or_insert(setter);
        &mut self.own.settings
    }

    /// Returns the settings of the server's own hub.
    pub fn own(&self) -> &HubBuilder {
        &self.own
    }

    /// Returns the hub, and the error of settings that an existing hub leaves without effect. The
    /// server passes that error to its own [`Start::run_checked`](crate::adapter::Start::run_checked):
    /// other servers of the hub start.
    pub fn build(self) -> (Hub, Result<(), SettingsError>) {
        match (self.given, self.setter) {
            (Some(hub), Some(setter)) => (hub, Err(SettingsError::Ignored(setter))),
            (Some(hub), None) => (hub, Ok(())),
            (None, _) => (self.own.build(), Ok(())),
        }
    }
}

/// The setters of a connection's settings: `$settings` is where `$self`, of which they are methods,
/// keeps its [`Settings`](crate::Settings), and `$setter` is there the name of the setter.
#[doc(hidden)]
#[macro_export]
macro_rules! settings_setters {
    ($self:ident, $setter:ident => $settings:expr) => {
        /// Sets the bounds and times of every connection.
        pub fn limits(mut $self, limits: $crate::Limits) -> Self {
            let $setter = "limits";
            $settings.limits = limits;
            $self
        }

        /// Sets which origins may connect. By default only those with the same host.
        pub fn origin(mut $self, origin: $crate::Origin) -> Self {
            let $setter = "origin";
            $settings.origin = origin;
            $self
        }

        /// Compresses messages with clients that offer it, if the platform leaves that to the
        /// server. Off by default.
        pub fn deflate(mut $self, deflate: impl Into<Option<$crate::Deflate>>) -> Self {
            let $setter = "deflate";
            $settings.deflate = deflate.into();
            $self
        }

        /// Sets the subprotocols of the server, the preferred one first. Unless the `upgrade` hook
        /// or the route chooses, the first that the client offers too is selected.
        pub fn protocols<P: Into<String>>(
            mut $self,
            protocols: impl IntoIterator<Item = P>,
        ) -> Self {
            let $setter = "protocols";
            $settings.protocols = protocols.into_iter().map(Into::into).collect();
            $self
        }

        /// Subscribes every peer to a topic before its `open` hook.
        pub fn topic(mut $self, topic: impl Into<std::sync::Arc<str>>) -> Self {
            let $setter = "topic";
            $settings.topics.push(topic.into());
            $self
        }
    };
}

/// The setters of a hub's settings, for a builder whose field `hub` is a
/// [`HubChoice`](crate::adapter::HubChoice): those of [`HubBuilder`](crate::HubBuilder), and `hub`.
///
/// Must be called in an `impl` of the builder. All server builders get their settings from it,
/// under the same names. Without `given` there is no `hub`: for a platform that creates its hubs
/// itself.
///
/// ```
/// use crossws_core::adapter::HubChoice;
/// use crossws_core::{Hub, Limits, SettingsError, hub_setters};
///
/// #[derive(Default)]
/// struct MyServer {
///     hub: HubChoice,
/// }
///
/// impl MyServer {
///     hub_setters!(given);
///
///     fn build(self) -> (Hub, Result<(), SettingsError>) {
///         self.hub.build()
///     }
/// }
///
/// let limits = Limits::default().max_peers(10);
/// let (hub, checked) = MyServer::default().limits(limits).build();
/// assert_eq!(checked, Ok(()));
/// assert_eq!(hub.limits().max_peers.get(), 10);
/// ```
#[macro_export]
macro_rules! hub_setters {
    (given) => {
        /// Sets the hub that peers join, with its settings. Settings on this builder would not change
        /// it: this server then does not start, and `SettingsError::Ignored` names the setter. By default the server has a
        /// hub of its own.
        pub fn hub(mut self, hub: $crate::Hub) -> Self {
            self.hub = self.hub.give(hub);
            self
        }

        $crate::hub_setters!();
    };
    () => {
        /// Sets the defaults of every connection, which its route may override. Replaces all
        /// earlier settings.
        pub fn settings(mut self, settings: $crate::Settings) -> Self {
            self.hub = self.hub.change("settings", |hub| hub.settings(settings));
            self
        }

        $crate::settings_setters!(self, setter => self.hub.settings_mut(setter));

        /// Says what becomes of messages to these topics where they would have to wait for a slow
        /// client: one topic's name, or a pattern.
        pub fn topic_overflow(
            mut self,
            topics: impl Into<std::sync::Arc<str>>,
            overflow: $crate::TopicOverflow,
        ) -> Self {
            self.hub = self.hub.change("topic_overflow", |hub| hub.topic_overflow(topics, overflow));
            self
        }

        /// Keeps these headers of a request: a restored peer still has them, and they are dropped
        /// last if there is no room for all.
        pub fn keep_headers(
            mut self,
            names: impl IntoIterator<Item = $crate::http::HeaderName>,
        ) -> Self {
            self.hub = self.hub.change("keep_headers", |hub| hub.keep_headers(names));
            self
        }

        /// Installs an observer of the hub's events, in addition to earlier ones.
        pub fn observer(mut self, observer: impl $crate::Observer) -> Self {
            self.hub = self.hub.change("observer", |hub| hub.observer(observer));
            self
        }

        /// Counts messages and bytes in both directions. Off by default.
        pub fn counters(mut self) -> Self {
            self.hub = self.hub.change("counters", |hub| hub.counters());
            self
        }

        /// Logs connections, messages and HTTP requests with `tracing`, at this level. By default
        /// connections alone are logged, at `DEBUG`.
        pub fn trace(mut self, trace: impl Into<$crate::Trace>) -> Self {
            self.hub = self.hub.change("trace", |hub| hub.trace(trace));
            self
        }
    };
}
