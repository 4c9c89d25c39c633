//! Setting and reading a peer's identity and tags.

pub(crate) mod label_index;

use std::borrow::Cow;
use std::sync::Arc;

use crate::hub::settings::limits::Limits;
use crate::peer::Peer;
use crate::peer::labels::label_index::{LabelError, Labels};
use crate::pubsub::filter::Filter;

impl Peer {
    /// Returns the connection's identity, if it was [set](crate::Upgrade::identity). Also in the
    /// `close` hook.
    pub fn identity(&self) -> Option<Arc<str>> {
        self.labels()?.lock().identity().cloned()
    }

    /// Sets the connection's identity, and replaces the earlier one: for a client that
    /// authenticates by a message. See [`Upgrade::identity`](crate::Upgrade::identity).
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.set_identity("ann")?;
    /// peer.hub().identity("ann").send("signed in on another device")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the connection is ending, the name is too long, or the transport hibernates and has no
    /// room to store it: then the identity stays unchanged.
    pub fn set_identity(&self, identity: impl Into<Arc<str>>) -> Result<(), LabelError> {
        self.identify(Some(identity.into()))
    }

    /// Removes the connection's identity: for a client that has logged out.
    ///
    /// # Errors
    /// As [`set_identity`](Self::set_identity).
    pub fn clear_identity(&self) -> Result<(), LabelError> {
        match self.labels() {
            Some(_) => self.identify(None),
            None => Ok(()),
        }
    }

    fn identify(&self, identity: Option<Arc<str>>) -> Result<(), LabelError> {
        let labels: Arc<Labels> = self.extensions().get_or_default();
        let limits = &self.settings().limits;
        let old = labels.identify(self, identity, limits)?;
        if let Err(error) = self.persist() {
            labels.identify(self, old, limits)?;
            return Err(error.into());
        }
        Ok(())
    }

    /// Gives the peer a tag, by which [`Hub::tagged`](crate::Hub::tagged) and
    /// [`To::tagged`](crate::To::tagged) find it. Returns `Ok(false)` if the peer already has it.
    /// Tags are kept when an object sleeps, and end with the connection.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.tag("beta")?;
    /// assert!(peer.is_tagged("beta"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// If the connection is ending, the peer has too many tags, the name is too long, or the
    /// transport hibernates and has no room to store one more.
    pub fn tag(&self, tag: impl Into<Arc<str>>) -> Result<bool, LabelError> {
        let tag = tag.into();
        let labels: Arc<Labels> = self.extensions().get_or_default();
        let new = labels.tag(self, Arc::clone(&tag), &self.settings().limits)?;
        if new && let Err(error) = self.persist() {
            labels.untag(self, &tag);
            return Err(error.into());
        }
        Ok(new)
    }

    /// Removes a tag from the peer. Returns whether the peer had it.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.tag("beta")?;
    /// assert!(peer.untag("beta"));
    /// # Ok(()) }
    /// ```
    pub fn untag(&self, tag: impl AsRef<str>) -> bool {
        let had = self
            .labels()
            .is_some_and(|labels| labels.untag(self, tag.as_ref()));
        if had && let Err(error) = self.persist() {
            // Less room is needed than before, so only the platform itself can have refused.
            tracing::error!(peer = %self, %error, "a tag that is gone was not stored as gone");
        }
        had
    }

    /// Returns the peer's tags, sorted by name. Also in the `close` hook.
    pub fn tags(&self) -> Vec<Arc<str>> {
        let Some(labels) = self.labels() else {
            return Vec::new();
        };
        labels.lock().tags().cloned().collect()
    }

    /// Returns whether the peer has a tag.
    pub fn is_tagged(&self, tag: impl AsRef<str>) -> bool {
        self.labels()
            .is_some_and(|labels| labels.lock().has_tag(tag.as_ref()))
    }

    /// Returns the peer's labels, if it has ever had any.
    pub(crate) fn labels(&self) -> Option<Arc<Labels>> {
        self.extensions().get()
    }

    /// Gives the peer the labels of its upgrade, or of a snapshot. The caller must store them
    /// afterwards.
    pub(crate) fn label(
        &self,
        identity: Option<Arc<str>>,
        tags: Vec<Arc<str>>,
        limits: &Limits,
    ) -> Result<(), LabelError> {
        if identity.is_none() && tags.is_empty() {
            return Ok(());
        }
        let labels: Arc<Labels> = self.extensions().get_or_default();
        labels.identify(self, identity, limits)?;
        for tag in tags {
            labels.tag(self, tag, limits)?;
        }
        Ok(())
    }
}

impl Filter<'_> {
    /// Returns whether the peer has every required tag, and no excluded label. Takes the lock of
    /// the peer's labels.
    pub fn admits(&self, peer: &Peer) -> bool {
        if self.is_empty() {
            return true;
        }
        let Some(labels) = peer.labels() else {
            return self.tagged.is_empty();
        };
        let labels = labels.lock();
        let is = |name: &Cow<'_, str>| labels.identity().is_some_and(|is| **is == **name);
        self.tagged.iter().all(|tag| labels.has_tag(tag))
            && !self.not_tagged.iter().any(|tag| labels.has_tag(tag))
            && !self.not_identity.iter().any(is)
    }
}
