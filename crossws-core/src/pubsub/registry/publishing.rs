//! How publications find their subscribers.

use std::sync::Arc;

use crate::message::formats::InFormats;
use crate::peer::Peer;
use crate::peer::events::PeerEvents;
use crate::peer::roster::Rosters;
use crate::peer::told::Told;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::recipients::{Recipients, Target};
use crate::pubsub::registry::Registry;
use crate::pubsub::registry::namespace::Namespace;
use crate::pubsub::registry::patterns::Patterns;
use crate::pubsub::topic::{Each, Several, SubscribersOf, Topic, publish_matched};
use crate::pubsub::topics::Topics;

impl Registry {
    /// Queues a publication at every subscriber of `topic`, or at every peer if `topic` is `None`,
    /// and wakes their writers.
    pub(crate) fn publish(
        &self,
        scope: Option<&str>,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        let mut told = Told::default();
        self.visit(scope, |_, namespace| {
            namespace.publish(topic, except, publication, &mut told);
        });
        self.tell(told)
    }

    /// As [`publish`](Self::publish), to the members of these rosters that the filter admits.
    pub(crate) fn publish_to_rosters(
        &self,
        rosters: &Rosters,
        only: &Filter<'_>,
        publication: InFormats<'_>,
    ) -> Published {
        let mut told = Told::default();
        for roster in rosters.iter() {
            roster.publish(only, publication, &mut told);
        }
        self.tell(told)
    }

    /// As [`publish`](Self::publish), to the addressed peers, each of which is passed the message in its
    /// format.
    pub(crate) fn publish_to_each(
        &self,
        scope: Option<&str>,
        recipients: &Recipients<'_>,
        except: Option<&Peer>,
        publication: InFormats<'_>,
    ) -> Published {
        let mut told = Told::default();
        self.visit(scope, |_, namespace| {
            let audience = namespace.audience(recipients);
            audience.publish(except, publication, &mut told);
        });
        self.tell(told)
    }

    /// As [`publish_to_each`](Self::publish_to_each), with a message of its own for each that `make`
    /// makes one for. It is called without a lock. Returns what became of each, if that is `watched`.
    pub(crate) fn publish_each<E>(
        &self,
        scope: Option<&str>,
        recipients: &Recipients<'_>,
        except: Option<&Peer>,
        mut make: impl FnMut(&Peer) -> Result<Option<Publication>, E>,
        watched: bool,
    ) -> (Vec<Each>, Result<Published, E>) {
        let mut told = Told::default();
        let mut failed = None;
        let mut all = Vec::new();
        self.visit(scope, |_, namespace| {
            let audience = namespace.audience(recipients);
            let mut publications = Vec::new();
            for peer in audience.members(except) {
                match make(&peer) {
                    Ok(Some(publication)) => publications.push(Each::new(peer, publication)),
                    Ok(None) => {}
                    Err(error) => {
                        failed.get_or_insert(error);
                    }
                }
            }
            if failed.is_none() {
                audience.publish_each(&mut publications, &mut told);
                if watched {
                    all.append(&mut publications);
                }
            }
        });
        let published = self.tell(told);
        (all, failed.map_or(Ok(published), Err))
    }

    /// Wakes and settles, without a lock, the subscribers that a publication has left to wake and
    /// settle.
    #[inline]
    pub(super) fn tell(&self, mut told: Told) -> Published {
        if !told.asleep.is_empty() {
            PeerEvents::wake_all(told.asleep, |_| ());
        }
        if !told.grown.is_empty() {
            self.settle(told.grown, &mut told.published);
        }
        told.published
    }

    #[cold]
    fn settle(&self, grown: Vec<Peer>, published: &mut Published) {
        for peer in grown {
            let settled = peer.settle();
            published.queued -= usize::from(settled.closed && published.queued > 0);
            published.dropped += settled.lost;
            if settled.behind {
                published.behind += 1;
                self.behind.add(&peer);
            }
        }
    }
}

impl Namespace {
    /// Returns the topics of the addressed peers.
    pub(super) fn audience<'a, 'f>(&self, recipients: &'a Recipients<'f>) -> SubscribersOf<'a, 'f> {
        let any = match &recipients.to {
            Target::Everyone => std::iter::once(Arc::clone(&self.everyone)).collect(),
            Target::Topics(topics) => self.several(topics),
            Target::Own(peer) => {
                let mut any = peer.subscriptions().topics();
                self.index.lock().add_matching(&mut any);
                any
            }
        };
        SubscribersOf::new(
            any,
            self.without_patterns(&recipients.except),
            &recipients.only,
        )
    }

    /// Queues a publication at every subscriber of `topic`, or at every peer when there is none given.
    #[inline(never)]
    pub(super) fn publish(
        &self,
        topic: Option<&str>,
        except: Option<&Peer>,
        publication: &Publication,
        told: &mut Told,
    ) {
        let Some(name) = topic else {
            return self.everyone.publish(except, publication, told);
        };
        let index = self.index.lock();
        let topic = index.topics.get(name).cloned();
        if let Some(patterns) = &index.patterns
            && let Some(patterns) = found(patterns, name)
        {
            drop(index);
            return publish_matched(topic, *patterns, except, publication, told);
        }
        drop(index);
        if let Some(topic) = topic {
            topic.publish(except, publication, told);
        }
    }

    /// Returns those of these topics with members, and the patterns that match one of their names.
    pub(super) fn several(&self, topics: &Topics<'_>) -> Several {
        let mut several = self.without_patterns(topics);
        if let Some(patterns) = &self.index.lock().patterns {
            for name in topics.names() {
                patterns.matching(name, &mut several);
            }
        }
        several
    }

    /// Returns those of these topics with members.
    pub(super) fn without_patterns(&self, topics: &Topics<'_>) -> Several {
        if topics.is_empty() {
            return Several::new();
        }
        let index = self.index.lock();
        let found = topics.names().filter_map(|name| index.topics.get(name));
        found.cloned().collect()
    }
}

/// Returns the patterns that match a topic's name, if any do. Out of line, for namespaces without
/// patterns.
#[cold]
#[inline(never)]
fn found(patterns: &Patterns<Arc<Topic>>, name: &str) -> Option<Box<Several>> {
    let mut found = Several::new();
    patterns.matching(name, &mut found);
    (!found.is_empty()).then(|| Box::new(found))
}
