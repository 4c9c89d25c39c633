use crossws_core::{CloseCode, CloseFrame, Hub, PeerId, Scope};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{Entry, Journal};

/// A query or command to the server from outside its connections, as from an HTTP handler.
/// Serializable, so that it can be sent to a server in another process.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "control", rename_all = "snake_case")]
pub enum Control {
    /// Wait for `count` entries of the journal and return them.
    Wait {
        /// The connection.
        who: String,
        /// The kind of the entries.
        what: String,
        /// How many.
        count: usize,
    },
    /// Return the journal so far.
    Entries {
        /// Of one connection only.
        who: Option<String>,
    },
    /// Open a gate.
    Release {
        /// The gate.
        gate: String,
    },
    /// Publish.
    Publish {
        /// To one namespace only.
        namespace: Option<String>,
        /// The topic.
        topic: String,
        /// The text.
        text: String,
        /// Whether the topic retains it.
        #[serde(default)]
        retained: bool,
    },
    /// Forget what a topic retains.
    ClearRetained {
        /// In one namespace only.
        namespace: Option<String>,
        /// The topic.
        topic: String,
    },
    /// Send to every peer.
    Broadcast {
        /// Of one namespace only.
        namespace: Option<String>,
        /// The text.
        text: String,
    },
    /// Send to one peer.
    Send {
        /// Its id.
        id: PeerId,
        /// The text.
        text: String,
    },
    /// Close one peer.
    Close {
        /// Its id.
        id: PeerId,
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// Drop one peer's connection.
    Terminate {
        /// Its id.
        id: PeerId,
    },
    /// Close every peer.
    CloseAll {
        /// Of one namespace only.
        namespace: Option<String>,
        /// The code.
        code: u16,
        /// The reason.
        reason: String,
    },
    /// Return the ids of the peers.
    Peers {
        /// Of one namespace only.
        namespace: Option<String>,
    },
    /// Return the topics.
    Topics {
        /// Of one namespace only.
        namespace: Option<String>,
    },
    /// Return the namespaces.
    Namespaces,
    /// Return the number of a topic's subscribers.
    Count {
        /// In one namespace only.
        namespace: Option<String>,
        /// The topic.
        topic: String,
    },
    /// Return the hub's counters.
    Stats,
    /// Wait until no connection has a hook left to run.
    Idle,
    /// Return what one peer has queued, and what a policy has discarded.
    Backlog {
        /// Its id.
        id: PeerId,
    },
}

/// The reply to a [`Control`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// Entries of the journal.
    Entries(Vec<Entry>),
    /// Anything else.
    Value(Value),
}

impl Control {
    /// Runs it, in the process of the hooks.
    pub async fn apply(self, hub: &Hub, journal: &Journal) -> Reply {
        let value = match self {
            Self::Wait { who, what, count } => {
                return Reply::Entries(journal.wait(&who, &what, count).await);
            }
            Self::Entries { who } => return Reply::Entries(journal.entries(who.as_deref())),
            Self::Release { gate } => {
                journal.release(&gate);
                Value::Null
            }
            Self::Publish {
                namespace,
                topic,
                text,
                retained,
            } => {
                let to = scope(hub, &namespace).topic(topic);
                let to = if retained { to.retained() } else { to };
                json!(to.send(text).unwrap().queued)
            }
            Self::ClearRetained { namespace, topic } => {
                json!(scope(hub, &namespace).clear_retained(topic))
            }
            Self::Broadcast { namespace, text } => {
                json!(scope(hub, &namespace).broadcast(text).unwrap().queued)
            }
            Self::Send { id, text } => {
                json!(hub.peer(id).is_some_and(|peer| peer.send(text).is_ok()))
            }
            Self::Close { id, code, reason } => {
                let peer = hub.peer(id);
                if let Some(peer) = &peer {
                    peer.close(CloseCode::new(code).unwrap(), reason);
                }
                json!(peer.is_some())
            }
            Self::Terminate { id } => {
                let peer = hub.peer(id);
                if let Some(peer) = &peer {
                    peer.terminate();
                }
                json!(peer.is_some())
            }
            Self::CloseAll {
                namespace,
                code,
                reason,
            } => {
                let frame = CloseFrame::new(CloseCode::new(code).unwrap(), reason);
                scope(hub, &namespace).close_all(frame);
                Value::Null
            }
            Self::Peers { namespace } => {
                let peers = scope(hub, &namespace).peers();
                json!(peers.iter().map(|peer| peer.id()).collect::<Vec<_>>())
            }
            Self::Topics { namespace } => json!(names(&scope(hub, &namespace).topics())),
            Self::Namespaces => json!(names(&hub.namespaces())),
            Self::Count { namespace, topic } => json!(scope(hub, &namespace).count(topic)),
            Self::Stats => json!(hub.stats()),
            Self::Idle => {
                hub.idle().await;
                Value::Null
            }
            Self::Backlog { id } => json!(hub.peer(id).map(|peer| {
                json!({ "buffered": peer.buffered_amount(), "dropped": peer.dropped() })
            })),
        };
        Reply::Value(value)
    }
}

fn scope<'a>(hub: &'a Hub, namespace: &'a Option<String>) -> Scope<'a> {
    match namespace {
        Some(namespace) => hub.in_namespace(namespace),
        None => hub.in_all_namespaces(),
    }
}

/// Returns shared names as plain text, for JSON.
pub(crate) fn names(names: &[std::sync::Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}
