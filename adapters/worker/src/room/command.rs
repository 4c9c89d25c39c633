use bytes::Bytes;
use crossws_core::{
    CloseCode, CloseFrame, Closed, Group, Hub, Message, Peer, PeerId, Published, Scope,
    SendOptions, Utf8Bytes,
};
use serde::{Deserialize, Serialize};

use crate::room::PeerInfo;

/// A command of a Worker to an object. If there is a message, it is the request's body.
///
/// An unknown member is an error: if it were ignored, a message to some peers would become one to
/// every peer. The kinds of recipients are apart from the kinds of actions, because the code that
/// decodes a variant with members of its own is long, and every Worker has it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Command {
    pub(crate) to: Recipients,
    pub(crate) act: Action,
}

/// The peers that a command is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Recipients {
    /// All of the object.
    Everyone,
    Namespace(String),
    /// The connections of a [group](Group) in this object.
    Route(String),
    Identity(String),
    Tag(String),
    Peer(PeerId),
}

/// What a command asks for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    /// Returns [`Told`], or for one peer whether it took the message.
    Send(Delivery),
    /// Returns whether a peer existed, if the command is for one.
    Close(Frame),
    /// Returns a list of [`PeerInfo`].
    Peers,
    /// Returns the number of peers, or of subscribers of a topic.
    Count(Option<String>),
    /// Returns the names of topics.
    Topics,
    /// Returns in how many namespaces the topic had a message.
    ClearRetained(String),
}

/// How a message is sent.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delivery {
    pub(crate) text: bool,
    /// `None` means every peer.
    pub(crate) topics: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) except: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) volatile: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) retained: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<String>,
}

/// A close frame.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Frame {
    code: u16,
    reason: String,
}

/// The result of a publication in an object.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) queued: usize,
    pub(crate) dropped: u64,
}

/// An invalid command: the object and the Worker run different versions.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("the message says it is text, and is not UTF-8")]
    NotText,
    #[error("these recipients have no such command")]
    NoSuch,
    #[error(transparent)]
    Code(#[from] crossws_core::InvalidCloseCode),
    #[error(transparent)]
    Publish(#[from] crossws_core::PublishError),
    #[error(transparent)]
    Unsupported(#[from] crossws_core::Unsupported),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Command {
    /// Decodes a command.
    pub(crate) fn decode(json: &str) -> Result<Self, CommandError> {
        // From bytes, as every other JSON here: for text there would be another decoder.
        Ok(serde_json::from_slice(json.as_bytes())?)
    }

    /// Runs the command, and returns its result as JSON.
    pub(crate) fn run(self, hub: &Hub, body: Vec<u8>) -> Result<String, CommandError> {
        match self.to {
            Recipients::Everyone => self.act.in_scope(hub.in_all_namespaces(), body),
            Recipients::Namespace(name) => self.act.in_scope(hub.in_namespace(&name), body),
            Recipients::Route(route) => self.act.on_group(hub.route(&route).here(), body),
            Recipients::Identity(name) => self.act.on_group(hub.identity(&name).here(), body),
            Recipients::Tag(tag) => self.act.on_group(hub.tagged(&tag).here(), body),
            Recipients::Peer(id) => self.act.on_peer(hub.peer(id), body),
        }
    }
}

impl Action {
    fn in_scope(self, scope: Scope<'_>, body: Vec<u8>) -> Result<String, CommandError> {
        match self {
            Self::Send(send) => {
                let mut to = match &send.topics {
                    Some(topics) => scope.topic(topics),
                    None => scope.all(),
                };
                if send.retained {
                    to = to.retained();
                }
                let to = to.except(&send.except).options(send.options());
                told(to.send(message(body, send.text)?)?)
            }
            Self::Close(frame) => json(&scope.close_all(frame.decode()?)),
            Self::Peers => infos(&scope.peers()),
            Self::Count(None) => json(&scope.peer_count()),
            Self::Count(Some(topic)) => json(&scope.count(topic)),
            Self::Topics => json(&scope.topics()),
            Self::ClearRetained(topic) => json(&scope.clear_retained(topic)),
        }
    }

    fn on_group(self, group: Group<'_>, body: Vec<u8>) -> Result<String, CommandError> {
        match self {
            Self::Send(send) if send.is_to_all() => {
                let group = group.options(send.options());
                told(group.send(message(body, send.text)?)?)
            }
            Self::Close(frame) => json(&group.close_all(frame.decode()?)?),
            Self::Peers => infos(&group.peers()?),
            Self::Count(None) => json(&group.peer_count()?),
            _ => Err(CommandError::NoSuch),
        }
    }

    fn on_peer(self, peer: Option<Peer>, body: Vec<u8>) -> Result<String, CommandError> {
        match self {
            Self::Send(send) if send.is_to_all() => {
                let message = message(body, send.text)?;
                let options = send.options();
                json(&peer.is_some_and(|peer| peer.send_with(message, options).is_ok()))
            }
            Self::Close(frame) => {
                let frame = frame.decode()?;
                json(&peer.map(|peer| peer.close_frame(frame)).is_some())
            }
            _ => Err(CommandError::NoSuch),
        }
    }
}

impl Delivery {
    /// Returns how this message is sent to every peer.
    pub(crate) fn of(message: &Message) -> Self {
        Self {
            text: message.is_text(),
            ..Self::default()
        }
    }

    /// Returns whether all of the recipients get the message, and it is not retained: recipients that
    /// are not those of a namespace have no topics.
    fn is_to_all(&self) -> bool {
        self.topics.is_none() && self.except.is_empty() && !self.retained
    }

    fn options(&self) -> SendOptions {
        let mut options = SendOptions::new();
        if self.volatile {
            options = options.volatile();
        }
        match &self.key {
            Some(key) => options.key(key.as_str()),
            None => options,
        }
    }
}

impl Frame {
    pub(crate) fn new(frame: &CloseFrame) -> Self {
        Self {
            code: frame.status(),
            reason: frame.reason().to_string(),
        }
    }

    fn decode(self) -> Result<CloseFrame, CommandError> {
        match self.code {
            Closed::NO_STATUS => Ok(CloseFrame::without_code()),
            code => Ok(CloseFrame::new(CloseCode::try_from(code)?, self.reason)),
        }
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, CommandError> {
    Ok(serde_json::to_string(value)?)
}

fn told(published: Published) -> Result<String, CommandError> {
    json(&Told {
        queued: published.queued,
        dropped: published.dropped,
    })
}

fn infos(peers: &[Peer]) -> Result<String, CommandError> {
    json(&peers.iter().map(PeerInfo::of).collect::<Vec<_>>())
}

fn message(body: Vec<u8>, text: bool) -> Result<Message, CommandError> {
    let bytes = Bytes::from(body);
    if text {
        let text = Utf8Bytes::try_from(bytes).map_err(|_| CommandError::NotText)?;
        Ok(Message::Text(text))
    } else {
        Ok(Message::Binary(bytes))
    }
}

#[cfg(test)]
mod tests;
