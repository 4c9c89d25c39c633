use std::borrow::Cow;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::{PublishError, Unsupported};
use crate::hub::Hub;
use crate::hub::labels::LabelKind;
use crate::hub::roster::Roster;
use crate::hub::route_members::RouteMembers;
use crate::message::IntoMessage;
use crate::message::close::CloseFrame;
use crate::message::send::SendOptions;
use crate::observe::Audience;
use crate::peer::Peer;
use crate::peer::life::End;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;

/// The peers of a hub that have something in common, whatever their namespaces: the connections of a
/// route ([`Hub::route`]), those of an identity ([`Hub::identity`]), those with a tag
/// ([`Hub::tagged`]).
///
/// ```
/// # use crossws_core::{CloseCode, Hub, Json, PublishError};
/// # fn tell(hub: &Hub) -> Result<(), Box<dyn std::error::Error>> {
/// let reached = hub.identity("ann").send("your order has shipped")?.queued;
/// hub.tagged("beta").except_tagged("mobile").send("try the new editor")?;
/// hub.identity("eve").close_all(CloseCode::POLICY)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is sent until `send`"]
pub struct Group<'a> {
    hub: &'a Hub,
    of: GroupOf,
    name: &'a str,
    only: Filter<'a>,
    here: bool,
}

/// What the peers of a group have in common.
#[derive(Debug, Clone, Copy)]
pub(crate) enum GroupOf {
    Route,
    Identity,
    Tag,
}

/// The rosters of a group: a route's name may be that of several.
pub(crate) enum Rosters {
    Routes(SmallVec<[Arc<RouteMembers>; 1]>),
    Label(Option<Arc<Roster>>),
}

impl Rosters {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Roster> {
        let (routes, label) = match self {
            Self::Routes(routes) => (&**routes, None),
            Self::Label(label) => (&[][..], label.as_deref()),
        };
        routes.iter().map(|route| route.roster()).chain(label)
    }
}

impl<'a> Group<'a> {
    pub(crate) fn new(hub: &'a Hub, of: GroupOf, name: &'a str) -> Self {
        Self {
            hub,
            of,
            name,
            only: Filter::default(),
            here: false,
        }
    }

    /// Only the connections of this hub, where it holds a part of the application's: in a Durable Object,
    /// those of the object. Elsewhere this changes nothing.
    pub fn here(mut self) -> Self {
        self.here = true;
        self
    }

    /// Only those that have this tag, besides the tags that were named before.
    pub fn tagged(mut self, tag: impl Into<Cow<'a, str>>) -> Self {
        self.only.tagged(tag.into());
        self
    }

    /// Leaves out those that have this tag.
    pub fn except_tagged(mut self, tag: impl Into<Cow<'a, str>>) -> Self {
        self.only.not_tagged(tag.into());
        self
    }

    /// Leaves out the connections of this identity.
    pub fn except_identity(mut self, identity: impl Into<Cow<'a, str>>) -> Self {
        self.only.not_identity(identity.into());
        self
    }

    /// Sends a message to every connection of the group, once each, whatever it has subscribed to. All
    /// of them see the messages that are sent to the group in one order.
    /// [`queued`](field@Published::queued) counts them.
    ///
    /// # Errors
    /// [`PublishError::Route`] where the hub holds only a part of the application's connections;
    /// [`PublishError::Encode`] if the value cannot be encoded. A full queue is no error: it is counted in
    /// what is returned.
    pub fn send(self, message: impl IntoMessage) -> Result<Published, PublishError> {
        self.send_with(message, SendOptions::new())
    }

    /// As [`send`](Self::send), with options.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_with(
        self,
        message: impl IntoMessage,
        options: SendOptions,
    ) -> Result<Published, PublishError> {
        let rosters = self.rosters()?;
        let publication = Publication::of(message, options)?;
        let to = match self.of {
            GroupOf::Route => Audience::Route(self.name),
            GroupOf::Identity => Audience::Identity(self.name),
            GroupOf::Tag => Audience::Tag(self.name),
        };
        Ok(self
            .hub
            .deliver_to_rosters(to, &rosters, &self.only, &publication))
    }

    /// Returns how many connections the group has. Takes the same time however many they are, unless
    /// some are left out.
    ///
    /// # Errors
    /// [`Unsupported`] where the hub holds only a part of the application's connections.
    pub fn peer_count(self) -> Result<usize, Unsupported> {
        if !self.only.is_empty() {
            return Ok(self.peers()?.len());
        }
        Ok(self.rosters()?.iter().map(Roster::len).sum())
    }

    /// Returns the peers of the group, in no particular order.
    ///
    /// # Errors
    /// As [`peer_count`](Self::peer_count).
    pub fn peers(self) -> Result<Vec<Peer>, Unsupported> {
        let mut peers = Vec::new();
        for roster in self.rosters()?.iter() {
            roster.peers_into(&mut peers);
        }
        peers.retain(|peer| self.only.admits(peer));
        Ok(peers)
    }

    /// Closes every connection of the group with this frame. New ones may come meanwhile.
    ///
    /// # Errors
    /// As [`peer_count`](Self::peer_count).
    pub fn close_all(self, frame: impl Into<CloseFrame>) -> Result<(), Unsupported> {
        Peer::close_all(self.peers()?, &frame.into(), End::Server);
        Ok(())
    }

    fn rosters(&self) -> Result<Rosters, Unsupported> {
        if self.hub.is_partial() && !self.here {
            return Err(Unsupported(match self.of {
                GroupOf::Route => "routes that span hubs",
                GroupOf::Identity => "identities that span hubs",
                GroupOf::Tag => "tags that span hubs",
            }));
        }
        let registry = self.hub.registry();
        let label = |kind| Rosters::Label(registry.labels().find(kind, self.name));
        Ok(match self.of {
            GroupOf::Route => Rosters::Routes(registry.routes().find(self.name)),
            GroupOf::Identity => label(LabelKind::Identity),
            GroupOf::Tag => label(LabelKind::Tag),
        })
    }
}
