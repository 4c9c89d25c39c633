//! The application under test.

mod perform;
mod upgrade;

pub(crate) use upgrade::headers;

use std::sync::Arc;

use bytes::Bytes;
use crossws_core::{
    Closed, Dropped, Error, HookResult, Hooks, Message, OnError, Peer, Rejection, Subscription,
    Upgrade, UpgradeRequest,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Ask, Do, Journal};

/// Hooks that run the commands in requests and messages, and record what they receive.
///
/// They store nothing about a connection: they read everything again from the peer's request, as
/// hooks that wake from a sleep must.
#[derive(Debug, Clone, Default)]
pub struct Probe {
    journal: Arc<Journal>,
}

/// The probe's typed context.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ProbeContext {
    value: Value,
}

/// The probe's volatile value.
struct Remembered(String);

impl Probe {
    /// Creates a probe that writes into this journal.
    pub fn new(journal: Arc<Journal>) -> Self {
        Self { journal }
    }

    fn note(&self, peer: &Peer, what: &str, detail: Value) {
        self.journal
            .record(&Ask::of(peer.request()).who, what, detail);
    }

    /// Runs the script of one hook, with an entry before it and one after it.
    async fn hook(&self, peer: &Peer, name: &str, detail: Value, script: Vec<Do>) -> HookResult {
        self.note(peer, name, detail);
        for command in script {
            self.perform(peer, command).await?;
        }
        self.note(peer, &format!("{name}.end"), Value::Null);
        Ok(())
    }
}

impl Hooks for Probe {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        upgrade::answer(&self.journal, request).await
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        let script = Ask::of(peer.request()).open;
        self.hook(peer, "open", json!(peer.id()), script).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        if let Message::Text(text) = &message
            && let Ok(script) = serde_json::from_str(text)
        {
            return self
                .hook(peer, "message", json!(text.as_str()), script)
                .await;
        }
        let shown = match &message {
            Message::Text(text) if text.len() <= 64 => json!(text.as_str()),
            other => json!({ "text": other.is_text(), "size": other.len() }),
        };
        self.note(peer, "message", shown);
        peer.send(message)?;
        self.note(peer, "message.end", Value::Null);
        Ok(())
    }

    async fn drain(&self, peer: &Peer) -> HookResult {
        let script = Ask::of(peer.request()).drain;
        let buffered = json!(peer.buffered_amount());
        self.hook(peer, "drain", buffered, script).await
    }

    async fn subscription(&self, peer: &Peer, event: Subscription) -> HookResult {
        if Ask::of(peer.request()).subscriptions {
            let detail = json!({
                "topic": &*event.topic,
                "is_pattern": event.is_pattern,
                "joined": event.joined,
                "subscribers": event.subscribers,
            });
            self.note(peer, "subscription", detail);
        }
        Ok(())
    }

    async fn dropped(&self, peer: &Peer, dropped: Dropped) -> HookResult {
        let cause = format!("{:?}", dropped.cause);
        let detail = json!({ "messages": dropped.messages, "cause": cause });
        self.hook(peer, "dropped", detail, Vec::new()).await
    }

    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        let script = serde_json::from_str::<Vec<Do>>(name);
        if script.is_err() {
            peer.send(format!("timer {name}"))?;
        }
        let script = script.unwrap_or_default();
        self.hook(peer, "timer", json!(name), script).await
    }

    async fn ping(&self, peer: &Peer, data: Bytes) -> HookResult {
        let data = json!(String::from_utf8_lossy(&data));
        self.hook(peer, "ping", data, Vec::new()).await
    }

    async fn pong(&self, peer: &Peer, data: Bytes) -> HookResult {
        let data = json!(String::from_utf8_lossy(&data));
        self.hook(peer, "pong", data, Vec::new()).await
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        let script = Ask::of(peer.request()).close;
        let detail = json!({
            "code": closed.code,
            "reason": closed.reason.as_str(),
            "clean": closed.clean,
            "by": format!("{:?}", closed.by),
        });
        self.hook(peer, "close", detail, script).await
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        let detail = json!({ "kind": format!("{:?}", error.kind()), "text": error.to_string() });
        self.note(peer, "error", detail);
        match Ask::of(peer.request()).on_error {
            Some(policy) => policy.answer(),
            None => OnError::default(),
        }
    }
}
