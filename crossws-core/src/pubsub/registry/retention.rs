//! Publications that are retained, and what becomes of a retained message.

use std::sync::Arc;

use smallvec::SmallVec;

use super::Registry;
use super::namespace::Namespace;
use crate::hub::settings::limits::{Limit, Limits};
use crate::message::Message;
use crate::message::formats::InFormats;
use crate::message::send::SendOptions;
use crate::peer::Peer;
use crate::peer::told::Told;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::recipients::{Recipients, Target};
use crate::pubsub::retained::{Kept, RetainError, RetainedBy, RetainedMessage};
use crate::pubsub::topics::Topics;
use crate::sort::sort_by;

/// A message and its topics, ready to be published and retained: there is room for it.
pub(crate) struct Retention<'a> {
    registry: &'a Registry,
    name: &'a str,
    /// `None` if a peer publishes to a namespace without peers, which retains nothing.
    namespace: Option<Arc<Namespace>>,
    by: RetainedBy,
    kept: SmallVec<[(Arc<str>, Kept); 1]>,
}

impl Drop for Retention<'_> {
    fn drop(&mut self) {
        if let Some(namespace) = &self.namespace {
            namespace.holds.end(self.by);
            self.registry.forget_unused(self.name, namespace);
        }
    }
}

impl Retention<'_> {
    /// Publishes the message to the subscribers of its topics, and retains it.
    pub(crate) fn publish(
        mut self,
        recipients: &Recipients<'_>,
        except: Option<&Peer>,
        publication: InFormats<'_>,
    ) -> Published {
        let mut told = Told::default();
        if let Some(namespace) = &self.namespace {
            let turn = self.registry.retaining.turn();
            // First: a platform may hold messages to clients back until this one is stored.
            for (topic, kept) in &self.kept {
                turn.put(self.name, topic, kept);
            }
            let mut retained = namespace.retained.lock();
            for (topic, kept) in self.kept.drain(..) {
                namespace.holds.add(self.by);
                if let Some(old) = retained.insert(topic, kept) {
                    namespace.holds.end(old.by);
                }
            }
            match &recipients.to {
                Target::Topics(topics)
                    if topics.single().is_some() && publication.treats_all_alike() =>
                {
                    namespace.publish(topics.single(), except, publication.first, &mut told);
                }
                _ => {
                    let audience = namespace.audience(recipients);
                    audience.publish(except, publication, &mut told);
                }
            }
        }
        self.registry.tell(told)
    }
}

impl Registry {
    /// Makes room for a message that must be retained in these topics.
    pub(crate) fn retain<'a>(
        &'a self,
        namespace: &'a str,
        topics: &Topics<'_>,
        by: RetainedBy,
        publication: InFormats<'_>,
        limits: &Limits,
    ) -> Result<Retention<'a>, RetainError> {
        let store = self.retaining.store();
        let len = publication.len();
        if let Some(most) = store
            .map(|store| store.max_len())
            .filter(|most| len > *most)
        {
            return Err(RetainError::TooLong { len, most });
        }
        let budget = &self.retaining.budget;
        let mut kept = SmallVec::new();
        for topic in topics.names() {
            if !limits.max_name_len.allows(topic.len()) {
                return Err(RetainError::NameTooLong {
                    len: topic.len(),
                    most: limits.max_name_len.get(),
                });
            }
            if let Some(most) = store.map(|store| store.max_names_len())
                && namespace.len() + topic.len() > most
            {
                return Err(RetainError::NamesTooLong {
                    namespace: namespace.len(),
                    topic: topic.len(),
                    most,
                });
            }
            let most = limits.max_retained;
            let message = Kept::new(topic, publication, by, budget, most)?;
            kept.push((Arc::from(topic), message));
        }
        Ok(Retention {
            registry: self,
            name: namespace,
            namespace: self.hold(namespace, by, limits)?,
            by,
            kept,
        })
    }

    /// Returns a message that the hub retained before its memory was lost. Nothing is published, and a
    /// message that is retained by now stays.
    pub(crate) fn restore_retained(&self, stored: RetainedMessage) {
        let options = SendOptions::new();
        let others = stored.others.publications(&options);
        let first = &Publication::with(stored.message, options);
        let (name, topic, by) = (&*stored.namespace, &*stored.topic, stored.by);
        let budget = &self.retaining.budget;
        let others = &others;
        let message = InFormats { first, others };
        let kept = Kept::new(topic, message, by, budget, Limit::Unlimited);
        let namespace = self.hold(name, by, &Limits::unlimited());
        let (Ok(kept), Ok(namespace)) = (kept, namespace) else {
            return;
        };
        let Some(namespace) = namespace else {
            // The last peer left while the object slept.
            return self.retaining.turn().remove(name, topic);
        };
        let mut retained = namespace.retained.lock();
        if retained.get(topic).is_none() {
            namespace.holds.add(by);
            retained.insert(Arc::from(topic), kept);
        }
        drop(retained);
        namespace.holds.end(by);
    }

    /// Forgets the retained message of a topic in one namespace or in all. Returns how many there
    /// were.
    pub(crate) fn clear_retained(&self, scope: Option<&str>, topic: &str) -> usize {
        let mut count = 0;
        self.visit(scope, |name, namespace| {
            let turn = self.retaining.turn();
            let removed = namespace.retained.lock().remove(topic);
            if let Some(kept) = removed {
                count += 1;
                turn.remove(name, topic);
                namespace.holds.end(kept.by);
                drop(turn);
                self.forget_unused(name, namespace);
            }
        });
        count
    }

    /// Returns the retained message of a topic, of the first namespace that has one.
    pub(crate) fn retained(&self, scope: Option<&str>, topic: &str) -> Option<Message> {
        let mut found = None;
        self.visit(scope, |_, namespace| {
            if found.is_none() {
                let retained = namespace.retained.lock();
                found = retained.get(topic).map(|kept| kept.message.clone());
            }
        });
        found
    }

    /// Returns the topics that retain a message, sorted by name, each once.
    pub(crate) fn retained_topics(&self, scope: Option<&str>) -> Vec<Arc<str>> {
        let mut topics = Vec::new();
        self.visit(scope, |_, namespace| {
            topics.extend(namespace.retained.lock().names().cloned());
        });
        sort_by(&mut topics, Ord::cmp);
        topics.dedup();
        topics
    }

    /// Removes a namespace and what its peers retained, unless a peer has joined it. The namespace
    /// stays while the hub retains messages in it.
    pub(super) fn forget(&self, name: &str) {
        let turn = self.retaining.turn();
        let mut hub = self.hub.lock();
        // No peer can join meanwhile: joining takes this lock.
        let is_empty = |namespace: &&Arc<Namespace>| namespace.everyone.is_empty();
        let Some(namespace) = hub.namespaces.get(name).filter(is_empty) else {
            return;
        };
        let gone = namespace.retained.lock().take(RetainedBy::Peer);
        let forgotten = match namespace.holds.any() {
            true => None,
            false => hub.namespaces.remove(name),
        };
        drop(hub);
        for (topic, _) in &gone {
            turn.remove(name, topic);
        }
        drop(forgotten);
    }

    /// Removes a namespace that neither peers nor retained messages need.
    fn forget_unused(&self, name: &str, namespace: &Namespace) {
        if namespace.everyone.is_empty() {
            self.forget(name);
        }
    }

    /// Returns the namespace, and keeps it until the [hold](Holds) ends. The hub's is created.
    fn hold(
        &self,
        name: &str,
        by: RetainedBy,
        limits: &Limits,
    ) -> Result<Option<Arc<Namespace>>, RetainError> {
        let mut hub = self.hub.lock();
        let found = hub.namespaces.get(name).cloned();
        let namespace = match (found, by) {
            (Some(namespace), RetainedBy::Peer) if namespace.everyone.is_empty() => {
                return Ok(None);
            }
            (None, RetainedBy::Peer) => return Ok(None),
            (Some(namespace), _) => namespace,
            (None, RetainedBy::Hub) => {
                let count = hub.namespaces.len();
                if !limits.max_namespaces.allows(count + 1) {
                    return Err(RetainError::Namespaces(count));
                }
                hub.add(Arc::from(name))
            }
        };
        namespace.holds.add(by);
        Ok(Some(namespace))
    }
}
