//! The app of `examples/founding` on Cloudflare Workers. Its connections are in one Durable Object, so
//! that one request reaches all of a route.
//!
//!     npx wrangler dev

use std::time::Duration;

use crossws::Router;
use crossws::http::HeaderName;
use crossws::sse::{EventStream, LAST_EVENT_ID, StreamSettings};
use crossws::worker::{Objects, Options, Shard, Upgraded, background, respond};
use founding::sse::Streams;
use serde_json::json;
use worker::{Context, Env, Method, Request, Response, Result, console_log, event};

crossws::worker::durable_object! {
    pub struct App => Router = |_env| founding::app();
    options = options;
}

fn options(env: &Env) -> Options {
    let env = env.clone();
    Options::new()
        // Kept for the layer that runs again when the object wakes.
        .keep_headers([HeaderName::from_static("x-user")])
        .events(StreamSettings::new().grace(Duration::from_secs(1)))
        .http(move |request| api(request, env.clone()))
}

fn objects(env: &Env) -> Result<Objects> {
    let all = Shard::One("app".to_owned());
    Ok(Objects::new(env, "APP")?.shard(all).options(options(env)))
}

#[event(start)]
fn start() {
    console_log!(
        "left to the platform: heartbeats, pongs and compression (/mock/ws/quiet, pings, manual, \
         deflate); no loop outlasts a sleep (/_socket/tools, pty); without a memory of its own: \
         /api/cleanups, /sse/open"
    );
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let objects = objects(&env)?;
    let request = match objects.upgrade(request, founding::app()).await? {
        Upgraded::Answered(response) => return Ok(response),
        Upgraded::NotHandled(request) => request,
    };
    // The same hooks for clients that cannot open a WebSocket.
    let request = match objects.events(request, founding::app()).await? {
        Upgraded::Answered(response) => return Ok(response),
        Upgraded::NotHandled(request) => request,
    };
    let events = match (request.method(), request.path().as_str()) {
        (Method::Get, "/sse/structured") => founding::sse::structured(stream(&request)?),
        (Method::Get, "/sse/lines") => founding::sse::lines(stream(&request)?),
        // Nothing counts them: an instance shares no memory with others.
        (Method::Get, "/sse") => founding::sse::ticks(stream(&request)?, &Streams::default()),
        _ => return api(request, env).await,
    };
    Ok(respond(events, &context)?)
}

/// What hooks call too, in the object.
async fn api(request: Request, env: Env) -> Result<Response> {
    match (request.method(), request.path().as_str()) {
        (Method::Get, "/api/health") => Response::from_json(&founding::api::health()),
        (Method::Post, "/api/notify") => notify(request, &env, "").await,
        (Method::Post, "/api/notify/chat") => notify(request, &env, "chat").await,
        (Method::Post, "/api/notify/rooms") => notify(request, &env, "rooms/[id]").await,
        _ => Response::error("not found", 404),
    }
}

/// Returns the event stream that a request begins.
fn stream(request: &Request) -> Result<EventStream> {
    let stream = EventStream::on(background());
    Ok(match request.headers().get(LAST_EVENT_ID.as_str())? {
        Some(id) => stream.with_last_event_id(&id),
        None => stream,
    })
}

async fn notify(mut request: Request, env: &Env, route: &str) -> Result<Response> {
    let Ok(note) = founding::api::note(&request.text().await?) else {
        return Response::error("no note", 400);
    };
    let told = objects(env)?.route(route)?.send(note).await?;
    Response::from_json(&json!({ "ok": true, "sent": told.queued }))
}
