use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use smallvec::SmallVec;

use crate::error::PublishError;
use crate::hub::Hub;
use crate::hub::capabilities::Capabilities;
use crate::message::IntoMessage;
use crate::message::send::SendOptions;
use crate::peer::Peer;
use crate::pubsub::filter::Filter;
use crate::pubsub::publication::Publication;
use crate::pubsub::published::Published;
use crate::pubsub::registry;
use crate::pubsub::retained::{RetainError, RetainedBy};

/// Topics by their names: one, or several in an array, a slice or a `Vec`. See [`Peer::to`].
///
/// ```
/// # use crossws_core::*;
/// let topics = Topics::from(["red", "blue"]);
/// assert!(topics.names().eq(["red", "blue"]));
/// let name = String::from("red");
/// assert_eq!(Topics::from(name.as_str()).names().count(), 1);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Topics<'a>(SmallVec<[Cow<'a, str>; 1]>);

impl<'a> Topics<'a> {
    /// Returns the names, in the order in which they were given.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|name| &**name)
    }

    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn one(name: impl Into<Cow<'a, str>>) -> Self {
        Self(SmallVec::from_buf([name.into()]))
    }
}

impl<'a> From<&'a str> for Topics<'a> {
    fn from(topic: &'a str) -> Self {
        Self::one(topic)
    }
}

impl<'a> From<&'a String> for Topics<'a> {
    fn from(topic: &'a String) -> Self {
        Self::one(topic)
    }
}

impl<'a> From<&'a Arc<str>> for Topics<'a> {
    fn from(topic: &'a Arc<str>) -> Self {
        Self::one(&**topic)
    }
}

impl From<String> for Topics<'_> {
    fn from(topic: String) -> Self {
        Self::one(topic)
    }
}

impl<'a, T: Into<Cow<'a, str>>> FromIterator<T> for Topics<'a> {
    fn from_iter<I: IntoIterator<Item = T>>(topics: I) -> Self {
        Self(topics.into_iter().map(Into::into).collect())
    }
}

impl<'a, T: Into<Cow<'a, str>>, const N: usize> From<[T; N]> for Topics<'a> {
    fn from(topics: [T; N]) -> Self {
        topics.into_iter().collect()
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<Vec<T>> for Topics<'a> {
    fn from(topics: Vec<T>) -> Self {
        topics.into_iter().collect()
    }
}

impl<'a, T: AsRef<str>> From<&'a [T]> for Topics<'a> {
    fn from(topics: &'a [T]) -> Self {
        topics.iter().map(AsRef::as_ref).collect()
    }
}

impl<'a, T: AsRef<str>, const N: usize> From<&'a [T; N]> for Topics<'a> {
    fn from(topics: &'a [T; N]) -> Self {
        topics.as_slice().into()
    }
}

impl<'a, T: AsRef<str>> From<&'a Vec<T>> for Topics<'a> {
    fn from(topics: &'a Vec<T>) -> Self {
        topics.as_slice().into()
    }
}

/// The recipients of a message.
#[derive(Debug, Clone)]
pub(crate) enum Target<'a> {
    /// Every peer.
    Everyone,
    /// The subscribers of any of these.
    Topics(Topics<'a>),
    /// The subscribers of any topic of the publishing peer.
    Own(&'a Peer),
}

impl<'n> Target<'n> {
    fn to(&self) -> registry::To<'_, 'n> {
        match self {
            Self::Everyone => registry::To::Everyone,
            Self::Topics(topics) => registry::To::Topics(topics),
            Self::Own(peer) => registry::To::TopicsOf(peer),
        }
    }
}

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
    target: Target<'a>,
    except: Topics<'a>,
    only: Filter<'a>,
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
            target,
            except: Topics::default(),
            only: Filter::default(),
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
        self.except.0.extend(topics.into().0);
        self
    }

    crate::filter_setters!(
        only,
        "fn example(peer: &Peer)",
        "peer.to(\"news\")",
        "\"hello\""
    );

    /// Restricts the recipients to those that this filter admits, and replaces an earlier one.
    #[doc(hidden)]
    pub fn filter(mut self, only: Filter<'a>) -> Self {
        self.only = only;
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
        if let Some(from) = self.from {
            from.check_publishes()?;
        }
        let options = self.take_options();
        let publication = Publication::of(message, options)?;
        if self.retained {
            return self.deliver_retained(&publication);
        }
        let without = self.from.filter(|_| !self.including_self);
        let alike = self.except.is_empty()
            && self.only.is_empty()
            && publication.options().treats_all_alike();
        match &self.target {
            Target::Everyone if alike => {
                return Ok(self.deliver(None, without, &publication));
            }
            Target::Topics(Topics(topics)) if alike && topics.len() == 1 => {
                let topic = topics.first().map(|topic| &**topic);
                return Ok(self.deliver(topic, without, &publication));
            }
            _ => {}
        }
        let to = (self.target.to(), &self.except, &self.only);
        Ok(self
            .hub
            .deliver_to_each(self.namespace, to, without, &publication))
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
        if let Some(from) = self.from {
            from.check_publishes()?;
        }
        if self.retained {
            return Err(RetainError::Audience.into());
        }
        let options = self.take_options();
        let without = self.from.filter(|_| !self.including_self);
        let to = (self.target.to(), &self.except, &self.only);
        self.hub.deliver_each(self.namespace, to, without, |peer| {
            let message = message(peer);
            let publish = |message| Publication::of(message, options.clone());
            Ok(message.map(publish).transpose()?)
        })
    }

    /// The options that were set, and what the hub says of the topics.
    fn take_options(&mut self) -> SendOptions {
        let options = std::mem::take(&mut self.options);
        let policies = self.hub.topic_overflows();
        if policies.is_empty() {
            return options;
        }
        match &self.target {
            Target::Everyone => options,
            Target::Topics(topics) => policies.apply(topics.names(), options),
            Target::Own(peer) => {
                let topics = peer.topics();
                policies.apply(topics.iter().map(|topic| &**topic), options)
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn deliver_retained(&self, publication: &Publication) -> Result<Published, PublishError> {
        let is_narrowed = !self.except.is_empty() || !self.only.is_empty();
        let (Some(namespace), Target::Topics(topics), false) =
            (self.namespace, &self.target, is_narrowed)
        else {
            return Err(RetainError::Audience.into());
        };
        if !self.hub.supports(Capabilities::RETAINED) {
            return Err(RetainError::Unsupported.into());
        }
        let by = match self.from {
            Some(_) => RetainedBy::Peer,
            None => RetainedBy::Hub,
        };
        let without = self.from.filter(|_| !self.including_self);
        let published = self
            .hub
            .deliver_retained(namespace, topics, by, without, publication)?;
        Ok(published)
    }

    fn deliver(
        &self,
        topic: Option<&str>,
        without: Option<&Peer>,
        publication: &Publication,
    ) -> Published {
        self.hub
            .deliver(self.namespace, topic, without, publication)
    }
}

impl fmt::Debug for To<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("To")
            .field("namespace", &self.namespace)
            .field("target", &self.target)
            .field("except", &self.except)
            .field("only", &self.only)
            .field("including_self", &self.including_self)
            .field("retained", &self.retained)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
