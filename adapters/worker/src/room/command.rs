use bytes::Bytes;
use crossws_core::{
    CloseCode, CloseFrame, Closed, Group, Hub, Message, Peer, PeerId, Published, Scope, Utf8Bytes,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::room::PeerInfo;

/// A command of a Worker to an object. If there is a message, it is the request's body.
///
/// An unknown member is an error: if it were ignored, a message to some peers would become one to
/// every peer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Command {
    Publish {
        namespace: Option<String>,
        /// `None` means every peer.
        topics: Option<Vec<String>>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        except: Vec<String>,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        volatile: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        retained: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        text: bool,
    },
    Peers {
        namespace: Option<String>,
    },
    Topics {
        namespace: Option<String>,
    },
    Count {
        namespace: Option<String>,
        topic: String,
    },
    ClearRetained {
        namespace: Option<String>,
        topic: String,
    },
    CloseAll {
        namespace: Option<String>,
        code: u16,
        reason: String,
    },
    /// To the connections of a group in this object, as the others of its kind.
    GroupSend {
        group: GroupName,
        text: bool,
    },
    GroupPeers {
        group: GroupName,
    },
    GroupCount {
        group: GroupName,
    },
    GroupClose {
        group: GroupName,
        code: u16,
        reason: String,
    },
    Send {
        id: PeerId,
        text: bool,
    },
    Close {
        id: PeerId,
        code: u16,
        reason: String,
    },
}

/// Connections that have something in common: see [`Group`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GroupName {
    Route(String),
    Identity(String),
    Tag(String),
}

impl GroupName {
    /// Those of this object.
    fn here<'a>(&'a self, hub: &'a Hub) -> Group<'a> {
        match self {
            Self::Route(name) => hub.route(name),
            Self::Identity(name) => hub.identity(name),
            Self::Tag(name) => hub.tagged(name),
        }
        .here()
    }
}

/// The result of a publication in an object.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Told {
    pub(crate) queued: usize,
    pub(crate) dropped: u64,
}

impl Told {
    fn of(published: Published) -> Self {
        Self {
            queued: published.queued,
            dropped: published.dropped,
        }
    }
}

/// An invalid command: the object and the Worker run different versions.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error("the message says it is text, and is not UTF-8")]
    NotText,
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
    /// Runs the command, and returns its result as JSON.
    pub(crate) fn run(self, hub: &Hub, body: Vec<u8>) -> Result<Value, CommandError> {
        Ok(match self {
            Self::Publish {
                namespace,
                topics,
                except,
                volatile,
                retained,
                key,
                text,
            } => {
                let scope = scope(hub, namespace.as_deref());
                let message = message(body, text)?;
                let mut to = match &topics {
                    Some(topics) => scope.topic(topics),
                    None => scope.all(),
                };
                if volatile {
                    to = to.volatile();
                }
                if retained {
                    to = to.retained();
                }
                if let Some(key) = key {
                    to = to.key(key);
                }
                let told = to.except(&except).send(message)?;
                serde_json::to_value(Told::of(told))?
            }
            Self::Peers { namespace } => {
                let peers = scope(hub, namespace.as_deref()).peers();
                infos(&peers)?
            }
            Self::GroupSend { group, text } => {
                let told = group.here(hub).send(message(body, text)?)?;
                serde_json::to_value(Told::of(told))?
            }
            Self::GroupPeers { group } => infos(&group.here(hub).peers()?)?,
            Self::GroupCount { group } => Value::from(group.here(hub).peer_count()?),
            Self::GroupClose {
                group,
                code,
                reason,
            } => {
                let frame = frame(code, reason)?;
                group.here(hub).close_all(frame)?;
                Value::Null
            }
            Self::Topics { namespace } => {
                let topics = scope(hub, namespace.as_deref()).topics();
                topics.iter().map(|topic| Value::from(&**topic)).collect()
            }
            Self::Count { namespace, topic } => {
                Value::from(scope(hub, namespace.as_deref()).count(topic))
            }
            Self::ClearRetained { namespace, topic } => {
                Value::from(scope(hub, namespace.as_deref()).clear_retained(topic))
            }
            Self::CloseAll {
                namespace,
                code,
                reason,
            } => {
                let frame = frame(code, reason)?;
                scope(hub, namespace.as_deref()).close_all(frame);
                Value::Null
            }
            Self::Send { id, text } => {
                let message = message(body, text)?;
                Value::from(hub.peer(id).is_some_and(|peer| peer.send(message).is_ok()))
            }
            Self::Close { id, code, reason } => {
                let frame = frame(code, reason)?;
                let peer = hub.peer(id);
                Value::from(peer.map(|peer| peer.close_frame(frame)).is_some())
            }
        })
    }
}

/// A close frame as a command says it.
fn frame(code: u16, reason: String) -> Result<CloseFrame, CommandError> {
    match code {
        Closed::NO_STATUS => Ok(CloseFrame::without_code()),
        code => Ok(CloseFrame::new(CloseCode::try_from(code)?, reason)),
    }
}

fn infos(peers: &[Peer]) -> Result<Value, serde_json::Error> {
    serde_json::to_value(peers.iter().map(PeerInfo::of).collect::<Vec<_>>())
}

fn scope<'a>(hub: &'a Hub, namespace: Option<&'a str>) -> Scope<'a> {
    match namespace {
        Some(namespace) => hub.in_namespace(namespace),
        None => hub.in_all_namespaces(),
    }
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
mod tests {
    use std::sync::{Arc, Mutex};

    use crossws_core::adapter::{Publication, Receipt, RestoredPeer, Snapshot, Transport};
    use crossws_core::{Capabilities, PublishError, SendError, SendOptions, Sent};
    use serde_json::json;

    use super::*;

    /// Records what a client would receive.
    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<String>>>);

    impl Transport for Paper {
        fn capabilities(&self) -> Capabilities {
            crate::DURABLE_CAPABILITIES
        }
        fn send(&self, message: Message, _: &SendOptions) -> Result<Sent, SendError> {
            self.0.lock().unwrap().push(format!("{message:?}"));
            Ok(Sent::Written)
        }
        fn publish(&self, publication: &Publication) -> Receipt {
            let _ = self.send(publication.message().clone(), publication.options());
            Receipt::queued(false)
        }
        fn wake(&self) {}
        fn close(&self, frame: CloseFrame) {
            let line = format!("close {} {}", frame.code(), frame.reason());
            self.0.lock().unwrap().push(line);
        }
        fn terminate(&self) {}
    }

    impl Paper {
        fn lines(&self) -> Vec<String> {
            std::mem::take(&mut self.0.lock().unwrap())
        }
    }

    fn join(hub: &Hub, id: u128, namespace: &str) -> (RestoredPeer, Paper) {
        let id = PeerId::from_u128(id);
        let snapshot: Snapshot = serde_json::from_value(json!({
            "i": id, "n": namespace, "u": "/ws", "t": ["news"], "c": { "name": "ada" },
        }))
        .unwrap();
        let paper = Paper::default();
        (hub.admit(&snapshot, paper.clone()).unwrap(), paper)
    }

    /// Encodes it as it travels: as ASCII.
    fn run(hub: &Hub, command: &Command, body: &[u8]) -> Value {
        let command = crate::objects::ticket::ascii(&serde_json::to_string(command).unwrap());
        let command: Command = serde_json::from_str(&command).unwrap();
        command.run(hub, body.to_vec()).unwrap()
    }

    #[test]
    fn a_worker_reaches_one_namespace_or_all() {
        let hub = Hub::default();
        let (_a, one) = join(&hub, 1, "/é");
        let (_b, two) = join(&hub, 2, "/2");
        let publish = |namespace: Option<&str>, topic: Option<&str>, text| Command::Publish {
            namespace: namespace.map(str::to_owned),
            topics: topic.map(|topic| vec![topic.to_owned()]),
            except: Vec::new(),
            volatile: false,
            key: None,
            retained: false,
            text,
        };
        let told = run(
            &hub,
            &publish(Some("/é"), Some("news"), true),
            "žlu".as_bytes(),
        );
        assert_eq!(told, json!({ "queued": 1, "dropped": 0 }));
        assert_eq!(one.lines(), ["Text(\"žlu\", 4 bytes)"]);
        assert!(two.lines().is_empty());
        let told = run(&hub, &publish(None, None, false), &[0xff]);
        assert_eq!(told["queued"], 2);
        assert!(one.lines()[0].starts_with("Binary"));
        assert_eq!(
            run(&hub, &publish(None, Some("none"), true), b"")["queued"],
            0
        );
    }

    #[test]
    fn a_worker_reaches_several_topics_without_others() {
        let hub = Hub::default();
        let (a, one) = join(&hub, 1, "/1");
        let (b, two) = join(&hub, 2, "/1");
        a.peer().subscribe("red").unwrap();
        b.peer().subscribe("muted").unwrap();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let command = Command::Publish {
            namespace: Some("/1".to_owned()),
            topics: Some(names(&["news", "red"])),
            except: names(&["muted"]),
            volatile: true,
            key: Some("at".to_owned()),
            retained: false,
            text: true,
        };
        assert_eq!(run(&hub, &command, b"hi")["queued"], 1);
        assert_eq!(one.lines(), ["Text(\"hi\", 2 bytes)"]);
        assert!(two.lines().is_empty());
    }

    #[test]
    fn a_worker_lists_counts_and_addresses_peers() {
        let hub = Hub::default();
        let (_a, one) = join(&hub, 1, "/1");
        let (_b, two) = join(&hub, 2, "/2");
        let namespace = Some("/1".to_owned());
        let topic = "news".to_owned();
        let count = |namespace| Command::Count {
            namespace,
            topic: topic.clone(),
        };
        assert_eq!(run(&hub, &count(namespace.clone()), b""), 1);
        assert_eq!(run(&hub, &count(None), b""), 2);
        let topics = Command::Topics { namespace: None };
        assert_eq!(run(&hub, &topics, b""), json!(["news"]));
        let peers = run(&hub, &Command::Peers { namespace }, b"");
        let peers: Vec<PeerInfo> = serde_json::from_value(peers).unwrap();
        assert_eq!(peers.len(), 1);
        assert_eq!(peers[0].id, PeerId::from_u128(1));
        let context: Value = peers[0].context().unwrap();
        assert_eq!(context, json!({ "name": "ada" }));

        let id = PeerId::from_u128(2);
        assert_eq!(run(&hub, &Command::Send { id, text: true }, b"hi"), true);
        let reason = "out".to_owned();
        let close = Command::Close {
            id,
            code: 4001,
            reason,
        };
        assert_eq!(run(&hub, &close, b""), true);
        assert_eq!(run(&hub, &close, b""), false, "gone");
        assert_eq!(two.lines(), ["Text(\"hi\", 2 bytes)", "close 4001 out"]);

        let all = Command::CloseAll {
            namespace: None,
            code: 1001,
            reason: String::new(),
        };
        run(&hub, &all, b"");
        assert_eq!(one.lines(), ["close 1001 "]);
    }

    #[test]
    fn a_worker_reaches_the_connections_of_a_route_in_one_object() {
        let hub = Hub::builder().partial().build();
        let join = |id: u128, namespace: &str| {
            let snapshot: Snapshot = serde_json::from_value(json!({
                "i": PeerId::from_u128(id), "n": namespace, "u": namespace,
                "o": "/rooms/{id}", "l": "rooms/[id]",
            }))
            .unwrap();
            let paper = Paper::default();
            (hub.admit(&snapshot, paper.clone()).unwrap(), paper)
        };
        let (_a, one) = join(1, "/rooms/1");
        let (_b, two) = join(2, "/rooms/2");
        let group = || GroupName::Route("/rooms/:id".to_owned());
        let send = Command::GroupSend {
            group: group(),
            text: true,
        };
        let told = run(&hub, &send, b"hi");
        assert_eq!(told, json!({ "queued": 2, "dropped": 0 }));
        assert_eq!(one.lines(), two.lines());
        assert_eq!(run(&hub, &Command::GroupCount { group: group() }, b""), 2);
        let peers = run(&hub, &Command::GroupPeers { group: group() }, b"");
        assert_eq!(peers.as_array().unwrap().len(), 2);
        let close = Command::GroupClose {
            group: GroupName::Route("rooms/{id}".to_owned()),
            code: 4001,
            reason: String::new(),
        };
        run(&hub, &close, b"");
        assert_eq!(run(&hub, &Command::GroupCount { group: group() }, b""), 0);
        let refused = hub.route("rooms/[id]").send("everywhere");
        assert!(
            matches!(refused, Err(PublishError::Route(_))),
            "{refused:?}"
        );
    }

    #[test]
    fn a_worker_reaches_an_identity_and_a_tag_in_one_object() {
        let hub = Hub::builder().partial().build();
        let (a, one) = join(&hub, 1, "/1");
        let (b, two) = join(&hub, 2, "/2");
        a.peer().set_identity("ann").unwrap();
        b.peer().set_identity("bob").unwrap();
        b.peer().tag("vip").unwrap();
        let send = |group| Command::GroupSend { group, text: true };
        let ann = GroupName::Identity("ann".to_owned());
        assert_eq!(run(&hub, &send(ann), b"hi")["queued"], 1);
        let vip = GroupName::Tag("vip".to_owned());
        assert_eq!(run(&hub, &send(vip.clone()), b"ho")["queued"], 1);
        assert_eq!(one.lines(), ["Text(\"hi\", 2 bytes)"]);
        assert_eq!(two.lines(), ["Text(\"ho\", 2 bytes)"]);
        let peers = run(&hub, &Command::GroupPeers { group: vip }, b"");
        let peers: Vec<PeerInfo> = serde_json::from_value(peers).unwrap();
        assert_eq!(peers[0].identity.as_deref(), Some("bob"));
        assert_eq!(peers[0].tags, ["vip"]);
    }

    /// During a deploy: what is left out of a command would make it another one.
    #[test]
    fn a_command_of_another_version_is_refused() {
        for command in [
            r#"{"publish":{"namespace":"/1","topic":"news","text":true}}"#,
            r#"{"publish":{"namespace":"/1","topics":null,"only":["a"],"text":true}}"#,
        ] {
            assert!(
                serde_json::from_str::<Command>(command).is_err(),
                "{command}"
            );
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let hub = Hub::default();
        let id = PeerId::from_u128(1);
        let not_text = Command::Send { id, text: true }.run(&hub, vec![0xff]);
        assert!(matches!(not_text, Err(CommandError::NotText)));
        let reason = String::new();
        let code = Command::Close {
            id,
            code: 1006,
            reason,
        }
        .run(&hub, Vec::new());
        assert!(matches!(code, Err(CommandError::Code(_))));
    }
}
