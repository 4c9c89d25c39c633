//! The fixture of `examples/fixture.rs` on Cloudflare Workers, with the same hooks: in a Durable
//! Object, or with the variable `PLAIN` in the Worker itself. `HOOKS` chooses between the fixture,
//! `bare`, and `echo`.
//!
//! `GET /capabilities` lists what it supports here; the rest is as on every other adapter.

use crossws::worker::{
    DURABLE_CAPABILITIES, Objects, Options, PLAIN_CAPABILITIES, Plain, Shard, Upgraded,
};
use crossws::{HookResult, Hooks, IntoMessage, Json, Message, Origin, Peer};
use serde::Deserialize;
use serde_json::json;
use worker::{Context, Env, Request, Response, Result, event};

#[path = "../../fixture/hooks.rs"]
mod hooks;

use hooks::{Bare, Fixture};

/// Sends every message back unchanged.
struct Echo;

impl Hooks for Echo {
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.send(message)?;
        Ok(())
    }
}

crossws::worker::durable_object! {
    pub struct FixtureObject => Fixture = |_env| Fixture;
    options = |_env| options();
}

crossws::worker::durable_object! {
    pub struct BareObject => Bare = |_env| Bare;
    options = |_env| options();
}

crossws::worker::durable_object! {
    pub struct EchoObject => Echo = |_env| Echo;
    options = |_env| options();
}

/// Pages of any origin may connect: this is a test server without secrets.
fn options() -> Options {
    Options::new().origin(Origin::Any)
}

/// One object for all connections, so that one request can list every peer.
const EVERYBODY: &str = "everybody";

/// The place where the connections live.
enum Place {
    Objects(Box<Objects>),
    Worker,
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let of_env = |name: &str| env.var(name).map(|value| value.to_string());
    let hooks = of_env("HOOKS")?;
    let place = if of_env("PLAIN").is_ok() {
        Place::Worker
    } else {
        let objects = Objects::new(&env, &hooks.to_uppercase())?.options(options());
        Place::Objects(Box::new(objects.shard(Shard::One(EVERYBODY.to_owned()))))
    };
    let upgraded = match hooks.as_str() {
        "echo" => place.upgrade(request, &context, Echo).await?,
        "bare" => place.upgrade(request, &context, Bare).await?,
        _ => place.upgrade(request, &context, Fixture).await?,
    };
    match upgraded {
        Upgraded::Answered(response) => Ok(response),
        Upgraded::NotHandled(request) => place.answer(&request).await,
    }
}

#[derive(Deserialize)]
struct Publish {
    topic: String,
    message: String,
}

impl Place {
    async fn upgrade(
        &self,
        request: Request,
        context: &Context,
        hooks: impl Hooks,
    ) -> Result<Upgraded> {
        Ok(match self {
            Self::Objects(objects) => objects.upgrade(request, hooks).await?,
            Self::Worker => {
                let plain = Plain::new().options(options());
                plain.upgrade(request, context, hooks).await?
            }
        })
    }

    /// Responds with the ordinary HTTP of `fixture/http.rs`.
    async fn answer(&self, request: &Request) -> Result<Response> {
        let url = request.inner().url();
        let query = url.split_once('?').map_or("", |(_, query)| query);
        match request.path().as_str() {
            "/capabilities" => self.capabilities(),
            "/peers" => self.peers().await,
            "/publish" => match serde_urlencoded::from_str(query) {
                Ok(Publish { topic, message }) => self.publish(&topic, message).await,
                Err(error) => Response::error(error.to_string(), 400),
            },
            "/publish-object" => {
                self.publish("room", Json(json!({ "hello": "world" })))
                    .await
            }
            _ => Response::from_html("<title>crossws fixture</title>"),
        }
    }

    fn capabilities(&self) -> Result<Response> {
        let capabilities = match self {
            Self::Objects(_) => DURABLE_CAPABILITIES,
            Self::Worker => PLAIN_CAPABILITIES,
        };
        Response::from_json(&capabilities.names().collect::<Vec<_>>())
    }

    async fn peers(&self) -> Result<Response> {
        let Self::Objects(objects) = self else {
            return Response::error("each connection is alone", 501);
        };
        let peers = objects.object(EVERYBODY)?.peers().await?;
        let names = peers
            .iter()
            .map(|peer| format!("{}:{}", peer.namespace, peer.id));
        Response::from_json(&json!({ "peers": names.collect::<Vec<_>>() }))
    }

    async fn publish(&self, topic: &str, message: impl IntoMessage) -> Result<Response> {
        let Self::Objects(objects) = self else {
            return Response::error("there are no topics", 501);
        };
        let told = objects.object(EVERYBODY)?.publish(topic, message).await;
        told.map_or_else(
            |error| Response::error(error.to_string(), 500),
            |_| Response::ok("published"),
        )
    }
}
