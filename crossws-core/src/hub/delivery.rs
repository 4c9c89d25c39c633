//! Publications on their way to the registry, counted and reported to the observers.

use crate::hub::Hub;
use crate::message::formats::InFormats;
use crate::observe::{Audience, Watch};
use crate::peer::Peer;
use crate::peer::roster::Rosters;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::recipients::{Recipients, Target};
use crate::pubsub::retained::{RetainError, RetainedBy};
use crate::pubsub::topics::Topics;
use crate::sync::atomic::Ordering;

impl Hub {
    #[inline(always)] // each publication comes here
    pub(crate) fn deliver(
        &self,
        namespace: Option<&str>,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let watch = self.watch();
        if watch.is_some_and(Watch::reports_messages) {
            return self.deliver_reported(namespace, topic, except, publication);
        }
        let published = self
            .registry()
            .publish(namespace, topic, except, publication);
        match watch {
            None => self.count_published(published),
            Some(watch) => {
                watch.count_published(publication.message(), published);
                published
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn deliver_reported(
        &self,
        namespace: Option<&str>,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let registry = self.registry();
        let publish = || registry.publish(namespace, topic, except, publication);
        let to = Audience::of(namespace, topic);
        if let Some(watch) = self.watch()
            && !watch.says_messages()
        {
            let published = publish();
            watch.tell_published(publication.message(), to, published);
            return self.count_published(published);
        }
        let recipients = || {
            let to = topic.map_or(Target::Everyone, |topic| Target::Topics(topic.into()));
            registry.members(namespace, &Recipients::of(to), except)
        };
        self.deliver_watched(publication, to, publish, &recipients)
    }

    pub(crate) fn deliver_to_rosters(
        &self,
        to: Audience<'_>,
        rosters: &Rosters,
        only: &Filter<'_>,
        publication: InFormats<'_>,
    ) -> Published {
        let registry = self.registry();
        let publish = || registry.publish_to_rosters(rosters, only, publication);
        let recipients = || {
            let mut peers = Vec::new();
            rosters
                .iter()
                .for_each(|roster| roster.peers_into(&mut peers));
            peers.retain(|peer| only.admits(peer));
            peers
        };
        self.deliver_watched(publication.first, to, publish, &recipients)
    }

    /// As [`deliver`](Self::deliver), to the named peers and without the excluded ones.
    pub(crate) fn deliver_to_each(
        &self,
        namespace: Option<&str>,
        to: &Recipients<'_>,
        except: Option<&Peer>,
        publication: InFormats<'_>,
    ) -> Published {
        let registry = self.registry();
        let publish = || registry.publish_to_each(namespace, to, except, publication);
        let recipients = || registry.members(namespace, to, except);
        let audience = match to.single() {
            Some(topic) if !publication.others.is_empty() => Audience::of(namespace, topic),
            _ => Audience::Several(namespace),
        };
        self.deliver_watched(publication.first, audience, publish, &recipients)
    }

    /// As [`deliver`](Self::deliver), to the subscribers of topics that retain the message. The limits are
    /// those of the route of `from`, or else the hub's.
    pub(crate) fn deliver_retained(
        &self,
        namespace: &str,
        (topics, to): (&Topics<'_>, &Recipients<'_>),
        from: Option<&Peer>,
        except: Option<&Peer>,
        publication: InFormats<'_>,
    ) -> Result<Published, RetainError> {
        let registry = self.registry();
        let (by, settings) = match from {
            Some(peer) => (RetainedBy::Peer, &peer.settings()),
            None => (RetainedBy::Hub, self.settings()),
        };
        let retention = registry.retain(namespace, topics, by, publication, &settings.limits)?;
        let publish = || retention.publish(to, except, publication);
        let recipients = || registry.members(Some(namespace), to, except);
        let audience = match topics.single() {
            Some(topic) => Audience::of(Some(namespace), Some(topic)),
            None => Audience::Several(Some(namespace)),
        };
        Ok(self.deliver_watched(publication.first, audience, publish, &recipients))
    }

    /// As [`deliver_to_each`](Self::deliver_to_each), with a message of its own for each.
    pub(crate) fn deliver_each<E>(
        &self,
        namespace: Option<&str>,
        to: &Recipients<'_>,
        except: Option<&Peer>,
        make: impl FnMut(&Peer) -> Result<Option<Publication>, E>,
    ) -> Result<Published, E> {
        let watch = self.watch();
        let registry = self.registry();
        let publish = || registry.publish_each(namespace, to, except, make, watch.is_some());
        let published = match watch {
            None => publish().1,
            Some(watch) => watch.publish_each(Audience::Several(namespace), publish),
        };
        published.map(|published| self.count_published(published))
    }

    /// Publishes, tells it to whatever watches the hub, and counts it. `recipients` are looked up only to
    /// be told.
    fn deliver_watched(
        &self,
        publication: &Publication,
        to: Audience<'_>,
        publish: impl FnOnce() -> Published,
        recipients: &dyn Fn() -> Vec<Peer>,
    ) -> Published {
        self.count_published(match self.watch() {
            None => publish(),
            Some(watch) => watch.publish(publication.message(), to, publish, recipients),
        })
    }

    fn count_published(&self, published: Published) -> Published {
        let counts = &self.0.counts;
        counts.published.fetch_add(1, Ordering::Relaxed);
        counts
            .queued
            .fetch_add(published.queued as u64, Ordering::Relaxed);
        published
    }
}
