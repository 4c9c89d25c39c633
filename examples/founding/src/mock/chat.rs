//! `/mock/ws/chat?username=U`

use crossws::prelude::*;
use crossws::{Closed, PeerId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) const GENERAL: &str = "general";

/// Who comes in.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "ChatQuery")]
pub(super) struct Query {
    /// The name that the others see.
    #[serde(default = "guest")]
    username: String,
}

fn guest() -> String {
    "Guest".to_owned()
}

#[derive(Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum FromGuest {
    Chat { text: String },
}

#[derive(Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum ToGuest<'a> {
    Connected {
        #[schemars(with = "String")]
        id: PeerId,
    },
    UserJoined {
        username: &'a str,
    },
    ChatMessage {
        from: &'a str,
        text: String,
    },
    UserLeft {
        username: &'a str,
    },
}

pub(super) struct Chat;

impl Hooks for Chat {
    async fn open(&self, peer: &Peer) -> HookResult {
        let Query { username } = &*peer.attached()?;
        peer.send(Json(ToGuest::Connected { id: peer.id() }))?;
        peer.publish(GENERAL, Json(ToGuest::UserJoined { username }))?;
        Ok(())
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let FromGuest::Chat { text } = message.json()?;
        let Query { username: from } = &*peer.attached()?;
        let message = ToGuest::ChatMessage { from, text };
        peer.to(GENERAL).including_self().send(Json(message))?;
        Ok(())
    }

    async fn close(&self, peer: &Peer, _: Closed) -> HookResult {
        let Query { username } = &*peer.attached()?;
        peer.publish(GENERAL, Json(ToGuest::UserLeft { username }))?;
        Ok(())
    }
}
