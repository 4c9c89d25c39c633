use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;

use super::closes::CloseCount;
use super::counters::CountersSnapshot;
use crate::hub::Hub;
use crate::hub::stats::Stats;
use crate::peer::Peer;
use crate::peer::id::PeerId;
use crate::peer::life::PeerState;
use crate::sort::sort_by;

/// The contents of a hub, as JSON for an admin page: see [`Hub::snapshot`]. It shows no query,
/// header or message.
///
/// ```
/// # use crossws_core::*;
/// fn largest_room(hub: HubSnapshot) -> Option<NamespaceSnapshot> {
///     hub.namespaces.into_iter().max_by_key(|namespace| namespace.peers)
/// }
/// # assert!(largest_room(Hub::default().snapshot()).is_none());
/// ```
#[derive(Debug, Clone, Default, Serialize)]
#[non_exhaustive]
pub struct HubSnapshot {
    /// As [`Hub::stats`].
    pub stats: Stats,
    /// As [`Hub::closes`].
    pub closes: Vec<CloseCount>,
    /// As [`Hub::counters`].
    pub counters: Option<CountersSnapshot>,
    /// As [`Hub::is_ready`].
    pub ready: bool,
    /// Routes with connections.
    pub routes: Vec<RouteSnapshot>,
    /// How many namespaces there are.
    pub namespace_count: usize,
    /// The first namespaces, by name.
    pub namespaces: Vec<NamespaceSnapshot>,
    /// Peers of these namespaces, grouped by namespace.
    pub peers: Vec<PeerSnapshot>,
    /// How many bytes wait in these peers' outbound queues.
    pub buffered: usize,
    /// Whether nothing was left out.
    pub complete: bool,
}

/// A route of a [`HubSnapshot`].
///
/// ```
/// # use crossws_core::*;
/// fn shown(route: &RouteSnapshot) -> String {
///     let name = route.name.as_ref().or(route.pattern.as_ref());
///     format!("{}: {} peers", name.map_or("?", |name| name), route.peers)
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct RouteSnapshot {
    /// The route's pattern.
    pub pattern: Option<Arc<str>>,
    /// The route's name, if it has one.
    pub name: Option<Arc<str>>,
    /// How many connections it has.
    pub peers: usize,
}

/// A namespace of a hub: see [`HubSnapshot`].
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct NamespaceSnapshot {
    /// The namespace's name.
    pub name: Arc<str>,
    /// How many peers it has.
    pub peers: usize,
    /// How many topics it has.
    pub topic_count: usize,
    /// The first topics, by name.
    pub topics: Vec<TopicSnapshot>,
}

/// A topic of a [`HubSnapshot`].
///
/// ```
/// # use crossws_core::*;
/// fn is_crowded(topic: &TopicSnapshot) -> bool {
///     topic.subscribers > 1_000
/// }
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TopicSnapshot {
    /// The topic's name.
    pub name: Arc<str>,
    /// How many peers are subscribed.
    pub subscribers: usize,
}

/// A peer of a [`HubSnapshot`].
///
/// ```
/// # use crossws_core::*;
/// fn is_slow(peer: &PeerSnapshot) -> bool {
///     peer.behind || peer.dropped > 0
/// }
/// ```
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PeerSnapshot {
    /// The peer's id.
    pub id: PeerId,
    /// The peer's namespace.
    pub namespace: Arc<str>,
    /// The path of its request, without the query.
    pub path: String,
    /// The pattern of its route.
    pub route: Option<Arc<str>>,
    /// The client's address.
    pub remote_addr: Option<SocketAddr>,
    /// Whether the connection is open, and not closing.
    pub open: bool,
    /// How many topics it is subscribed to.
    pub topics: usize,
    /// How many bytes wait in its outbound queue.
    pub buffered: usize,
    /// How many messages its queue's policy discarded.
    pub dropped: u64,
    /// Whether the client takes less than it is sent: see [`Peer::is_behind`].
    pub behind: bool,
}

impl From<&Peer> for PeerSnapshot {
    fn from(peer: &Peer) -> Self {
        Self {
            id: peer.id(),
            namespace: Arc::clone(peer.namespace_shared()),
            path: peer.request().path().to_owned(),
            route: peer.route(),
            remote_addr: peer.remote_addr(),
            open: peer.state() == PeerState::Open,
            topics: peer.subscriptions().topics().len(),
            buffered: peer.buffered_amount(),
            dropped: peer.dropped(),
            behind: peer.is_behind(),
        }
    }
}

impl Hub {
    /// Returns the hub's contents, at most 1,000 namespaces, topics and peers each: for an admin
    /// page.
    ///
    /// ```
    /// # use crossws_core::Hub;
    /// # fn page(hub: &Hub) -> serde_json::Result<String> {
    /// serde_json::to_string(&hub.snapshot())
    /// # }
    /// # assert!(page(&Hub::default()).unwrap().contains("\"complete\":true"));
    /// ```
    ///
    /// The hub's lock is held while 1,000 handles are copied, and each namespace's, topic's and
    /// peer's own for a moment: about a millisecond in total, while messages flow. Changes
    /// meanwhile may be in a part of the result.
    pub fn snapshot(&self) -> HubSnapshot {
        self.snapshot_of(1_000)
    }

    /// As [`snapshot`](Self::snapshot), with at most `most` namespaces, topics and peers each.
    pub fn snapshot_of(&self, most: usize) -> HubSnapshot {
        let survey = self.registry().survey(most);
        let routes = self.registry().routes.all();
        let routes = routes.iter().map(|route| RouteSnapshot {
            pattern: route.names.pattern.clone(),
            name: route.names.name.clone(),
            peers: route.roster.len(),
        });
        let mut routes: Vec<_> = routes.filter(|route| route.peers > 0).collect();
        sort_by(&mut routes, Ord::cmp);
        let complete = survey.complete && routes.len() <= most;
        routes.truncate(most);
        HubSnapshot {
            stats: self.stats(),
            closes: self.closes(),
            counters: self.counters(),
            ready: self.is_ready(),
            routes,
            buffered: survey.peers.iter().map(|peer| peer.buffered).sum(),
            complete,
            ..survey
        }
    }

    /// Returns how many connections have ended, by their codes and by the side that ended them.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// for ended in hub.closes() {
    ///     println!("{} with {} by {:?}", ended.count, ended.code, ended.by)
    /// }
    /// ```
    pub fn closes(&self) -> Vec<CloseCount> {
        self.counts().closed.by_code()
    }

    /// Returns the hub's counts of messages; `None` if it does not
    /// [count](crate::HubBuilder::counters) them.
    pub fn counters(&self) -> Option<CountersSnapshot> {
        self.watch().map(|watch| watch.counters().now())
    }
}
