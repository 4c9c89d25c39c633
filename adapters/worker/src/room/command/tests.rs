use std::sync::{Arc, Mutex};

use crossws_core::adapter::{Publication, Receipt, RestoredPeer, Snapshot, Transport};
use crossws_core::{Capabilities, PublishError, SendError, SendOptions, Sent};
use serde_json::{Value, json};

use super::*;

/// Records what a client would receive.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<Vec<String>>>);

impl Transport for Paper {
    fn capabilities(&self) -> Capabilities {
        crate::DURABLE_CAPABILITIES
    }
    fn send(&self, message: Message, options: &SendOptions) -> Result<Sent, SendError> {
        let key = options.replaces().map(|key| format!(" {key}"));
        let line = format!("{message:?}{}", key.unwrap_or_default());
        self.0.lock().unwrap().push(line);
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
fn run(hub: &Hub, to: &Recipients, act: Action, body: &[u8]) -> Value {
    let to = to.clone();
    let command = serde_json::to_string(&Command { to, act }).unwrap();
    let command = Command::decode(&crate::objects::ticket::ascii(&command)).unwrap();
    let result = command.run(hub, body.to_vec()).unwrap();
    serde_json::from_str(&result).unwrap()
}

fn namespace(name: &str) -> Recipients {
    Recipients::Namespace(name.to_owned())
}

/// A message to every peer, or to the subscribers of a topic.
fn send(topic: Option<&str>, text: bool) -> Action {
    Action::Send(Delivery {
        topics: topic.map(|topic| vec![topic.to_owned()]),
        text,
        ..Delivery::default()
    })
}

fn close(code: u16, reason: &str) -> Action {
    let reason = reason.to_owned();
    Action::Close(Frame { code, reason })
}

#[test]
fn a_worker_reaches_one_namespace_or_all() {
    let hub = Hub::default();
    let (_a, one) = join(&hub, 1, "/é");
    let (_b, two) = join(&hub, 2, "/2");
    let news = send(Some("news"), true);
    let told = run(&hub, &namespace("/é"), news, "žlu".as_bytes());
    assert_eq!(told, json!({ "queued": 1, "dropped": 0 }));
    assert_eq!(one.lines(), ["Text(\"žlu\", 4 bytes)"]);
    assert!(two.lines().is_empty());
    let told = run(&hub, &Recipients::Everyone, send(None, false), &[0xff]);
    assert_eq!(told["queued"], 2);
    assert!(one.lines()[0].starts_with("Binary"));
    let none = send(Some("none"), true);
    assert_eq!(run(&hub, &Recipients::Everyone, none, b"")["queued"], 0);
}

#[test]
fn a_worker_reaches_several_topics_without_others() {
    let hub = Hub::default();
    let (a, one) = join(&hub, 1, "/1");
    let (b, two) = join(&hub, 2, "/1");
    a.peer().subscribe("red").unwrap();
    b.peer().subscribe("muted").unwrap();
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let send = Action::Send(Delivery {
        topics: Some(names(&["news", "red"])),
        except: names(&["muted"]),
        volatile: true,
        key: Some("at".to_owned()),
        text: true,
        ..Delivery::default()
    });
    assert_eq!(run(&hub, &namespace("/1"), send, b"hi")["queued"], 1);
    assert_eq!(one.lines(), ["Text(\"hi\", 2 bytes) at"]);
    assert!(two.lines().is_empty());
}

/// What these recipients cannot be told apart by would reach all of them.
#[test]
fn a_message_to_other_recipients_keeps_its_options_and_has_no_topics() {
    let hub = Hub::builder().partial().build();
    let (a, one) = join(&hub, 1, "/1");
    a.peer().set_identity("ann").unwrap();
    let delivery = |change: fn(&mut Delivery)| {
        let mut delivery = Delivery {
            text: true,
            key: Some("at".to_owned()),
            ..Delivery::default()
        };
        change(&mut delivery);
        Action::Send(delivery)
    };
    let ann = Recipients::Identity("ann".to_owned());
    for to in [&ann, &Recipients::Peer(a.peer().id())] {
        run(&hub, to, delivery(|_| ()), b"hi");
        assert_eq!(one.lines(), ["Text(\"hi\", 2 bytes) at"], "{to:?}");
        for change in [
            |it: &mut Delivery| it.topics = Some(vec!["news".to_owned()]),
            |it: &mut Delivery| it.except = vec!["muted".to_owned()],
            |it: &mut Delivery| it.retained = true,
        ] {
            let command = Command {
                to: to.clone(),
                act: delivery(change),
            };
            let refused = command.run(&hub, b"hi".to_vec());
            assert!(matches!(refused, Err(CommandError::NoSuch)), "{to:?}");
        }
        assert!(one.lines().is_empty());
    }
}

#[test]
fn a_worker_lists_counts_and_addresses_peers() {
    let hub = Hub::default();
    let (_a, one) = join(&hub, 1, "/1");
    let (_b, two) = join(&hub, 2, "/2");
    let (here, all) = (namespace("/1"), Recipients::Everyone);
    let count = |to| run(&hub, to, Action::Count(Some("news".to_owned())), b"");
    assert_eq!(count(&here), 1);
    assert_eq!(count(&all), 2);
    assert_eq!(run(&hub, &all, Action::Count(None), b""), 2);
    assert_eq!(run(&hub, &all, Action::Topics, b""), json!(["news"]));
    let peers = run(&hub, &here, Action::Peers, b"");
    let peers: Vec<PeerInfo> = serde_json::from_value(peers).unwrap();
    assert_eq!(peers.len(), 1);
    assert_eq!(peers[0].id, PeerId::from_u128(1));
    let context: Value = peers[0].context().unwrap();
    assert_eq!(context, json!({ "name": "ada" }));

    let peer = Recipients::Peer(PeerId::from_u128(2));
    assert_eq!(run(&hub, &peer, send(None, true), b"hi"), true);
    assert_eq!(run(&hub, &peer, close(4001, "out"), b""), true);
    assert_eq!(run(&hub, &peer, close(4001, "out"), b""), false, "gone");
    assert_eq!(two.lines(), ["Text(\"hi\", 2 bytes)", "close 4001 out"]);

    run(&hub, &all, close(1001, ""), b"");
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
    let route = Recipients::Route("/rooms/:id".to_owned());
    let told = run(&hub, &route, send(None, true), b"hi");
    assert_eq!(told, json!({ "queued": 2, "dropped": 0 }));
    assert_eq!(one.lines(), two.lines());
    assert_eq!(run(&hub, &route, Action::Count(None), b""), 2);
    let peers = run(&hub, &route, Action::Peers, b"");
    assert_eq!(peers.as_array().unwrap().len(), 2);
    let by_name = Recipients::Route("rooms/{id}".to_owned());
    run(&hub, &by_name, close(4001, ""), b"");
    assert_eq!(run(&hub, &route, Action::Count(None), b""), 0);
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
    let ann = Recipients::Identity("ann".to_owned());
    assert_eq!(run(&hub, &ann, send(None, true), b"hi")["queued"], 1);
    let vip = Recipients::Tag("vip".to_owned());
    assert_eq!(run(&hub, &vip, send(None, true), b"ho")["queued"], 1);
    assert_eq!(one.lines(), ["Text(\"hi\", 2 bytes)"]);
    assert_eq!(two.lines(), ["Text(\"ho\", 2 bytes)"]);
    let peers = run(&hub, &vip, Action::Peers, b"");
    let peers: Vec<PeerInfo> = serde_json::from_value(peers).unwrap();
    assert_eq!(peers[0].identity.as_deref(), Some("bob"));
    assert_eq!(peers[0].tags, ["vip"]);
}

/// During a deploy: what is left out of a command would make it another one.
#[test]
fn a_command_of_another_version_is_refused() {
    for command in [
        r#"{"publish":{"namespace":"/1","topic":"news","text":true}}"#,
        r#"{"to":"everyone","act":{"send":{"text":true,"topics":null,"only":["a"]}}}"#,
        r#"{"to":"everyone","act":{"close":{"code":1001,"reason":"","only":["a"]}}}"#,
        r#"{"to":"everyone","act":"peers","only":["a"]}"#,
    ] {
        assert!(Command::decode(command).is_err(), "{command}");
    }
}

#[test]
fn nonsense_is_refused() {
    let hub = Hub::default();
    let to = Recipients::Peer(PeerId::from_u128(1));
    let run = |to: &Recipients, act, body: &[u8]| {
        let to = to.clone();
        Command { to, act }.run(&hub, body.to_vec())
    };
    let not_text = run(&to, send(None, true), &[0xff]);
    assert!(matches!(not_text, Err(CommandError::NotText)));
    let code = run(&to, close(1006, ""), b"");
    assert!(matches!(code, Err(CommandError::Code(_))));
    let tag = Recipients::Tag("vip".to_owned());
    for (to, act) in [(&to, Action::Topics), (&tag, Action::Topics)] {
        assert!(matches!(run(to, act, b""), Err(CommandError::NoSuch)));
    }
}
