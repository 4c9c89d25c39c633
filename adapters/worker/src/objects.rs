pub(crate) mod internal;
pub(crate) mod shard;
pub(crate) mod ticket;

use crossws_core::adapter::{Accepted, ClaimError, Snapshot};
use crossws_core::{Hooks, PersistError, Rejection, Resolve, UpgradeRequest};
use http::StatusCode;
use worker::{Env, Headers, Method, ObjectNamespace, Request, Response};

use crate::durable::attachment::Attachment;
use crate::error::Error;
use crate::http::{request, response};
use crate::link::deadline;
use crate::objects::internal::Address;
use crate::objects::shard::Shard;
use crate::objects::ticket::TICKET;
use crate::options::Options;
use crate::room::{Room, RoomRoute, unreadable};

/// The Durable Objects of one binding, as a Worker uses them: upgrades go in here, and what the
/// Worker itself has to say to their peers.
///
/// Made for each request; nothing is kept between them.
#[derive(Debug)]
#[must_use]
pub struct Objects {
    namespace: ObjectNamespace,
    shard: Shard,
    options: Options,
}

/// What became of a request.
// Exhaustive on purpose: a request is answered or it is not.
#[allow(clippy::exhaustive_enums)]
#[derive(Debug)]
pub enum Upgraded {
    /// Here is the answer to it: the 101, or the refusal.
    Answered(Response),
    /// It is no upgrade, or no hooks claim it: here it is back, untouched.
    NotHandled(Request),
}

impl Objects {
    /// The objects behind a binding of `wrangler.toml`: one per namespace, with default options.
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

    /// Which object a connection lives in.
    pub fn shard(mut self, shard: Shard) -> Self {
        self.shard = shard;
        self
    }

    /// The options that the object's class has too.
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Answers an upgrade: runs the `upgrade` hook here, in the Worker, and hands the peer to its
    /// object. A refused request does not reach an object.
    ///
    /// # Errors
    /// When the platform fails. What the hooks or the client do wrong is a refusal.
    pub async fn upgrade<R: Resolve>(
        &self,
        request: Request,
        resolver: R,
    ) -> Result<Upgraded, Error> {
        if !request::is_upgrade(&request)? {
            return Ok(Upgraded::NotHandled(request));
        }
        let asked = request::convert(&request)?;
        let resolver = std::sync::Arc::new(resolver);
        // A hub for this one upgrade: its peers live in the objects.
        let hub = self.options.hub();
        let limit = hub.limits().upgrade_timeout;
        let claim = deadline::within(limit, hub.claim(&resolver, asked)).await;
        let answer = match claim {
            Some(Ok(claim)) => {
                let limit = claim.deadline();
                let asked = claim.request().clone();
                // The object is within the deadline too: one that died of a panic never answers.
                let upgrade = async {
                    let accepted = claim.upgrade().await?;
                    Ok(self.hand_over(&asked, &accepted).await)
                };
                deadline::within(limit, upgrade).await
            }
            Some(Err(refused)) => Some(Err(refused)),
            None => None,
        };
        let response = match answer {
            Some(Ok(response)) => response?,
            Some(Err(ClaimError::NotHandled(_))) => return Ok(Upgraded::NotHandled(request)),
            Some(Err(ClaimError::Rejected(rejection))) => response::refusal(rejection)?,
            Some(Err(_)) => response::refusal(Rejection::from(StatusCode::NOT_FOUND))?,
            None => response::refusal(Rejection::unavailable("the upgrade took too long"))?,
        };
        Ok(Upgraded::Answered(response))
    }

    async fn hand_over<H: Hooks + ?Sized>(
        &self,
        asked: &UpgradeRequest,
        accepted: &Accepted<H>,
    ) -> Result<Response, Error> {
        if accepted.gives_extensions() {
            return response::refusal(Rejection::internal(Volatile));
        }
        let snapshot = match accepted.snapshot(deadline::wall_clock()) {
            Ok(snapshot) => snapshot,
            Err(error) => return response::refusal(Rejection::internal(error)),
        };
        if let Err(rejection) = self.check(&snapshot) {
            return response::refusal(rejection);
        }
        let name = self.shard.of(asked, snapshot.namespace());
        let answer = self.ask(&name, &snapshot).await?;
        if answer.status_code() != StatusCode::SWITCHING_PROTOCOLS.as_u16() {
            return Ok(answer);
        }
        let Some(socket) = answer.websocket() else {
            return response::refusal(Rejection::internal("the object sent no socket"));
        };
        let answer = Response::from_websocket(socket)?;
        response::append(answer.headers(), accepted.headers())?;
        Ok(answer)
    }

    /// Whether the peer can be stored: found out here, where a refusal still can say so.
    fn check(&self, snapshot: &Snapshot) -> Result<(), Rejection> {
        let stored = snapshot
            .clone()
            .with_headers(|name| self.options.keeps(name));
        match Attachment::new(stored, u64::MAX).encode() {
            Ok(_) => Ok(()),
            Err(error) => Err(too_big(error)),
        }
    }

    /// Asks an object to admit a peer. What a client sent is in the ticket's strings and nowhere
    /// else, so that no client can forge a ticket.
    async fn ask(&self, name: &str, snapshot: &Snapshot) -> Result<Response, Error> {
        let headers = Headers::new();
        headers.set("upgrade", "websocket")?;
        headers.set(TICKET, &ticket::write(snapshot).map_err(unreadable)?)?;
        let object = Address::of(&self.namespace, name)?;
        object.fetch(Method::Get, headers, None).await
    }

    /// The peers and topics of one namespace, in whichever object they live.
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

    /// The connections of a route, by its pattern or name: see [`Hub::route`](crossws_core::Hub::route).
    ///
    /// # Errors
    /// [`Error::RouteSpansObjects`] unless all are in one object ([`Shard::One`]): the platform does not
    /// list objects. Those of one object are
    /// [`object(name)`](Self::object)`?.`[`route(route)`](Room::route). And when the platform fails.
    pub fn route(&self, route: impl Into<String>) -> Result<RoomRoute, Error> {
        match &self.shard {
            Shard::One(name) => Ok(self.object(name)?.route(route)),
            _ => Err(Error::RouteSpansObjects),
        }
    }

    /// Every namespace of the object with this name. Under [`Shard::Namespace`] the name is the
    /// namespace.
    ///
    /// # Errors
    /// When the platform fails.
    pub fn object(&self, name: &str) -> Result<Room, Error> {
        Ok(Room::new(Address::of(&self.namespace, name)?, None))
    }
}

/// The response to a peer that there is no room to store: who is to blame decides.
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
