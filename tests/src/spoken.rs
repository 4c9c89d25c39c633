//! The routes below `/routed/spoken`, with typed messages, rules and calls.

use std::sync::Arc;
use std::time::Duration;

use crossws_app::calls::{CallError, PeerCalls, calls};
use crossws_app::rooms::{Allow, Wish, rooms};
use crossws_app::rules::{RuleSet, rules};
use crossws_app::{
    AutoCodec, MessagePackCodec, OnMalformed, Payload, Router, Typed, TypedPeer, messages, route,
    typed, typed_as,
};
use crossws_core::{BoxError, HookResult, Hooks, Peer, SharedHooks, Wrap, wrap};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Ask, Journal};

/// Returns the router of these paths.
pub(crate) fn router(journal: &Arc<Journal>) -> Router {
    let journal = Arc::clone(journal);
    let room = typed(Room)
        .protocol("room.msgpack", MessagePackCodec)
        .on_malformed(OnMalformed::Reply);
    let set: RuleSet = RULES.parse().unwrap();
    Router::new()
        .route("/room", route(room).topic("talk"))
        .route("/strict", typed(Room))
        .route("/auto", auto())
        .route("/rules", route(rules(auto()).with(set)).topic("lobby"))
        .route("/rooms", allowed())
        .route("/frank", route(frank()).reply_errors())
        .route("/calls", called(Arc::clone(&journal)).json_rpc())
        .wrap(move |hooks| {
            let journal = Arc::clone(&journal);
            wrap(Recorded { hooks, journal })
        })
}

/// What clients may subscribe and publish to.
fn allowed() -> impl Hooks {
    rooms(auto())
        .allow("lobby", Allow::Both)
        .allow("news/**", Allow::Subscribe)
        .allow_pattern("news/*")
        .authorize("user/*", |peer: Peer, wish: Wish| async move {
            let who = Ask::of(peer.request()).who;
            wish.topic.strip_prefix("user/") == Some(&*who)
        })
}

/// The messages of a member of the room.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Said {
    /// To all in the room.
    All {
        /// The words.
        text: String,
    },
    /// To all in the room, and to those who come later.
    Keep {
        /// The words.
        text: String,
    },
    /// To the sender.
    Back {
        /// Something of any depth.
        value: Value,
    },
}

struct Room;

impl Typed for Room {
    type In = Said;
    type Out = Said;

    async fn message(&self, peer: &TypedPeer<Said>, said: Said) -> HookResult {
        match said {
            Said::All { .. } => drop(peer.to("talk").including_self().send(said)?),
            Said::Keep { .. } => drop(peer.to("talk").including_self().retained().send(said)?),
            Said::Back { .. } => drop(peer.send(said)?),
        }
        Ok(())
    }
}

/// Fails with each message that is not `fine`.
fn frank() -> impl Hooks {
    crossws_core::hooks().on_message(|peer: Peer, message: crossws_core::Message| async move {
        match message.text()? {
            "fine" => {
                peer.send("fine")?;
                Ok::<_, BoxError>(())
            }
            other => Err(format!("`{other}` is not fine").into()),
        }
    })
}

/// Sends how it decodes each message.
fn auto() -> impl Hooks {
    let auto = messages().on_message(|peer: TypedPeer<Value>, payload: Payload| async move {
        peer.send(match payload {
            Payload::Json(value) => json!({"kind": "json", "value": value}),
            Payload::Text(text) => json!({"kind": "text", "value": &*text}),
            Payload::Binary(bytes) => json!({"kind": "binary", "length": bytes.len()}),
        })
    });
    typed_as(AutoCodec, auto)
}

const RULES: &str = r#"[
    {"type": "ping", "reply": {"type": "pong"}},
    {"type": "echo", "reply": {"type": "echo", "data": "{{message.data}}"}},
    {"match": {"type": "tell", "loud": true}, "to": ["lobby"], "and_self": true, "send": "LOUD"},
    {"type": "tell", "to": "lobby", "send": "{{message.text}}"},
    {"text": "hello*", "reply": "{{message}} to you"}
]"#;

fn called(journal: Arc<Journal>) -> crossws_app::calls::Calls<impl Hooks> {
    calls(crossws_core::hooks())
        .method("add", |_: Peer, (a, b): (i64, i64)| async move {
            Ok::<_, BoxError>(a + b)
        })
        .method("wait", move |_: Peer, [gate]: [String; 1]| {
            let journal = Arc::clone(&journal);
            async move {
                journal.pass(&gate).await;
                Ok::<_, BoxError>(gate)
            }
        })
        .method(
            "ask",
            |peer: Peer, (question, millis): (String, u64)| async move {
                let asked = peer.call::<String>("question", question);
                Ok::<_, BoxError>(match asked.timeout(Duration::from_millis(millis)).await {
                    Ok(answer) => format!("answer {answer}"),
                    Err(CallError::Timeout(_)) => "timeout".to_owned(),
                    Err(error) => error.to_string(),
                })
            },
        )
        .event("note", |peer: Peer, note: Value| async move {
            peer.emit("noted", note)
        })
}

/// Records that peers have opened.
struct Recorded {
    hooks: SharedHooks,
    journal: Arc<Journal>,
}

impl Wrap for Recorded {
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.hooks
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        let who = Ask::of(peer.request()).who;
        self.journal.record(&who, "open", Value::Null);
        let opened = self.hooks.open(peer).await;
        self.journal.record(&who, "open.end", Value::Null);
        opened
    }
}
