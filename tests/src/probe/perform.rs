use std::sync::Arc;
use std::time::Duration;

use crossws_core::{
    BoxError, BoxFuture, CloseCode, CloseFrame, HookResult, Json, Message, Peer, Published,
    SendError, SendOptions, Sent, WeakPeer,
};
use serde_json::{Value, json};

use super::{Probe, ProbeContext, Remembered};
use crate::{Do, Group};

impl Probe {
    /// Runs one command. Boxed, because spawned commands contain commands.
    pub(super) fn perform<'a>(&'a self, peer: &'a Peer, command: Do) -> BoxFuture<'a, HookResult> {
        Box::pin(async move {
            let did = |call: &str, answer: Value| {
                self.note(peer, "did", json!({ "do": call, "answer": answer }));
            };
            match command {
                Do::Send { text } => did("send", sent(peer.send(text))),
                Do::SendBinary { bytes } => did("send_binary", sent(peer.send(bytes))),
                Do::SendJson { value } => did("send_json", sent(peer.send(Json(value)))),
                Do::SendTo { id, text } => {
                    let other = peer.hub().peer(id);
                    did(
                        "send_to",
                        other.map_or(json!("no such peer"), |other| sent(other.send(text))),
                    );
                }
                Do::Flood { count, size } => did("flood", flood(peer, count, size)),
                Do::FloodTopic { topic, count, size } => {
                    let mut queued = 0;
                    let mut dropped = 0;
                    for index in 0..count {
                        let published = peer.publish(&topic, Do::numbered(index, size))?;
                        queued += published.queued;
                        dropped += published.dropped;
                    }
                    did(
                        "flood_topic",
                        json!({ "queued": queued, "dropped": dropped }),
                    );
                }
                Do::Subscribe { topic } => did("subscribe", answer(peer.subscribe(topic))),
                Do::Unsubscribe { topic } => did("unsubscribe", json!(peer.unsubscribe(topic))),
                Do::SubscribePattern { pattern } => {
                    did("subscribe", answer(peer.subscribe_pattern(pattern)));
                }
                Do::UnsubscribePattern { pattern } => {
                    did("unsubscribe", json!(peer.unsubscribe_pattern(pattern)));
                }
                Do::Tag { tag } => did("tag", answer(peer.tag(tag))),
                Do::Untag { tag } => did("untag", json!(peer.untag(tag))),
                Do::Identify { identity } => {
                    let identified = match identity {
                        Some(identity) => peer.set_identity(identity),
                        None => peer.clear_identity(),
                    };
                    did("identify", answer(identified));
                }
                Do::SendToGroup {
                    group,
                    except_tagged,
                    here,
                    text,
                } => {
                    let mut to = found(peer, &group);
                    if here {
                        to = to.here();
                    }
                    if let Some(tag) = &except_tagged {
                        to = to.except_tagged(tag);
                    }
                    let count = to.clone().peer_count();
                    let told = to.send(text).map(|published| published.queued);
                    did("send_to_group", json!([answer(told), answer(count)]));
                }
                Do::CloseGroup { group, code } => {
                    let code = CloseCode::new(code).unwrap();
                    did("close_group", answer(found(peer, &group).close_all(code)));
                }
                Do::PublishToSome {
                    topic,
                    tagged,
                    except_tagged,
                    except_identity,
                    text,
                } => {
                    let mut to = peer.to(topic);
                    if let Some(tag) = &tagged {
                        to = to.tagged(tag);
                    }
                    if let Some(tag) = &except_tagged {
                        to = to.except_tagged(tag);
                    }
                    if let Some(identity) = &except_identity {
                        to = to.except_identity(identity);
                    }
                    let told = to.send(text).map(|published| published.queued);
                    did("publish_to_some", answer(told));
                }
                Do::Publish {
                    topic,
                    text,
                    itself,
                } => {
                    let published = if itself {
                        peer.to(topic).including_self().send(text)
                    } else {
                        peer.publish(topic, text)
                    };
                    did(
                        "publish",
                        answer(published.map(|published| published.queued)),
                    );
                }
                Do::PublishRetained {
                    topics,
                    except,
                    text,
                } => {
                    let to = peer.to(&topics).except(&except).retained();
                    let told = to.send(text).map(|published| published.queued);
                    did("publish_retained", answer(told));
                }
                Do::PublishJson { topic, value } => {
                    let published = peer.publish(topic, Json(value));
                    did(
                        "publish",
                        answer(published.map(|published| published.queued)),
                    );
                }
                Do::PublishBinary { topic, bytes } => {
                    let published = peer.publish(topic, bytes);
                    did(
                        "publish",
                        answer(published.map(|published| published.queued)),
                    );
                }
                Do::PublishToEach {
                    topics,
                    except,
                    text,
                    itself,
                } => {
                    let to = match &topics {
                        Some(topics) => peer.to(topics),
                        None => peer.to_own_topics(),
                    };
                    let to = if itself { to.including_self() } else { to };
                    let published = to.except(&except).send(text);
                    did(
                        "publish_to_each",
                        answer(published.map(|published| published.queued)),
                    );
                }
                Do::Volatile { topic, text } => match topic {
                    Some(topic) => {
                        let published = peer.to(topic).volatile().send(text);
                        let told = |told: Published| [told.queued as u64, told.dropped];
                        did("volatile", answer(published.map(told)));
                    }
                    None => {
                        let options = SendOptions::new().volatile();
                        did("volatile", sent(peer.send_with(text, options)));
                    }
                },
                Do::Keyed { topic, key, text } => match topic {
                    Some(topic) => {
                        let published = peer.to(topic).key(key).send(text);
                        did("keyed", answer(published.map(|told| told.queued)));
                    }
                    None => {
                        let options = SendOptions::new().key(key);
                        did("keyed", sent(peer.send_with(text, options)));
                    }
                },
                Do::Broadcast { text, itself } => {
                    let published = if itself {
                        peer.to_all().including_self().send(text)
                    } else {
                        peer.broadcast(text)
                    };
                    did(
                        "broadcast",
                        answer(published.map(|published| published.queued)),
                    );
                }
                Do::Fail { text } => return Err(BoxError::from(text)),
                Do::Panic => panic!("probe: panic in a hook"),
                Do::Close { code: 1005, .. } => peer.close_frame(CloseFrame::without_code()),
                Do::Close { code, reason } => match CloseCode::new(code) {
                    Some(code) => peer.close(code, reason),
                    None => did("close", json!("invalid code")),
                },
                Do::Terminate => peer.terminate(),
                Do::Ping { data } => did("ping", answer(peer.ping(data))),
                Do::Pong { data } => did("pong", answer(peer.pong(data))),
                Do::Wait { gate } => self.journal.pass(&gate).await,
                Do::AwaitClosed => {
                    peer.closed().await;
                    self.note(peer, "closed", json!(format!("{:?}", peer.state())));
                }
                Do::AwaitDrained { below } => {
                    peer.drained(below).await;
                    self.note(peer, "drained", json!(peer.buffered_amount()));
                }
                Do::Report => did("report", sent(peer.send(Json(report(peer))))),
                Do::Note { text } => self.note(peer, "note", json!(text)),
                Do::State => self.note(peer, "state", report(peer)),
                Do::SetContext { value } => peer.set_context(ProbeContext { value })?,
                Do::CountUp => {
                    let counted = peer.update_context(|context: &mut ProbeContext| {
                        let next = context.value.as_u64().unwrap_or_default() + 1;
                        context.value = json!(next);
                        next
                    });
                    did("count_up", answer(counted));
                }
                Do::OnClose { text } => {
                    let (probe, again) = (self.clone(), peer.clone());
                    let cleanup = async move { probe.note(&again, "cleanup", json!(text)) };
                    did("on_close", answer(peer.on_close(cleanup)));
                }
                Do::Hold { text } => {
                    let held = Held(self.clone(), peer.downgrade(), text);
                    did("hold", answer(peer.hold(held)));
                }
                Do::FloodWhenReady { count, size } => {
                    let mut most = 0;
                    for index in 0..count {
                        let text = Do::numbered(index, size);
                        if let Err(error) = peer.send_when_ready(text).await {
                            did("flood_when_ready", sent(Err(error)));
                            return Ok(());
                        }
                        most = most.max(peer.buffered_amount());
                    }
                    did("flood_when_ready", json!({ "most_buffered": most }));
                }
                Do::Renew { millis } => did(
                    "renew",
                    answer(peer.set_expiry(Duration::from_millis(millis))),
                ),
                Do::SetTimer { name, millis } => did(
                    "set_timer",
                    answer(peer.set_timer(name, Duration::from_millis(millis))),
                ),
                Do::ClearTimer { name } => did("clear_timer", json!(peer.clear_timer(name))),
                Do::Ticks { millis } => {
                    let mut ticks = peer.interval(Duration::from_millis(millis));
                    for tick in 1.. {
                        if !ticks.tick().await {
                            break;
                        }
                        peer.send(format!("tick {tick}"))?;
                    }
                    self.note(peer, "ticks.end", Value::Null);
                }
                Do::Remember { text } => {
                    peer.extensions().insert(Remembered(text));
                }
                Do::Recall => {
                    let text = peer.extensions().get::<Remembered>();
                    let text = text.map_or_else(String::new, |text| text.0.clone());
                    did("recall", sent(peer.send(text)));
                }
                Do::Spawn { then } => {
                    let (probe, peer_again) = (self.clone(), peer.clone());
                    let dropped = Dropped(self.clone(), peer.clone());
                    peer.spawn(async move {
                        let _dropped = dropped;
                        for command in then {
                            probe.perform(&peer_again, command).await?;
                        }
                        Ok::<_, BoxError>(())
                    });
                }
            }
            Ok(())
        })
    }
}

fn found<'a>(peer: &'a Peer, group: &'a Group) -> crossws_core::Group<'a> {
    match group {
        Group::Identity(name) => peer.hub().identity(name),
        Group::Tag(name) => peer.hub().tagged(name),
    }
}

/// Records the end of a spawned future, however it ends.
struct Dropped(Probe, Peer);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note(&self.1, "spawn.end", Value::Null);
    }
}

/// Notes that it is dropped, while its peer is there.
struct Held(Probe, WeakPeer, String);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(peer) = self.1.upgrade() {
            self.0.note(&peer, "cleanup", json!(self.2));
        }
    }
}

fn sent(result: Result<Sent, SendError>) -> Value {
    match result {
        Ok(Sent::Dropped) => json!("dropped"),
        Ok(_) => json!("queued"),
        Err(SendError::Closed(message)) => json!({ "closed": message.to_string() }),
        Err(SendError::Full(message)) => json!({ "full": message.to_string() }),
        Err(other) => json!({ "error": other.to_string() }),
    }
}

fn answer<T: serde::Serialize, E: std::fmt::Debug>(result: Result<T, E>) -> Value {
    match result {
        Ok(value) => json!(value),
        Err(error) => json!({ "error": format!("{error:?}") }),
    }
}

fn flood(peer: &Peer, count: usize, size: usize) -> Value {
    let (mut queued, mut full, mut closed) = (0, 0, 0);
    let mut most = 0;
    for index in 0..count {
        match peer.send(Message::from(Do::numbered(index, size))) {
            Ok(_) => queued += 1,
            Err(SendError::Full(_)) => full += 1,
            Err(_) => closed += 1,
        }
        most = most.max(peer.buffered_amount());
    }
    json!({ "queued": queued, "full": full, "closed": closed, "most_buffered": most })
}

fn stats(peer: &Peer) -> Value {
    let stats = peer.stats();
    json!({
        "counts": stats.since.is_some(),
        "received": [stats.received.messages, stats.received.bytes],
        "sent": [stats.sent.messages, stats.sent.bytes],
        "rtt_micros": peer.rtt().map(|rtt| rtt.as_micros() as u64),
    })
}

fn report(peer: &Peer) -> Value {
    let context = peer.context::<ProbeContext>();
    let ids = |peers: Vec<Peer>| peers.iter().map(|peer| peer.id()).collect::<Vec<_>>();
    json!({
        "id": peer.id(),
        "display": peer.to_string(),
        "namespace": peer.namespace(),
        "topics": crate::control::names(&peer.topics()),
        "patterns": crate::control::names(&peer.patterns()),
        "identity": peer.identity(),
        "tags": crate::control::names(&peer.tags()),
        "peers": ids(peer.peers()),
        "context": context.ok().map(|context: Arc<ProbeContext>| context.value.clone()),
        "wrong_context": peer.context::<u8>().err().map(|error| error.to_string()),
        "protocol": peer.protocol(),
        "state": peer.state() as u8,
        "buffered": peer.buffered_amount(),
        "dropped": peer.dropped(),
        "stats": stats(peer),
        "remote": peer.remote_addr().map(|addr| addr.ip().to_string()),
        "url": peer.request().url(),
        "websocket_url": peer.request().websocket_url(),
        "headers": super::headers(peer.request().headers()),
        "params": peer.request().params().iter().collect::<Vec<_>>(),
        "extensions": peer.negotiated_extensions(),
        "capabilities": peer.capabilities().names().collect::<Vec<_>>(),
    })
}
