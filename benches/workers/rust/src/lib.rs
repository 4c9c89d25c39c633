//! An echo and a chat to measure: in objects, and the echo in a plain Worker too.

use crossws::worker::{Objects, Plain, Upgraded};
use crossws::{HookResult, Hooks, Message, Peer};
use worker::{Context, Env, Request, Response, Result, event};

crossws::worker::durable_object! { pub struct EchoObject => Echo = |_env| Echo; }
crossws::worker::durable_object! { pub struct ChatObject => Chat = |_env| Chat; }

struct Echo;

impl Hooks for Echo {
    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.send(message)?;
        Ok(())
    }
}

struct Chat;

impl Hooks for Chat {
    async fn open(&self, peer: &Peer) -> HookResult {
        peer.subscribe("talk")?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        peer.publish("talk", message)?;
        Ok(())
    }
}

#[event(fetch)]
async fn fetch(request: Request, env: Env, context: Context) -> Result<Response> {
    let upgraded = match request.path().as_str() {
        "/plain" => Plain::new().upgrade(request, &context, Echo).await?,
        "/chat" => Objects::new(&env, "CHAT")?.upgrade(request, Chat).await?,
        _ => Objects::new(&env, "ECHO")?.upgrade(request, Echo).await?,
    };
    match upgraded {
        Upgraded::Answered(response) => Ok(response),
        Upgraded::NotHandled(_) => Response::error("not a WebSocket", 426),
    }
}
