#[cfg(feature = "sse")]
pub(crate) mod events;
pub(crate) mod internal;
pub(crate) mod shard;
pub(crate) mod ticket;

use std::sync::Arc;

use crossws_core::adapter::{Accepted, ClaimError, Snapshot};
use crossws_core::{Hooks, PersistError, Rejection, Resolve, UpgradeRequest};
use http::StatusCode;
use worker::worker_sys::ext::ResponseExt;
use worker::{Env, ObjectNamespace, Request, Response, web_sys};

use crate::background::background;
use crate::durable::attachment::Attachment;
use crate::error::Error;
use crate::http::{request, response};
use crate::link::deadline;
use crate::link::transport::DURABLE_CAPABILITIES;
use crate::objects::internal::Address;
use crate::objects::shard::Shard;
use crate::objects::ticket::TICKET;
use crate::options::Options;
use crate::room::{Room, RoomGroup, unreadable};

/// The Durable Objects of one binding, as a Worker uses them: for upgrades, and to reach the
/// objects' peers from the Worker.
///
/// Created for each request; nothing is kept between them.
///
/// ```no_run
/// # use crossws_core::Hooks;
/// use crossws_worker::{Objects, Upgraded};
/// use worker::{Env, Request, Response, Result};
///
/// # async fn example(request: Request, env: Env, chat: impl Hooks) -> Result<Response> {
/// match Objects::new(&env, "ROOM")?.upgrade(request, chat).await? {
///     Upgraded::Answered(response) => Ok(response),
///     Upgraded::NotHandled(_) => Response::error("not found", 404),
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Objects {
    namespace: ObjectNamespace,
    shard: Shard,
    options: Options,
}

/// The result of a request: see [`Objects`].
// Exhaustive on purpose: a request gets a response or it does not.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug)]
pub enum Upgraded {
    /// The response: the 101, or the refusal.
    Answered(Response),
    /// The unchanged request. It is not an upgrade, or no hooks claim it.
    NotHandled(Request),
}

impl Upgraded {
    /// Returns what becomes of a request: its response, a refusal, or nothing if no hooks claim it.
    pub(crate) fn of(
        request: Request,
        answer: Result<Result<Response, Error>, ClaimError>,
    ) -> Result<Self, Error> {
        match answer {
            Ok(response) => response.map(Self::Answered),
            Err(ClaimError::NotHandled(_)) => Ok(Self::NotHandled(request)),
            Err(refused) => response::refusal(refused.into()).map(Self::Answered),
        }
    }
}

impl Objects {
    /// Returns the objects of a binding in `wrangler.toml`: one per namespace, with default
    /// options.
    ///
    /// # Errors
    /// When there is no such binding.
    pub fn new(env: &Env, binding: &str) -> Result<Self, Error> {
        Ok(Self {
            namespace: env.durable_object(binding)?,
            shard: Shard::Namespace,
            options: Options::default(),
        })
    }

    /// Sets which object a connection lives in.
    pub fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// Sets the options. The object's class must have the same.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Handles an upgrade: runs the `upgrade` hook here, in the Worker, and passes the peer to its
    /// object. A refused request does not reach an object.
    ///
    /// # Errors
    /// When the platform fails. Errors of the hooks or the client are refusals.
    pub async fn upgrade<R: Resolve>(
        &self,
        request: Request,
        resolver: R,
    ) -> Result<Upgraded, Error> {
        if !request::is_upgrade(&request)? {
            return Ok(Upgraded::NotHandled(request));
        }
        let asked = request::convert(&request)?;
        let resolver = Arc::new(resolver);
        // A hub for this upgrade alone: its peers live in the objects.
        let time = background();
        let hub = (self.options).hub(DURABLE_CAPABILITIES, None, Arc::clone(&time));
        let answer = async {
            let limit = hub.limits().upgrade_timeout;
            let claim = hub.in_time(&*time, limit, hub.claim(&resolver, asked));
            let claim = claim.await?;
            let limit = claim.deadline();
            // The deadline includes the object: one that died of a panic never responds.
            let upgrade = async {
                let asked = claim.request().clone();
                let accepted = claim.upgrade().await?;
                Ok(self.hand_over(&asked, &accepted).await)
            };
            hub.in_time(&*time, limit, upgrade).await
        };
        Upgraded::of(request, answer.await)
    }

    async fn hand_over<H: Hooks + ?Sized>(
        &self,
        asked: &UpgradeRequest,
        accepted: &Accepted<H>,
    ) -> Result<Response, Error> {
        let snapshot = match self.snapshot(accepted) {
            Ok(snapshot) => snapshot,
            Err(rejection) => return response::refusal(rejection),
        };
        let answer = self.ask(asked, &snapshot, ("upgrade", "websocket"));
        let answer = answer.await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS.as_u16() {
            return Ok(answer.into());
        }
        let Some(socket) = answer.websocket() else {
            return response::refusal(Rejection::internal("the object sent no socket"));
        };
        let answer = Response::from_websocket(socket.into())?;
        response::append(answer.headers(), accepted.headers())?;
        Ok(answer)
    }

    /// Returns a peer as it travels, if it can be stored: checked here, where a refusal can still report
    /// it. One of an event stream is never stored, and has the same bound: what an upgrade may contain must not
    /// depend on how its client arrives, and an object must not keep more of a client's.
    fn snapshot<H: Hooks + ?Sized>(&self, accepted: &Accepted<H>) -> Result<Snapshot, Rejection> {
        if accepted.gives_extensions() {
            return Err(Rejection::internal(Volatile));
        }
        let snapshot = accepted.snapshot(deadline::wall_clock());
        let snapshot = snapshot.map_err(Rejection::internal)?;
        let stored = snapshot
            .clone()
            .with_headers(|name| self.options.keeps(name));
        match Attachment::new(stored, u64::MAX).encode() {
            Ok(_) => Ok(snapshot),
            Err(error) => Err(too_big(error)),
        }
    }

    /// Asks a peer's object to admit it. The client's data is only in the ticket's strings, so that
    /// no client can forge a ticket.
    async fn ask(
        &self,
        asked: &UpgradeRequest,
        snapshot: &Snapshot,
        header: (&str, &str),
    ) -> Result<web_sys::Response, Error> {
        let name = self.shard.of(asked, snapshot.namespace());
        let ticket = ticket::write(snapshot).map_err(unreadable)?;
        let object = Address::of(&self.namespace, &name)?;
        object
            .fetch("GET", &[header, (TICKET, &*ticket)], None)
            .await
    }

    /// Returns the peers and topics of one namespace, in the object where they live.
    ///
    /// # Errors
    /// [`Error::Unnamed`] under [`Shard::ByRequest`]; and when the platform fails.
    pub fn in_namespace(&self, namespace: impl Into<String>) -> Result<Room, Error> {
        let namespace = namespace.into();
        let name = self.shard.of_namespace(&namespace);
        let name = name.ok_or(Error::Unnamed)?;
        let object = Address::of(&self.namespace, &name)?;
        Ok(Room::new(object, Some(namespace)))
    }

    /// Returns the connections of a route, by its pattern or name: see
    /// [`Hub::route`](crossws_core::Hub::route).
    ///
    /// # Errors
    /// [`Error::GroupSpansObjects`] unless all are in one object ([`Shard::One`]), because the
    /// platform does not list objects. For one object, use
    /// [`object(name)`](Self::object)`?.`[`route(route)`](Room::route). And when the platform
    /// fails.
    pub fn route(&self, route: impl Into<String>) -> Result<RoomGroup, Error> {
        Ok(self.whole()?.route(route))
    }

    /// Returns the connections of an identity: see [`Hub::identity`](crossws_core::Hub::identity).
    ///
    /// # Errors
    /// As [`route`](Self::route).
    pub fn identity(&self, identity: impl Into<String>) -> Result<RoomGroup, Error> {
        Ok(self.whole()?.identity(identity))
    }

    /// Returns the connections with a tag: see [`Hub::tagged`](crossws_core::Hub::tagged).
    ///
    /// # Errors
    /// As [`route`](Self::route).
    pub fn tagged(&self, tag: impl Into<String>) -> Result<RoomGroup, Error> {
        Ok(self.whole()?.tagged(tag))
    }

    /// Returns the object that all connections are in.
    fn whole(&self) -> Result<Room, Error> {
        match &self.shard {
            Shard::One(name) => self.object(name),
            _ => Err(Error::GroupSpansObjects),
        }
    }

    /// Returns every namespace of the object with this name. Under [`Shard::Namespace`] the name is
    /// the namespace.
    ///
    /// # Errors
    /// When the platform fails.
    pub fn object(&self, name: &str) -> Result<Room, Error> {
        Ok(Room::new(Address::of(&self.namespace, name)?, None))
    }
}

/// Returns the response to a peer that is too large to store. The status depends on whose data is
/// too large.
fn too_big(error: PersistError) -> Rejection {
    use crossws_core::adapter::SnapshotPart;
    let PersistError::TooBig { part, .. } = error else {
        return Rejection::internal(error);
    };
    match part {
        SnapshotPart::Target => Rejection::from(StatusCode::URI_TOO_LONG).with_source(error),
        SnapshotPart::Headers => {
            Rejection::from(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE).with_source(error)
        }
        _ => Rejection::internal(error),
    }
}

#[derive(Debug, thiserror::Error)]
#[error(
    "the upgrade hook gave the peer volatile values (`Upgrade::extension`), which cannot travel \
     to a Durable Object: put what must into the context, or make them in the `open` hook"
)]
struct Volatile;
