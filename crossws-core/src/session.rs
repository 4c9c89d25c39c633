use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue, SEC_WEBSOCKET_PROTOCOL};

use crate::catch::{catch, catch_panic};
use crate::context::ContextCell;
use crate::hub::Hub;
use crate::membership::{Membership, Ongoing, SHUTTING_DOWN, TOO_MANY_PEERS};
use crate::peer::{Inner, Life};
use crate::resolve::Route;
use crate::tasks::{Inbox, Tasks};
use crate::transport::Transport;
use crate::{
    CloseCode, CloseFrame, Closed, ClosedBy, Error, ErrorKind, Extensions, Hook, Hooks, Limits,
    Message, OnError, Peer, PeerId, PersistError, Rejection, Snapshot, State, SubscribeError,
    Upgrade, UpgradeRequest,
};

/// A request with the hooks that claim it. The next step is [`upgrade`](Self::upgrade).
pub struct Claim<H: Hooks + ?Sized> {
    hub: Hub,
    hooks: Arc<H>,
    request: UpgradeRequest,
}

impl<H: Hooks + ?Sized> Claim<H> {
    pub(crate) fn new(hub: Hub, mut request: UpgradeRequest, route: Route<H>) -> Self {
        request.set_params(route.params);
        Self {
            hub,
            hooks: route.hooks,
            request,
        }
    }

    /// The request.
    pub fn request(&self) -> &UpgradeRequest {
        &self.request
    }

    /// How long [`upgrade`](Self::upgrade) may take; the adapter, which has a clock, bounds it.
    pub fn deadline(&self) -> Duration {
        self.hub.limits().upgrade_timeout
    }

    /// Checks the origin, runs the `upgrade` hook, and checks what it answered.
    ///
    /// # Errors
    /// The response to refuse with: the hook's own; 403 for a foreign origin; 503 in a shutdown
    /// or when the hub is full; 409 for an id in use; 414 for a namespace's name that is too long;
    /// 500 when the hook panicked, chose a subprotocol that was not offered, or more topics than a
    /// peer may have.
    ///
    /// # Cancel safety
    /// Dropping the future drops the hook; nothing was registered.
    pub async fn upgrade(self) -> Result<Accepted<H>, Rejection> {
        let result = self.run().await;
        if let Err(rejection) = &result
            && let Some(error) = rejection.source()
        {
            let status = rejection.status();
            // What a client can cause at will must not fill the server's log.
            if status.is_server_error() {
                tracing::error!(%status, %error, "refusing an upgrade");
            } else {
                tracing::debug!(%status, %error, "refusing an upgrade");
            }
        }
        result
    }

    async fn run(self) -> Result<Accepted<H>, Rejection> {
        let Self {
            hub,
            hooks,
            request,
        } = self;
        // Counted before the look at the shutdown: either that waits for this, or this sees it.
        let ongoing = Ongoing::new(&hub);
        if hub.is_shutting_down() {
            return Err(Rejection::unavailable(SHUTTING_DOWN));
        }
        // Before the hook, so that a full server does no work for those it refuses.
        if !hub.limits().max_peers.allows(hub.registry().len() + 1) {
            return Err(Rejection::unavailable(TOO_MANY_PEERS));
        }
        if !hub.origin().admits(&request) {
            return Err(Rejection::new(StatusCode::FORBIDDEN, "origin not allowed"));
        }
        let upgrade = catch_panic(async { hooks.upgrade(&request).await })
            .await
            .map_err(|message| Rejection::internal(Error::panic(Hook::Upgrade, &message)))??;
        if hub.is_shutting_down() {
            return Err(Rejection::unavailable(SHUTTING_DOWN));
        }
        Accepted::new(ongoing, hooks, request, upgrade)
    }
}

impl<H: Hooks + ?Sized> fmt::Debug for Claim<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({})", self.request.uri())
    }
}

/// An upgrade that the hooks accepted. The adapter answers the client with
/// [`headers`](Self::headers), then calls [`join`](Self::join). Dropped, it leaves no trace.
pub struct Accepted<H: Hooks + ?Sized> {
    ongoing: Ongoing,
    hooks: Arc<H>,
    request: UpgradeRequest,
    id: PeerId,
    namespace: Arc<str>,
    headers: HeaderMap,
    protocol: Option<String>,
    context: ContextCell,
    extensions: Extensions,
    topics: Vec<Arc<str>>,
}

impl<H: Hooks + ?Sized> Accepted<H> {
    fn new(
        ongoing: Ongoing,
        hooks: Arc<H>,
        request: UpgradeRequest,
        upgrade: Upgrade,
    ) -> Result<Self, Rejection> {
        let hub = ongoing.hub();
        let mut headers = upgrade.headers;
        if let Some(protocol) = &upgrade.protocol {
            let value = HeaderValue::try_from(protocol.as_str()).ok();
            let offered = request.protocols().any(|offered| offered == protocol);
            match value {
                Some(value) if offered => {
                    headers.insert(SEC_WEBSOCKET_PROTOCOL, value);
                }
                _ => return Err(Rejection::internal(NotOffered(protocol.clone()))),
            }
        }
        let namespace = upgrade
            .namespace
            .unwrap_or_else(|| Arc::from(request.path()));
        if !hub.limits().max_name_len.allows(namespace.len()) {
            return Err(Rejection::new(
                StatusCode::URI_TOO_LONG,
                "the namespace's name is too long",
            ));
        }
        check_topics(&upgrade.topics, hub.limits()).map_err(Rejection::internal)?;
        let id = upgrade.id.unwrap_or_else(PeerId::random);
        hub.registry()
            .check(id, &namespace, hub.limits())
            .map_err(|error| error.into_rejection(id))?;
        Ok(Self {
            ongoing,
            hooks,
            request,
            id,
            namespace,
            headers,
            protocol: upgrade.protocol,
            context: upgrade.context,
            extensions: upgrade.extensions,
            topics: upgrade.topics,
        })
    }

    /// The headers for the 101, the chosen subprotocol among them.
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The id that the peer will have.
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// What the peer will be, to be admitted where it will live: see [`Hub::admit`].
    ///
    /// # Errors
    /// When the context does not convert to JSON.
    pub fn snapshot(&self) -> Result<Snapshot, PersistError> {
        let mut snapshot = Snapshot::new(self.id, &self.namespace, &self.request, |_| true);
        snapshot.protocol.clone_from(&self.protocol);
        snapshot.context = self.context.to_stored()?;
        snapshot.topics = self
            .topics
            .iter()
            .map(|topic| (**topic).to_owned())
            .collect();
        Ok(snapshot)
    }

    /// The volatile values that the peer will have; a snapshot leaves them behind.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// The hub's limits, for the adapter's own bounds.
    pub fn limits(&self) -> &Limits {
        self.ongoing.hub().limits()
    }

    /// Makes the peer: it is listed and can be sent to from here on; no hook has run.
    ///
    /// # Errors
    /// When the id has come into use, the hub is full, or a shutdown has begun since the upgrade
    /// was accepted. A server that has already answered 101 closes with the frame.
    pub fn join(self, transport: impl Transport) -> Result<Joined<H>, CloseFrame> {
        let ongoing = self.ongoing;
        let hub = ongoing.hub().clone();
        let peer = Peer::new(Inner {
            id: self.id,
            namespace: self.namespace,
            request: self.request,
            protocol: self.protocol,
            context: self.context,
            extensions: self.extensions,
            transport: Box::new(transport),
            hub: hub.clone(),
            inbox: Inbox::default(),
            life: Life::default(),
        });
        let membership = Membership::begin(peer, ongoing, hub.limits())?;
        hub.count_accepted();
        for topic in self.topics {
            match membership.peer.subscribe(&topic) {
                Ok(_) | Err(SubscribeError::Closed) => {}
                // The limits were checked with the upgrade; a transport may have no topics.
                Err(error) => tracing::error!(%error, %topic, "a topic from the upgrade hook"),
            }
        }
        membership.peer.persist().map_err(|error| {
            tracing::error!(peer = %membership.peer, %error, "closing a peer at once");
            CloseFrame::new(CloseCode::ERROR, "internal error")
        })?;
        Ok(Joined::new(self.hooks, membership))
    }
}

impl<H: Hooks + ?Sized> fmt::Debug for Accepted<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accepted({})", self.id)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the upgrade hook chose the subprotocol `{0}`, which the client did not offer")]
struct NotOffered(String);

/// Whether a peer may be subscribed to all of these.
pub(crate) fn check_topics(topics: &[Arc<str>], limits: &Limits) -> Result<(), SubscribeError> {
    for topic in topics {
        limits.check_name(topic)?;
    }
    let distinct: HashSet<_> = topics.iter().collect();
    if limits.max_topics.allows(distinct.len()) {
        Ok(())
    } else {
        Err(SubscribeError::TooMany(limits.max_topics.get()))
    }
}

/// A peer whose `open` hook has not run. Dropped, the peer is gone and no hook runs.
pub struct Joined<H: Hooks + ?Sized> {
    hooks: Arc<H>,
    membership: Membership,
}

impl<H: Hooks + ?Sized> Joined<H> {
    pub(crate) fn new(hooks: Arc<H>, membership: Membership) -> Self {
        Self { hooks, membership }
    }

    /// The peer.
    pub fn peer(&self) -> &Peer {
        &self.membership.peer
    }

    /// The adapter's way to say what happens while a hook runs.
    pub fn lifeline(&self) -> Lifeline {
        Lifeline(self.membership.peer.clone())
    }

    /// Runs the `open` hook to its end. Messages come after it, by type.
    ///
    /// # Cancel safety
    /// Dropping the future drops the hook and the peer; its `close` hook does not run.
    pub async fn open(self) -> Session<H> {
        let mut session = Session {
            hooks: self.hooks,
            tasks: Tasks::default(),
            membership: self.membership,
        };
        let peer = &session.membership.peer;
        let hook = async { session.hooks.open(peer).await };
        let result = session.tasks.alongside(peer, catch(Hook::Open, hook)).await;
        session.settle(result).await;
        session
    }

    /// The session of a peer whose `open` hook has run before: a restored one.
    pub fn resume(self) -> Session<H> {
        Session {
            hooks: self.hooks,
            tasks: Tasks::default(),
            membership: self.membership,
        }
    }
}

impl<H: Hooks + ?Sized> fmt::Debug for Joined<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Joined({})", self.membership.peer)
    }
}

/// What an adapter tells a peer while a hook may be running.
#[derive(Clone, Debug)]
pub struct Lifeline(Peer);

impl Lifeline {
    pub(crate) fn new(peer: Peer) -> Self {
        Self(peer)
    }

    /// The connection is ending: the client closed or is gone. The peer leaves every list and
    /// topic at once, and `Peer::closed` resolves. The `close` hook follows later.
    pub fn ended(&self) {
        self.0.ended();
    }

    /// The outbound queue has become shorter: whoever waits in `Peer::drained` looks again.
    /// Cheap when nobody waits.
    pub fn drained(&self) {
        self.0.notify_drained();
    }

    /// Whether this side closed, so that what still arrives must not reach a hook. True from just
    /// before `Transport::close` or `Transport::terminate` is called, on whatever thread.
    pub fn closed_here(&self) -> bool {
        self.0.closed_here().is_some()
    }
}

/// An open connection: runs the hooks, one at a time. That `open` came first, that hooks do not
/// overlap and that `close` comes once are what its methods' receivers say.
///
/// Dropped without [`close`](Self::close), the peer is gone and its `close` hook does not run.
pub struct Session<H: Hooks + ?Sized> {
    hooks: Arc<H>,
    // Before `membership`: the peer's own futures are dropped while it is still whole.
    tasks: Tasks,
    membership: Membership,
}

impl<H: Hooks + ?Sized> Session<H> {
    /// The peer.
    pub fn peer(&self) -> &Peer {
        &self.membership.peer
    }

    /// Runs the `message` hook. Does nothing if this side has closed: a hook hears nothing more
    /// of a peer that it closed but `close`.
    ///
    /// # Cancel safety
    /// None of the session's hooks is safe to drop in the middle: the hook's work stops at its
    /// await.
    pub async fn message(&mut self, message: Message) {
        let peer = &self.membership.peer;
        if peer.closed_here().is_none() {
            let hook = async { self.hooks.message(peer, message).await };
            let result = self.tasks.alongside(peer, catch(Hook::Message, hook)).await;
            self.settle(result).await;
        }
    }

    /// Runs the `ping` hook, as [`message`](Self::message) does.
    pub async fn ping(&mut self, data: Bytes) {
        let peer = &self.membership.peer;
        if peer.closed_here().is_none() {
            let hook = async { self.hooks.ping(peer, data).await };
            let result = self.tasks.alongside(peer, catch(Hook::Ping, hook)).await;
            self.settle(result).await;
        }
    }

    /// Runs the `pong` hook, as [`message`](Self::message) does.
    pub async fn pong(&mut self, data: Bytes) {
        let peer = &self.membership.peer;
        if peer.closed_here().is_none() {
            let hook = async { self.hooks.pong(peer, data).await };
            let result = self.tasks.alongside(peer, catch(Hook::Pong, hook)).await;
            self.settle(result).await;
        }
    }

    /// Runs the `drain` hook, if the peer is open.
    pub async fn drain(&mut self) {
        let peer = &self.membership.peer;
        if peer.state() == State::Open {
            let hook = async { self.hooks.drain(peer).await };
            let result = self.tasks.alongside(peer, catch(Hook::Drain, hook)).await;
            self.settle(result).await;
        }
    }

    /// Reports an error to the `error` hook and does what it answers.
    pub async fn error(&mut self, error: Error) {
        let must_close = !matches!(error.kind(), ErrorKind::Hook(_));
        let peer = &self.membership.peer;
        let hook = catch_panic(async { self.hooks.error(peer, error).await });
        // A panic here has nobody left to be reported to; it closes as the default does.
        let answer = self.tasks.alongside(peer, hook).await;
        let answer = answer.unwrap_or_else(|message| {
            let error = Error::panic(Hook::Error, &message);
            tracing::error!(%peer, %error, "closing a peer after an error");
            OnError::default()
        });
        match answer {
            OnError::Close(frame) => peer.close(frame.code(), frame.reason().clone()),
            OnError::Keep if must_close => peer.close(CloseCode::ERROR, "internal error"),
            OnError::Keep => {}
        }
    }

    /// Polls the futures that the peer spawned; ready with a failure among them. The adapter
    /// calls it while no hook runs, and reports what it gives to [`error`](Self::error).
    pub fn poll_tasks(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        self.tasks.poll(self.membership.peer.inbox(), cx);
        self.tasks.take_failure().map_or(Poll::Pending, Poll::Ready)
    }

    /// Ends the connection: the peer leaves every list and topic, the `close` hook runs, and the
    /// peer's own futures are dropped after it.
    pub async fn close(mut self, mut closed: Closed) {
        let peer = &self.membership.peer;
        if closed.by == ClosedBy::Server
            && let Some(by) = peer.closed_here()
        {
            closed.by = by;
        }
        peer.ended();
        // Now, because no hook but `error` for its own sake comes after `close`.
        while let Some(error) = self.take_failure() {
            self.error(error).await;
        }
        let peer = &self.membership.peer;
        peer.over();
        let hook = async { self.hooks.close(peer, closed).await };
        let result = self.tasks.alongside(peer, catch(Hook::Close, hook)).await;
        // Reported like any other error; there is no connection left to close.
        self.settle(result).await;
        while let Some(error) = self.take_failure() {
            self.error(error).await;
        }
    }

    async fn settle(&mut self, result: Result<(), Error>) {
        if let Err(error) = result
            && !self.is_departure(&error)
        {
            self.error(error).await;
        }
    }

    /// The oldest failure of a future that the peer spawned.
    fn take_failure(&mut self) -> Option<Error> {
        loop {
            let error = self.tasks.take_failure()?;
            if !self.is_departure(&error) {
                return Some(error);
            }
        }
    }

    /// Whether something failed only because the peer had left. Everyone writes `peer.send(..)?`,
    /// and clients leave while hooks run: that is how connections end, and no failure.
    fn is_departure(&self, error: &Error) -> bool {
        let departed = error.is_departure() && self.peer().state() != State::Open;
        if departed {
            tracing::debug!(peer = %self.peer(), %error, "the peer left while a hook ran");
        }
        departed
    }
}

impl<H: Hooks + ?Sized> fmt::Debug for Session<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({})", self.peer())
    }
}
