use std::sync::Arc;

use crossws_core::{
    BoxError, HookResult, Hooks, Hub, InvalidPattern, Json, Message, Peer, TopicPattern, Wrap,
    opaque_debug,
};
use serde_json::Value;

use super::grant::{Action, Allow, Authorize, Grant, Wish};
use super::wire::{Published, Request, Verb, code};
use crate::codec::json::parse;
use crate::codec::limits::DecodeLimits;

/// Wraps hooks so that clients subscribe, unsubscribe and publish by themselves. Only what is
/// allowed here is allowed.
///
/// ```
/// use crossws_app::rooms::{Allow, Wish, rooms};
/// use crossws_core::{Peer, hooks};
///
/// /// The user of that name may subscribe.
/// async fn own(peer: Peer, wish: Wish) -> bool {
///     peer.identity().as_deref() == wish.topic.strip_prefix("user/")
/// }
///
/// let app = rooms(hooks())
///     .allow("lobby", Allow::Both)
///     .allow("news/**", Allow::Subscribe)
///     .authorize("user/*", own);
/// # fn takes(_: impl crossws_core::Hooks) {} takes(app);
/// ```
///
/// A client sends JSON as text. `id` is optional, and may be any value:
///
/// | the client sends | and gets |
/// | --- | --- |
/// | `{"subscribe":"news/eu","id":1}` | `{"subscribed":"news/eu","id":1}` |
/// | `{"unsubscribe":"news/eu"}` | `{"unsubscribed":"news/eu"}`, also if it was not subscribed |
/// | `{"publish":"lobby","data":{…}}` | `{"published":"lobby","peers":3}` |
/// | one of them, in vain | `{"error":"forbidden","message":"…","subscribe":"x","id":1}` |
///
/// A client may unsubscribe from what [`allow`](Rooms::allow) lets it subscribe to and from every topic of
/// [`authorize`](Rooms::authorize), without the function being asked. Other subscriptions are the
/// application's: to leave those is `forbidden`.
///
/// A topic with a control character is `malformed`.
///
/// Subscribers get `{"topic":"lobby","from":"ann","data":{…}}`, with the publisher's
/// [identity](Peer::identity) if it has one. The publisher itself does not get it. The errors are
/// `forbidden`, `malformed`, `too_many`, `too_long` (see `Limits`) and `unavailable`, whose cause
/// is logged. The connection stays open after each. Publications may arrive between a subscription
/// and its answer.
///
/// Every other message reaches the inner hooks, which may publish to the same topics in any form.
/// JSON is read within [`DecodeLimits`], once for this layer and the layers and typed hooks inside.
pub fn rooms<H: Hooks>(hooks: H) -> Rooms<H> {
    Rooms(RoomsLayer {
        hooks,
        entries: Vec::new(),
        patterns: Vec::new(),
        invalid: None,
    })
}

/// See [`rooms`].
#[must_use = "hooks do nothing until a server runs them"]
pub struct Rooms<H>(RoomsLayer<H>);

impl<H: Hooks> Rooms<H> {
    /// Allows every client this action on the topics that match: one topic's name, or a pattern as
    /// in [`Peer::subscribe_pattern`]. If several match a topic, the first decides.
    ///
    /// An invalid pattern prevents the server's start.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// use crossws_app::rooms::{Allow, rooms};
    /// let app = rooms(hooks()).allow("news", Allow::Subscribe).allow("room/*", Allow::Both);
    /// ```
    pub fn allow(self, topics: &str, allow: Allow) -> Self {
        self.entry(topics, Grant::Every(allow))
    }

    /// Asks a function, for each wish, whether a client may perform an action on a matching topic.
    /// See [`allow`](Self::allow) for the order.
    ///
    /// The client's next message waits meanwhile; the future is dropped when the connection ends. What was granted holds until the client unsubscribes or
    /// goes: to take it back, unsubscribe the peer.
    pub fn authorize(self, topics: &str, authorize: impl Authorize) -> Self {
        self.entry(topics, Grant::Asked(Box::new(authorize)))
    }

    fn entry(mut self, topics: &str, grant: Grant) -> Self {
        match TopicPattern::new(topics) {
            Ok(topics) => self.0.entries.push((topics, grant)),
            Err(error) => self.0.invalid = self.0.invalid.or(Some((topics.to_owned(), error))),
        }
        self
    }

    /// Allows every client to subscribe to this pattern as a whole. Without it a topic with a
    /// segment `*` or `**` is forbidden, because a pattern also matches topics whose names a client
    /// could not guess.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// use crossws_app::rooms::{Allow, rooms};
    /// let app = rooms(hooks()).allow("room/*", Allow::Both).allow_pattern("room/*");
    /// ```
    pub fn allow_pattern(mut self, pattern: &str) -> Self {
        match TopicPattern::new(pattern) {
            Ok(_) => self.0.patterns.push(pattern.to_owned()),
            Err(error) => self.0.invalid = self.0.invalid.or(Some((pattern.to_owned(), error))),
        }
        self
    }
}

impl<H: Hooks> Hooks for Rooms<H> {
    crossws_core::forward_hooks!(self => self.0);
}

struct RoomsLayer<H> {
    hooks: H,
    entries: Vec<(TopicPattern, Grant)>,
    /// Those that clients may subscribe to.
    patterns: Vec<String>,
    /// The first invalid pattern.
    invalid: Option<(String, InvalidPattern)>,
}

#[derive(Debug, thiserror::Error)]
#[error("`{0}` is no pattern of topics: {1}")]
struct Invalid(String, InvalidPattern);

impl<H: Hooks> Wrap for RoomsLayer<H> {
    type Inner = H;

    fn inner(&self) -> &H {
        &self.hooks
    }

    async fn start(&self, hub: &Hub) -> HookResult {
        if let Some((pattern, error)) = &self.invalid {
            return Err(Invalid(pattern.clone(), *error).into());
        }
        self.hooks.start(hub).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let answer = match read(&message) {
            None => return self.hooks.message(peer, message).await,
            Some(Err(malformed)) => malformed,
            Some(Ok(request)) => self.answer(peer, request).await,
        };
        peer.send(Message::from_json(&answer)?)?;
        Ok(())
    }
}

fn read(message: &Message) -> Option<Result<Request, Value>> {
    if !message.text().ok()?.trim_start().starts_with('{') {
        return None;
    }
    let value = parse(message, &DecodeLimits::new()).ok()?;
    Request::read(value.as_object()?)
}

impl<H: Hooks> RoomsLayer<H> {
    async fn answer(&self, peer: &Peer, request: Request) -> Value {
        let action = match request.verb {
            Verb::Subscribe => Action::Subscribe,
            Verb::Publish => Action::Publish,
            Verb::Unsubscribe => {
                if !self.may_leave(&request.topic) {
                    return request.forbidden();
                }
                match TopicPattern::is_pattern(&request.topic) {
                    true => peer.unsubscribe_pattern(&request.topic),
                    false => peer.unsubscribe(&request.topic),
                };
                return request.done(None);
            }
        };
        match self.grants(peer, action, &request.topic).await {
            Ok(true) => {}
            Ok(false) => return request.forbidden(),
            Err(error) => {
                let topic = &*request.topic;
                tracing::error!(%peer, topic, ?action, %error, "an authorization failed");
                return request.failed("unavailable", "this could not be decided");
            }
        }
        let Some(data) = &request.data else {
            let subscribed = match TopicPattern::is_pattern(&request.topic) {
                true => peer.subscribe_pattern(&request.topic),
                false => peer.subscribe(&request.topic),
            };
            return match subscribed {
                Ok(_) => request.done(None),
                Err(error) => request.failed(code(&error), &error),
            };
        };
        let identity = peer.identity();
        let published = peer.publish(
            &request.topic,
            Json(Published {
                topic: &request.topic,
                from: identity.as_deref(),
                data,
            }),
        );
        match published {
            Ok(published) => request.done(Some(published.queued)),
            Err(error) => request.failed("unavailable", &error),
        }
    }

    async fn grants(&self, peer: &Peer, action: Action, topic: &str) -> Result<bool, BoxError> {
        if TopicPattern::is_pattern(topic) {
            return Ok(action == Action::Subscribe && self.is_allowed_pattern(topic));
        }
        match self.of(topic) {
            None => Ok(false),
            Some(Grant::Every(allow)) => Ok(allow.allows(action)),
            Some(Grant::Asked(authorize)) => {
                let wish = Wish::new(action, Arc::from(topic));
                let asked = authorize.authorize(peer.clone(), wish);
                // A function that never ends must not keep the connection.
                let token = peer.cancel_token();
                token.run_until_cancelled(asked).await.unwrap_or(Ok(false))
            }
        }
    }

    /// Whether clients may leave what they could have subscribed to themselves. All other subscriptions
    /// belong to the hooks: one that excludes, as in `except("muted")`, would otherwise end on demand.
    fn may_leave(&self, topic: &str) -> bool {
        if TopicPattern::is_pattern(topic) {
            return self.is_allowed_pattern(topic);
        }
        match self.of(topic) {
            None => false,
            Some(Grant::Every(allow)) => allow.allows(Action::Subscribe),
            Some(Grant::Asked(_)) => true,
        }
    }

    fn is_allowed_pattern(&self, topic: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern == topic)
    }

    /// Returns what the first entry that matches says.
    fn of(&self, topic: &str) -> Option<&Grant> {
        let mut entries = self.entries.iter();
        let (_, grant) = entries.find(|(topics, _)| topics.matches(topic))?;
        Some(grant)
    }
}

opaque_debug!([H] Rooms<H>, self =>
    topics: self.0.entries.iter().map(|(topics, _)| topics).collect::<Vec<_>>(),
    patterns: self.0.patterns,
);
