//! The registry against a naive model: random operations, and after each one every peer has got
//! exactly the model's messages, in order, and every list equals the model's.

mod op;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crossws_core::adapter::Session;
use crossws_core::{
    CloseCode, Closed, HooksBuilder, Hub, Limits, Peer, PeerId, Published, SubscribeError, Upgrade,
    hooks,
};
use futures_lite::future::block_on;
use proptest::prelude::*;
use proptest::sample::Index;

use self::op::{NAMES, Op, To, Way, op};
use crate::common::{Wire, assert_empty, open};

const MAX_TOPICS: usize = 4;

/// A peer as the model knows it, and the real one.
struct Member {
    namespace: &'static str,
    topics: BTreeSet<&'static str>,
    here: bool,
    expected: Vec<String>,
    peer: Peer,
    wire: Wire,
    session: Option<Session<HooksBuilder>>,
}

struct World {
    hub: Hub,
    hooks: Arc<HooksBuilder>,
    /// The result of the next upgrade.
    next: Arc<Mutex<(&'static str, Option<PeerId>)>>,
    members: Vec<Member>,
    sent: usize,
}

impl World {
    fn new() -> Self {
        let next = Arc::new(Mutex::new(("", None)));
        let answer = Arc::clone(&next);
        let hooks = hooks().on_upgrade(move |_| {
            let (namespace, id) = *answer.lock().unwrap();
            let upgrade = Upgrade::new().namespace(namespace);
            let upgrade = match id {
                Some(id) => upgrade.id(id),
                None => upgrade,
            };
            async { Ok(upgrade) }
        });
        let limits = Limits::default().max_topics(MAX_TOPICS);
        Self {
            hub: Hub::builder().limits(limits).build(),
            hooks: Arc::new(hooks),
            next,
            members: Vec::new(),
            sent: 0,
        }
    }

    fn apply(&mut self, op: &Op) {
        match op {
            Op::Join(namespace, reuse) => self.join(namespace, reuse.as_ref()),
            _ if self.members.is_empty() => {}
            Op::Leave(at, way) => {
                let member = at.get_mut(&mut self.members);
                let session = member.session.take();
                match way {
                    Way::Dropped => drop(session),
                    Way::ClientClosed => {
                        if let Some(session) = session {
                            block_on(session.close(Closed::by_client(None)));
                        }
                    }
                    Way::ServerClosed => {
                        member.peer.close(CloseCode::NORMAL, "");
                        member.session = session;
                    }
                    Way::Terminated => {
                        member.peer.terminate();
                        member.session = session;
                    }
                }
                member.leave();
            }
            Op::Subscribe(at, topic) => {
                let member = at.get_mut(&mut self.members);
                let expected = if !member.here {
                    Err(SubscribeError::Closed)
                } else if member.topics.contains(topic) {
                    Ok(false)
                } else if member.topics.len() == MAX_TOPICS {
                    Err(SubscribeError::TooMany(MAX_TOPICS))
                } else {
                    member.topics.insert(topic);
                    Ok(true)
                };
                assert_eq!(member.peer.subscribe(topic), expected);
            }
            Op::Unsubscribe(at, topic) => {
                let member = at.get_mut(&mut self.members);
                let was = member.topics.remove(topic);
                assert_eq!(member.peer.unsubscribe(topic), was);
            }
            Op::Publish(at, topic, own) => {
                let from = at.index(self.members.len());
                let namespace = Some(self.members[from].namespace);
                let text = self.text();
                let except = (!own).then_some(from);
                let expected = self.expect(namespace, *topic, except, &text);
                let peer = &self.members[from].peer;
                let told = match (topic, own) {
                    (Some(topic), false) => peer.publish(topic, text),
                    (Some(topic), true) => peer.to(*topic).including_self().send(text),
                    (None, false) => peer.broadcast(text),
                    (None, true) => peer.to_all().including_self().send(text),
                };
                assert_eq!(told.unwrap().queued, expected);
            }
            Op::PublishToEach(at, to, not_to, own) => {
                let from = at.index(self.members.len());
                let namespace = Some(self.members[from].namespace);
                let text = self.text();
                let topics = match to {
                    To::Everyone => None,
                    To::Topics(topics) => Some(topics.iter().copied().collect()),
                    To::Own => Some(self.members[from].topics.clone()),
                };
                let except = (!own).then_some(from);
                let expected = self.expect_each(namespace, topics, not_to, except, &text);
                let peer = &self.members[from].peer;
                let to = match to {
                    To::Everyone => peer.to_all(),
                    To::Topics(topics) => peer.to(topics),
                    To::Own => peer.to_own_topics(),
                };
                let to = if *own { to.including_self() } else { to };
                let told = to.except(not_to).send(text).unwrap();
                assert_eq!(told.queued, expected);
            }
            Op::PublishFromHubToEach(namespace, topics, not_to) => {
                let text = self.text();
                let all = Some(topics.iter().copied().collect());
                let expected = self.expect_each(*namespace, all, not_to, None, &text);
                let scope = match namespace {
                    Some(namespace) => self.hub.in_namespace(namespace),
                    None => self.hub.in_all_namespaces(),
                };
                let told = scope.topic(topics).except(not_to).send(text).unwrap();
                assert_eq!(told.queued, expected);
            }
            Op::PublishFromHub(namespace, topic) => {
                let text = self.text();
                let expected = self.expect(*namespace, *topic, None, &text);
                let scope = match namespace {
                    Some(namespace) => self.hub.in_namespace(namespace),
                    None => self.hub.in_all_namespaces(),
                };
                let told: Published = match topic {
                    Some(topic) => scope.publish(topic, text).unwrap(),
                    None => scope.broadcast(text).unwrap(),
                };
                assert_eq!(told.queued, expected);
            }
            Op::CloseAll(namespace) => {
                match namespace {
                    Some(namespace) => self.hub.in_namespace(namespace),
                    None => self.hub.in_all_namespaces(),
                }
                .close_all(CloseCode::NORMAL);
                let all = self.members.iter_mut();
                all.filter(|one| namespace.is_none_or(|name| name == one.namespace))
                    .for_each(Member::leave);
            }
        }
    }

    fn join(&mut self, namespace: &'static str, reuse: Option<&Index>) {
        let gone: Vec<PeerId> = self
            .members
            .iter()
            .map(|member| member.peer.id())
            .filter(|id| {
                !self
                    .members
                    .iter()
                    .any(|one| one.here && one.peer.id() == *id)
            })
            .collect();
        let id = reuse
            .filter(|_| !gone.is_empty())
            .map(|index| *index.get(&gone));
        *self.next.lock().unwrap() = (namespace, id);
        let (session, wire) = open(&self.hub, &self.hooks, "/");
        self.members.push(Member {
            namespace,
            topics: BTreeSet::new(),
            here: true,
            expected: Vec::new(),
            peer: session.peer().clone(),
            wire,
            session: Some(session),
        });
    }

    fn text(&mut self) -> String {
        self.sent += 1;
        format!("message {}", self.sent)
    }

    /// Notes which peers must get a publication, and returns how many.
    fn expect(
        &mut self,
        namespace: Option<&str>,
        topic: Option<&'static str>,
        except: Option<usize>,
        text: &str,
    ) -> usize {
        let topics = topic.map(|topic| BTreeSet::from([topic]));
        self.expect_each(namespace, topics, &[], except, text)
    }

    fn expect_each(
        &mut self,
        namespace: Option<&str>,
        topics: Option<BTreeSet<&'static str>>,
        not_to: &[&'static str],
        except: Option<usize>,
        text: &str,
    ) -> usize {
        let mut count = 0;
        for (at, member) in self.members.iter_mut().enumerate() {
            if member.here
                && namespace.is_none_or(|name| name == member.namespace)
                && topics
                    .as_ref()
                    .is_none_or(|topics| !topics.is_disjoint(&member.topics))
                && !not_to.iter().any(|topic| member.topics.contains(topic))
                && except != Some(at)
            {
                member.expected.push(text.to_owned());
                count += 1;
            }
        }
        count
    }

    fn check(&mut self) {
        for member in &mut self.members {
            let expected = std::mem::take(&mut member.expected);
            assert_eq!(member.wire.texts(), expected);
            let topics: Vec<Arc<str>> = member.topics.iter().map(|name| (*name).into()).collect();
            assert_eq!(member.peer.topics(), topics);
            for name in NAMES {
                let subscribed = member.topics.contains(name);
                assert_eq!(member.peer.is_subscribed(name), subscribed);
            }
            let found = self.hub.peer(member.peer.id());
            if member.here {
                assert_eq!(found.as_ref(), Some(&member.peer));
            } else {
                assert_ne!(found.as_ref(), Some(&member.peer));
            }
        }
        let here = || self.members.iter().filter(|member| member.here);
        let namespaces: BTreeSet<_> = here().map(|member| member.namespace).collect();
        let listed: Vec<_> = self.hub.namespaces();
        assert!(listed.iter().map(|name| &**name).eq(namespaces));
        self.check_scope(None);
        for name in NAMES {
            self.check_scope(Some(name));
        }
        assert_eq!(self.hub.stats().peers, here().count());
        let sessions = self.members.iter().filter(|one| one.session.is_some());
        assert_eq!(self.hub.stats().sessions, sessions.count());
    }

    fn check_scope(&self, namespace: Option<&str>) {
        let scope = match namespace {
            Some(namespace) => self.hub.in_namespace(namespace),
            None => self.hub.in_all_namespaces(),
        };
        let here: Vec<_> = self
            .members
            .iter()
            .filter(|one| one.here && namespace.is_none_or(|name| name == one.namespace))
            .collect();
        let topics: BTreeSet<_> = here.iter().flat_map(|one| &one.topics).copied().collect();
        assert!(scope.topics().iter().map(|name| &**name).eq(topics));
        for topic in NAMES {
            let subscribers = here.iter().filter(|one| one.topics.contains(topic));
            assert_eq!(scope.count(topic), subscribers.count());
        }
        let peers = scope.peers();
        assert_eq!(peers, scope.peers(), "two callers get the same list");
        let ids = |peers: &mut dyn Iterator<Item = PeerId>| peers.collect::<BTreeSet<_>>();
        assert_eq!(peers.len(), here.len());
        assert_eq!(
            ids(&mut peers.iter().map(Peer::id)),
            ids(&mut here.iter().map(|one| one.peer.id()))
        );
    }
}

impl Member {
    fn leave(&mut self) {
        self.here = false;
        self.topics.clear();
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_registry_does_what_the_model_does(ops in proptest::collection::vec(op(), 1..80)) {
        let mut world = World::new();
        for op in &ops {
            world.apply(op);
            world.check();
        }
        let World { hub, members, .. } = world;
        drop(members);
        assert_empty(&hub);
    }
}
