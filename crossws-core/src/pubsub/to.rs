use crate::error::PublishError;
use crate::hub::Hub;
use crate::message::formats::{Formats, InFormats};
use crate::message::send::SendOptions;
use crate::message::{IntoMessage, Message};
use crate::peer::Peer;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::recipients::{Recipients, Target};
use crate::pubsub::retained::RetainError;
use crate::pubsub::topics::Topics;
use crate::transport::capabilities::Capabilities;

/// A message to many peers, before it is sent: see [`Peer::to`], [`Peer::to_all`],
/// [`Peer::to_own_topics`], [`Scope::topic`](crate::Scope::topic) and
/// [`Scope::all`](crate::Scope::all).
///
/// Each recipient gets the message once, however many of the topics it is subscribed to. All
/// subscribers of a topic see its messages in the same order, messages to several topics included.
///
/// ```
/// # use crossws_core::{Json, Peer, PublishError};
/// fn moved(peer: &Peer, at: (u32, u32)) -> Result<(), PublishError> {
///     peer.to("board").including_self().volatile().key("cursor").send(Json(at))?;
///     peer.to(["red", "blue"]).except("muted").send("moved")?;
///     Ok(())
/// }
/// ```
#[derive(Clone)]
#[must_use = "nothing is sent until `send`"]
pub struct To<'a> {
    hub: &'a Hub,
    namespace: Option<&'a str>,
    recipients: Recipients<'a>,
    from: Option<&'a Peer>,
    including_self: bool,
    retained: bool,
    options: SendOptions,
}

impl<'a> To<'a> {
    pub(crate) fn new(
        hub: &'a Hub,
        namespace: Option<&'a str>,
        target: Target<'a>,
        from: Option<&'a Peer>,
    ) -> Self {
        Self {
            hub,
            namespace,
            recipients: Recipients::of(target),
            from,
            including_self: false,
            retained: false,
            options: SendOptions::new(),
        }
    }

    /// Excludes the subscribers of these topics, in addition to earlier exclusions.
    ///
    /// This, and a message to several topics, takes as long as sending the message to each
    /// recipient, however busy the topics are. In a busy topic a message to one topic is cheaper.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.to("news").except("muted").send("hello")?;
    /// # Ok(()) }
    /// ```
    pub fn except(mut self, topics: impl Into<Topics<'a>>) -> Self {
        self.recipients.except.add(topics.into());
        self
    }

    crate::filter_setters!(
        recipients.only,
        "fn example(peer: &Peer)",
        "peer.to(\"news\")",
        "\"hello\""
    );

    /// Restricts the recipients to those that this filter admits, and replaces an earlier one.
    #[doc(hidden)]
    pub fn filter(mut self, only: Filter<'a>) -> Self {
        self.recipients.only = only;
        self
    }

    /// Includes the publishing peer, if it is subscribed. Without a publishing peer this changes
    /// nothing.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// peer.to("game").including_self().send("the round begins")?;
    /// # Ok(()) }
    /// ```
    #[doc(alias = "publishToSelf")]
    pub fn including_self(mut self) -> Self {
        self.including_self = true;
        self
    }

    /// Retains the message: each later subscriber of its topics gets the topic's last retained
    /// message first, before whatever follows it there. A subscriber by a
    /// [pattern](Peer::subscribe_pattern) gets those of all topics that match, sorted by name.
    ///
    /// A topic retains one message, until another one replaces it or
    /// [`Scope::clear_retained`](crate::Scope::clear_retained) forgets it. What a peer publishes is
    /// also forgotten when the last peer leaves the namespace. What the application publishes
    /// through the [hub](crate::Scope::topic) stays, also before the first peer comes. The hub bounds all of
    /// them together: [`Limits::max_retained`](field@crate::Limits::max_retained).
    ///
    /// A Durable Object retains messages if its options ask for it, also while it sleeps. Retained publications of one
    /// namespace are sent one after the other.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(hub: &Hub, peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// hub.in_namespace("/prices").topic("EUR/USD").retained().send("1.0843")?;
    /// peer.to("game/score").including_self().retained().send("2:1")?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`send`](Self::send) fails with [`PublishError::Retain`], and sends nothing, if there is no
    /// room, or if the message is not for all subscribers of topics of one namespace.
    pub fn retained(mut self) -> Self {
        self.retained = true;
        self
    }

    crate::send_setters!(options);

    /// Sends with these options, and replaces earlier ones.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let options = SendOptions::new().volatile();
    /// peer.to("cursors").options(options).send("x=3,y=4")?;
    /// # Ok(()) }
    /// ```
    pub fn options(mut self, options: SendOptions) -> Self {
        self.options = options;
        self
    }

    /// Sends the message, to each recipient once.
    ///
    /// # Errors
    /// If the value cannot be encoded, or the publishing peer's transport has no topics. A
    /// subscriber's full queue is no error: the result counts it.
    pub fn send(mut self, message: impl IntoMessage) -> Result<Published, PublishError> {
        let options = self.begin()?;
        let publication = Publication::of(message, options)?;
        self.deliver((&publication).into())
    }

    /// Sends each recipient a message of its own: the result of `message` for it, or nothing for
    /// `None`.
    ///
    /// `message` is called for the recipients of one namespace after the other, under no lock. Then
    /// all of them are sent their messages, at one place in the order of their topics. A recipient
    /// that has unsubscribed meanwhile gets nothing, and neither does one that has subscribed
    /// meanwhile.
    ///
    /// ```
    /// # use crossws_core::{Json, Peer, PublishError};
    /// fn deal(peer: &Peer) -> Result<(), PublishError> {
    ///     let to = peer.to("table").including_self();
    ///     to.send_each(|player| player.identity().map(|name| format!("cards of {name}")))?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// As [`send`](Self::send). If a message cannot be encoded, no recipient of its namespace gets
    /// one.
    pub fn send_each<M: IntoMessage>(
        mut self,
        mut message: impl FnMut(&Peer) -> Option<M>,
    ) -> Result<Published, PublishError> {
        let options = self.begin()?;
        if self.retained {
            return Err(RetainError::Audience.into());
        }
        let (to, without) = (&self.recipients, self.without());
        self.hub.deliver_each(self.namespace, to, without, |peer| {
            let message = message(peer);
            let publish = |message| Publication::of(message, options.clone());
            Ok(message.map(publish).transpose()?)
        })
    }

    /// Sends each recipient the message in the format of its subprotocol, which is encoded once. All
    /// subscribers get it at one place in the order of their topics, and later subscribers get their
    /// format of what is [retained](Self::retained). Observers are told of it once, in the first format.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    #[doc(hidden)]
    pub fn send_formats(
        mut self,
        message: Message,
        others: Formats,
    ) -> Result<Published, PublishError> {
        let options = self.begin()?;
        let others = &others.publications(&options);
        let first = &Publication::with(message, options);
        self.deliver(InFormats { first, others })
    }

    fn deliver(&self, publication: InFormats<'_>) -> Result<Published, PublishError> {
        if self.retained {
            return self.deliver_retained(publication);
        }
        let (hub, namespace, without) = (self.hub, self.namespace, self.without());
        Ok(match self.recipients.single() {
            Some(topic) if publication.treats_all_alike() => {
                hub.deliver(namespace, topic, without, publication.first)
            }
            _ => hub.deliver_to_each(namespace, &self.recipients, without, publication),
        })
    }

    /// Returns the publishing peer, if it gets nothing.
    fn without(&self) -> Option<&'a Peer> {
        self.from.filter(|_| !self.including_self)
    }

    /// Checks that the publishing peer may publish. Returns the options that were set, with the hub's
    /// policies for the topics.
    fn begin(&mut self) -> Result<SendOptions, PublishError> {
        if let Some(from) = self.from {
            from.check_publishes()?;
        }
        let options = std::mem::take(&mut self.options);
        let policies = self.hub.topic_overflows();
        if policies.is_empty() {
            return Ok(options);
        }
        Ok(match &self.recipients.to {
            Target::Everyone => options,
            Target::Topics(topics) => policies.apply(topics.names(), options),
            Target::Own(peer) => {
                let topics = peer.topics();
                policies.apply(topics.iter().map(|topic| &**topic), options)
            }
        })
    }

    #[cold]
    #[inline(never)]
    fn deliver_retained(&self, publication: InFormats<'_>) -> Result<Published, PublishError> {
        let recipients = &self.recipients;
        let (Some(namespace), Target::Topics(topics), false) =
            (self.namespace, &recipients.to, recipients.is_narrowed())
        else {
            return Err(RetainError::Audience.into());
        };
        if !self.hub.supports(Capabilities::RETAINED) {
            return Err(RetainError::Unsupported.into());
        }
        let to = (topics, recipients);
        Ok(self
            .hub
            .deliver_retained(namespace, to, self.from, self.without(), publication)?)
    }
}

// Without the hub, whose own takes locks.
crate::opaque_debug!([] To<'_>, self =>
    namespace: self.namespace, recipients: self.recipients, from: self.from,
    including_self: self.including_self, retained: self.retained, options: self.options);
