//! The chat of `examples/chat` on Cloudflare Workers: the same hooks, the same page, one Durable
//! Object per room.
//!
//!     npx wrangler dev
//!
//! Open the printed address in two windows. Then send a message to a room from outside:
//!
//!     curl --data 'Deploy at 18:00' 'http://127.0.0.1:8787/announce?room=lobby'

use crossws::Json;
use crossws::worker::{Objects, Upgraded};
use worker::{Context, Env, Method, Request, Response, Result, event};

// The native chat's hooks. A Worker does not use `announce`, because its rooms are separate
// objects.
#[allow(dead_code)]
#[path = "../../chat/src/hooks.rs"]
mod hooks;

use hooks::Chat;

crossws::worker::durable_object! { pub struct ChatRoom => Chat = |_env| Chat::default(); }

#[event(fetch)]
async fn fetch(request: Request, env: Env, _: Context) -> Result<Response> {
    let rooms = Objects::new(&env, "ROOM")?;
    match rooms.upgrade(request, hooks::chat()).await? {
        Upgraded::Answered(response) => Ok(response),
        Upgraded::NotHandled(request) => page(request, &rooms).await,
    }
}

async fn page(mut request: Request, rooms: &Objects) -> Result<Response> {
    match (request.method(), request.path().as_str()) {
        (Method::Get, "/") => Response::from_html(include_str!("../../chat/src/page.html")),
        (Method::Post, "/announce") => announce(&mut request, rooms).await,
        _ => Response::error("not found", 404),
    }
}

/// Announces without authentication, which a real app would need.
async fn announce(request: &mut Request, rooms: &Objects) -> Result<Response> {
    let url = request.inner().url();
    let query = url.split_once('?').map(|(_, query)| query);
    let Some(room) = query.and_then(|query| query.strip_prefix("room=")) else {
        return Response::error("which room? ?room=NAME", 400);
    };
    let text = request.text().await?;
    let announced = serde_json::json!({ "type": "announced", "text": text });
    let room = rooms.in_namespace(format!("/rooms/{room}"))?;
    let told = room.publish("talk", Json(announced)).await?;
    Response::ok(format!("told {} people\n", told.queued))
}
