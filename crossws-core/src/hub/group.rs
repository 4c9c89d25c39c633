pub(crate) mod route_members;

use crate::error::{PublishError, Unsupported};
use crate::hub::Hub;
use crate::message::close::CloseFrame;
use crate::message::formats::{Formats, InFormats};
use crate::message::send::SendOptions;
use crate::message::{IntoMessage, Message};
use crate::observe::Audience;
use crate::peer::Peer;
use crate::peer::life::End;
use crate::peer::roster::Rosters;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;

impl Hub {
    /// Returns the connections of a route, whatever their parameters and namespaces.
    ///
    /// With a leading slash it is the route's whole pattern, spelled in any of the three ways:
    /// `/rooms/{id}`, `/rooms/[id]`, `/rooms/:id`. Without, it is the route's name. The default
    /// name is the pattern without its leading slash; `""` is the root. A route file's name is its
    /// path below the folder, whatever the base: `rooms/[id]`.
    ///
    /// ```
    /// # use crossws_core::{Hub, PublishError};
    /// fn announce(hub: &Hub) -> Result<usize, PublishError> {
    ///     Ok(hub.route("chat").send("maintenance at 18:00")?.queued)
    /// }
    /// # assert_eq!(announce(&Hub::default()).unwrap(), 0);
    /// ```
    ///
    /// An unknown route is a group without connections. Hooks that are served without routes have
    /// none.
    pub fn route<'a>(&'a self, route: &'a str) -> Group<'a> {
        Group::new(self, GroupOf::Route, route)
    }

    /// Returns the connections of one [identity](crate::Upgrade::identity), such as a user's tabs
    /// and devices, in all namespaces. An unknown identity is a group without connections.
    ///
    /// ```
    /// # use crossws_core::{Hub, Json, PublishError};
    /// fn notify(hub: &Hub, user: &str, text: &str) -> Result<usize, PublishError> {
    ///     Ok(hub.identity(user).send(Json(text))?.queued)
    /// }
    /// # assert_eq!(notify(&Hub::default(), "ann", "hi").unwrap(), 0);
    /// ```
    pub fn identity<'a>(&'a self, identity: &'a str) -> Group<'a> {
        Group::new(self, GroupOf::Identity, identity)
    }

    /// Returns the connections with a [tag](crate::Upgrade::tag), in all namespaces.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let reached = hub.tagged("beta").send("try the new editor")?.queued;
    /// assert_eq!(reached, 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn tagged<'a>(&'a self, tag: &'a str) -> Group<'a> {
        Group::new(self, GroupOf::Tag, tag)
    }
}

/// The peers of a hub with something in common, in all namespaces: the connections of a route
/// ([`Hub::route`]), those of an identity ([`Hub::identity`]), or those with a tag
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
#[derive(Clone)]
#[must_use = "nothing is sent until `send`"]
pub struct Group<'a> {
    hub: &'a Hub,
    of: GroupOf,
    name: &'a str,
    only: Filter<'a>,
    options: SendOptions,
    here: bool,
}

/// What the peers of a group have in common.
#[derive(Debug, Clone, Copy)]
enum GroupOf {
    Route,
    Identity,
    Tag,
}

impl<'a> Group<'a> {
    fn new(hub: &'a Hub, of: GroupOf, name: &'a str) -> Self {
        Self {
            hub,
            of,
            name,
            only: Filter::default(),
            options: SendOptions::new(),
            here: false,
        }
    }

    /// Restricts the group to the connections of this hub, if it holds a part of the application's:
    /// in a Durable Object, those of the object. On other hubs this changes nothing.
    pub fn here(mut self) -> Self {
        self.here = true;
        self
    }

    crate::filter_setters!(
        only,
        "fn example(hub: &Hub)",
        "hub.route(\"chat\")",
        "\"hello\""
    );

    crate::send_setters!(options);

    /// Sends with these options, and replaces earlier ones.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// let options = SendOptions::new().key("price");
    /// hub.route("chart").options(options).send("42")?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn options(mut self, options: SendOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends a message to every connection of the group, once each, regardless of subscriptions.
    /// All of them see the messages to the group in one order. [`queued`](field@Published::queued)
    /// counts them.
    ///
    /// # Errors
    /// [`PublishError::Route`] if the hub holds only a part of the application's connections;
    /// [`PublishError::Encode`] if the value cannot be encoded. A full queue is no error: the
    /// result counts it.
    pub fn send(self, message: impl IntoMessage) -> Result<Published, PublishError> {
        let rosters = self.rosters()?;
        let publication = Publication::of(message, self.options.clone())?;
        Ok(self.deliver(&rosters, (&publication).into()))
    }

    /// As [`send`](Self::send), to each connection in the format of its subprotocol, which is encoded
    /// once.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[doc(hidden)]
    pub fn send_formats(
        self,
        message: Message,
        others: Formats,
    ) -> Result<Published, PublishError> {
        let rosters = self.rosters()?;
        let others = &others.publications(&self.options);
        let first = &Publication::with(message, self.options.clone());
        Ok(self.deliver(&rosters, InFormats { first, others }))
    }

    fn deliver(&self, rosters: &Rosters, publication: InFormats<'_>) -> Published {
        let to = match self.of {
            GroupOf::Route => Audience::Route(self.name),
            GroupOf::Identity => Audience::Identity(self.name),
            GroupOf::Tag => Audience::Tag(self.name),
        };
        self.hub
            .deliver_to_rosters(to, rosters, &self.only, publication)
    }

    /// Returns how many connections the group has. Takes constant time, unless some are excluded.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// assert_eq!(hub.identity("ann").peer_count()?, 0);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Unsupported`] if the hub holds only a part of the application's connections.
    pub fn peer_count(self) -> Result<usize, Unsupported> {
        if !self.only.is_empty() {
            return Ok(self.peers()?.len());
        }
        Ok(self.rosters()?.iter().map(|roster| roster.len()).sum())
    }

    /// Returns the peers of the group, in no particular order.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// for peer in hub.route("chat").peers()? {
    ///     println!("{peer}")
    /// }
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
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

    /// Closes every connection of the group with this frame. New connections may join meanwhile.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # let hub = Hub::default();
    /// hub.identity("eve").close_all(CloseCode::POLICY)?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
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
        Ok(match self.of {
            GroupOf::Route => registry.routes.find(self.name),
            GroupOf::Identity => registry.labels.identities.find(self.name),
            GroupOf::Tag => registry.labels.tags.find(self.name),
        })
    }
}

// Without the hub, whose own takes locks.
crate::opaque_debug!([] Group<'_>, self =>
    of: self.of, name: self.name, only: self.only, options: self.options, here: self.here);
