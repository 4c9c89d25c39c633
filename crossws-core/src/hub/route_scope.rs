use crate::error::{PublishError, Unsupported};
use crate::hub::Hub;
use crate::message::IntoMessage;
use crate::message::close::CloseFrame;
use crate::message::send::SendOptions;
use crate::peer::Peer;
use crate::peer::life::End;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;

/// The connections of a route, whatever their parameters and namespaces: see [`Hub::route`].
#[derive(Debug, Clone, Copy)]
#[must_use = "nothing is sent until `send`"]
pub struct RouteScope<'a> {
    hub: &'a Hub,
    route: &'a str,
    here: bool,
}

impl<'a> RouteScope<'a> {
    pub(crate) fn new(hub: &'a Hub, route: &'a str) -> Self {
        let here = false;
        Self { hub, route, here }
    }

    /// Only the connections of this hub, where it holds a part of the application's: in a Durable Object,
    /// those of the object. Elsewhere this changes nothing.
    pub fn here(mut self) -> Self {
        self.here = true;
        self
    }

    /// Sends a message to every connection of the route, once each, whatever it has subscribed to. All
    /// of them see the messages that are sent this way in one order.
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
        self.check()?;
        let publication = Publication::of(message, options)?;
        Ok(self.hub.deliver_to_route(self.route, &publication))
    }

    /// Returns how many connections the route has. Takes the same time however many they are.
    ///
    /// # Errors
    /// [`Unsupported`] where the hub holds only a part of the application's connections.
    pub fn peer_count(self) -> Result<usize, Unsupported> {
        self.check()?;
        Ok(self.hub.registry().routes().count(self.route))
    }

    /// Returns the peers of the route, in no particular order.
    ///
    /// # Errors
    /// As [`peer_count`](Self::peer_count).
    pub fn peers(self) -> Result<Vec<Peer>, Unsupported> {
        self.check()?;
        Ok(self.hub.registry().routes().peers(self.route))
    }

    /// Closes every connection of the route with this frame. New ones may come meanwhile.
    ///
    /// # Errors
    /// As [`peer_count`](Self::peer_count).
    pub fn close_all(self, frame: impl Into<CloseFrame>) -> Result<(), Unsupported> {
        Peer::close_all(self.peers()?, &frame.into(), End::Server);
        Ok(())
    }

    fn check(self) -> Result<(), Unsupported> {
        match self.hub.is_partial() && !self.here {
            true => Err(Unsupported("routes that span hubs")),
            false => Ok(()),
        }
    }
}
