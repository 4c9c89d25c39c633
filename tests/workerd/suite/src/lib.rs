//! The suite's application as a Worker: the other end of `tests/tests/targets/workerd.rs`.
//!
//! Each request has a header with its stage, so that every case has a server of its own: a journal,
//! limits, and in object mode one Durable Object for all its namespaces.

// Only the platform uses its public class, with methods that the attribute adds.
#![allow(missing_docs)]

mod notebook;
mod stage;

use bytes::Bytes;
use crossws::worker::{Durable, Objects, Plain, Room, Shard, Upgraded};
use crossws::{CloseCode, CloseFrame};
use crossws_conformance::{App, Control, Reply};
use serde_json::{Value, json};
use worker::{
    Context, DurableObject, Env, Method, Request, RequestInit, Response, Result, State, WebSocket,
    WebSocketIncomingMessage, durable_object, event, wasm_bindgen,
};

use stage::Stage;

/// The path of commands to the application. No case uses it.
const CONTROL: &str = "/.control";

/// The URL with which the Worker passes a command to the object.
const INTERNAL: &str = "http://suite.internal/";

#[event(fetch)]
async fn fetch(mut request: Request, env: Env, context: Context) -> Result<Response> {
    let Some(stage) = request.headers().get(stage::HEADER)? else {
        return Response::error("for the conformance suite only", 404);
    };
    let stage: Stage = serde_json::from_str(&stage)?;
    if request.path() == CONTROL {
        let control = request.json().await?;
        return Response::from_json(&apply(control, &stage, &env).await?);
    }
    let app = App::new(&stage.journal());
    let upgraded = if stage.plain {
        let plain = Plain::new().options(stage.options());
        plain.upgrade(request, &context, app).await?
    } else if stage.events {
        objects(&stage, &env)?.events(request, app).await?
    } else {
        objects(&stage, &env)?.upgrade(request, app).await?
    };
    match upgraded {
        Upgraded::Answered(response) => Ok(response),
        Upgraded::NotHandled(request) => http(request).await,
    }
}

fn objects(stage: &Stage, env: &Env) -> Result<Objects> {
    let objects = Objects::new(env, "STAGE")?.options(stage.options());
    Ok(objects.shard(Shard::One(stage.name()?)))
}

/// The application's HTTP service.
async fn http(mut request: Request) -> Result<Response> {
    let body = Bytes::from(request.bytes().await?);
    let url = request.inner().url();
    let (_, rest) = url.split_once("://").unwrap_or_default();
    let target = rest.find('/').map_or("/", |path| &rest[path..]);
    let mut asked = http::Request::builder()
        .method(request.method().as_ref())
        .uri(target);
    for (name, value) in request.headers() {
        asked = asked.header(name, value);
    }
    let asked = asked.body(body).map_err(error)?;
    let (parts, body) = App::http(&asked).into_parts();
    let response = Response::from_bytes(body.to_vec())?.with_status(parts.status.as_u16());
    for (name, value) in &parts.headers {
        let value = value.to_str().map_err(error)?;
        response.headers().append(name.as_str(), value)?;
    }
    Ok(response)
}

/// Runs a control of the suite: in the Worker, if Workers have a call for it, otherwise where the
/// peers are.
async fn apply(control: Control, stage: &Stage, env: &Env) -> Result<Reply> {
    match &control {
        Control::Entries { who } => {
            return Ok(Reply::Entries(stage.journal().entries(who.as_deref())));
        }
        Control::Release { gate } => {
            stage.journal().release(gate);
            return Ok(Reply::Value(Value::Null));
        }
        Control::Idle if stage.plain => return Ok(Reply::Value(json!(!stage.is_live()))),
        _ if stage.plain => return Err("a plain Worker has no hub to ask".into()),
        _ => {}
    }
    let objects = objects(stage, env)?;
    let object = || objects.object(&stage.name()?).map_err(Into::into);
    let room = |namespace: Option<String>| -> Result<Room> {
        match namespace {
            Some(namespace) => Ok(objects.in_namespace(namespace)?),
            None => object(),
        }
    };
    Ok(Reply::Value(match control {
        Control::Publish {
            namespace,
            topic,
            text,
            retained,
        } => {
            let room = room(namespace)?;
            let to = room.to([topic]);
            let to = if retained { to.retained() } else { to };
            json!(to.send(text).await?.queued)
        }
        Control::ClearRetained { namespace, topic } => {
            json!(room(namespace)?.clear_retained(topic).await?)
        }
        Control::Broadcast { namespace, text } => {
            json!(room(namespace)?.broadcast(text).await?.queued)
        }
        Control::Send { id, text } => json!(object()?.send(id, text).await?),
        Control::Close { id, code, reason } => {
            json!(object()?.close(id, frame(code, reason)?).await?)
        }
        Control::CloseAll {
            namespace,
            code,
            reason,
        } => {
            room(namespace)?.close_all(frame(code, reason)?).await?;
            Value::Null
        }
        Control::Peers { namespace } => {
            let peers = room(namespace)?.peers().await?;
            json!(peers.iter().map(|peer| peer.id).collect::<Vec<_>>())
        }
        Control::Topics { namespace } => json!(room(namespace)?.topics().await?),
        Control::Count { namespace, topic } => json!(room(namespace)?.count(topic).await?),
        other => return pass_on(&other, stage, env).await,
    }))
}

fn frame(code: u16, reason: String) -> Result<CloseFrame> {
    Ok(CloseFrame::new(
        CloseCode::try_from(code).map_err(error)?,
        reason,
    ))
}

async fn pass_on(control: &Control, stage: &Stage, env: &Env) -> Result<Reply> {
    let mut init = RequestInit::new();
    let body = serde_json::to_string(control)?;
    init.with_method(Method::Post).with_body(Some(body.into()));
    let stub = env.durable_object("STAGE")?.get_by_name(&stage.name()?)?;
    let request = Request::new_with_init(INTERNAL, &init)?;
    stub.fetch_with_request(request).await?.json().await
}

fn error(error: impl std::fmt::Display) -> worker::Error {
    worker::Error::RustError(error.to_string())
}

/// The equivalent of `durable_object!`, except that its settings differ from object to object: they
/// are the object's name.
#[durable_object]
pub struct StageObject {
    stage: Stage,
    durable: Durable<App>,
}

impl DurableObject for StageObject {
    fn new(state: State, _: Env) -> Self {
        let name = state.id().name();
        let stage: Stage = name
            .and_then(|name| serde_json::from_str(&name).ok())
            .unwrap_or_default();
        if stage.forgetful {
            for socket in state.get_websockets() {
                let _ = socket.serialize_attachment(());
            }
        }
        let app = App::new(&stage.journal());
        Self {
            durable: Durable::new(state, app, &stage.options()),
            stage,
        }
    }

    async fn fetch(&self, mut request: Request) -> Result<Response> {
        if request.inner().url() != INTERNAL {
            return self.durable.fetch(request).await;
        }
        let control: Control = request.json().await?;
        let journal = self.stage.journal();
        Response::from_json(&control.apply(self.durable.hub(), &journal).await)
    }

    async fn alarm(&self) -> Result<Response> {
        self.durable.alarm().await
    }

    async fn connect(&self, _: worker::Socket) -> Result<()> {
        Err("no TCP here".into())
    }

    async fn websocket_message(
        &self,
        socket: WebSocket,
        message: WebSocketIncomingMessage,
    ) -> Result<()> {
        self.durable.websocket_message(socket, message).await
    }

    async fn websocket_close(
        &self,
        socket: WebSocket,
        code: usize,
        reason: String,
        clean: bool,
    ) -> Result<()> {
        self.durable
            .websocket_close(socket, code, reason, clean)
            .await
    }

    async fn websocket_error(&self, socket: WebSocket, error: worker::Error) -> Result<()> {
        self.durable.websocket_error(socket, error).await
    }
}
