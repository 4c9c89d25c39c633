use std::fmt;

use crate::hub::settings::{RouteSettings, Settings};
use crate::upgrade::token::is_token;

/// A setting with which no connection could do what it says. It keeps a server from starting.
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
    /// A [limit](crate::Limits) of zero that would let nothing happen at all.
    #[error("`{0}` is zero; no bound is `Limit::Unlimited`, or `None` for a time")]
    Zero(&'static str),
    /// Settings on the builder of a server that was given a hub with settings of its own.
    #[error(
        "a server with a given hub has settings that would change nothing: set them where the hub is built"
    )]
    Ignored,
}

// A `main` that returns it shows the sentence.
impl fmt::Debug for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The limits of which zero ends every connection, or refuses each: of sizes and counts, and of times.
const NEVER_ZERO: [&str; 12] = [
    "max_unfinished",
    "max_fragments",
    "max_control_rate",
    "max_name_len",
    "max_target",
    "message_timeout",
    "upgrade_timeout",
    "ping_interval",
    "pong_timeout",
    "idle_timeout",
    "inactivity_timeout",
    "max_lifetime",
];

impl Settings {
    /// Checks that each setting can mean what it says. A server does so when it starts.
    ///
    /// ```
    /// # use crossws_core::{Limits, Settings, SettingsError};
    /// let never = Settings::default().limits(Limits::default().max_fragments(0));
    /// assert_eq!(never.validate(), Err(SettingsError::Zero("max_fragments")));
    /// ```
    ///
    /// # Errors
    /// [`SettingsError`] names the first that cannot.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.origin.check()?;
        if let Some(name) = self.protocols.iter().find(|name| !is_token(name)) {
            return Err(SettingsError::Protocol(name.clone()));
        }
        match self.limits.zeros().find(|name| NEVER_ZERO.contains(name)) {
            Some(name) => Err(SettingsError::Zero(name)),
            None => Ok(()),
        }
    }
}

impl RouteSettings {
    /// Checks what the route changes, as [`Settings::validate`] does. A router does so when it is
    /// checked or started.
    ///
    /// # Errors
    /// [`SettingsError`] names the first setting that cannot mean what it says.
    pub fn validate(&self) -> Result<(), SettingsError> {
        self.changed_from(&Settings::default()).validate()
    }
}
