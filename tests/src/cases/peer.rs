//! The peer's handle.

use crossws_core::PeerId;
use serde_json::{Value, json};

use crate::{Ask, Control, Do, Event, Frame, Profile, Scene};

group! {
    its_id_is_a_random_uuid: [],
    a_peer_knows_its_namespace_and_its_companions: [SHARED_HUB],
    its_url_is_what_the_client_dialled: [],
    its_state_is_open_in_its_hooks: [],
    its_capabilities_are_the_targets: [],
    its_context_is_typed: [],
    its_context_can_be_replaced: [],
    its_context_is_updated: [],
    its_volatile_values_are_kept: [] in memory,
    text_arrives_as_text: [],
    binary_arrives_as_binary: [BINARY],
    json_arrives_as_text: [],
    empty_messages_arrive: [],
    a_large_message_arrives_whole: [],
    sending_never_waits: [],
    sending_after_closing_hands_the_message_back: [],
    a_ping_reaches_the_client_and_its_pong_the_hook: [PING],
    the_clients_ping_is_answered_and_reaches_the_hook: [PING],
    each_ping_of_a_burst_is_answered: [PING],
    a_pong_of_the_app_is_sent_as_well_as_an_answer: [PING],
    the_ping_hook_may_answer_itself: [PING],
    a_ping_that_is_too_long_is_refused: [PING],
    a_peer_is_found_by_its_id: [SHARED_HUB],
    the_id_of_a_closed_peer_finds_no_peer: [SHARED_HUB],
}

async fn its_id_is_a_random_uuid(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut seen: Vec<PeerId> = Vec::new();
    for who in ["a", "b", "c"] {
        let mut peer = stage.join("/", who).await;
        let report = peer.report().await;
        let id = report["id"].as_str().unwrap();
        assert_eq!(report["display"], json!(id));
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
        let id = id.parse().unwrap();
        assert!(!seen.contains(&id));
        seen.push(id);
        assert_eq!(peer.id().await, id, "it never changes");
    }
}

async fn a_peer_knows_its_namespace_and_its_companions(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/room", "a").await;
    let mut b = stage.join("/room", "b").await;
    let _elsewhere = stage.join("/other", "c").await;
    let (seen_by_a, seen_by_b) = (a.report().await, b.report().await);
    assert_eq!(seen_by_a["namespace"], "/room");
    assert_eq!(seen_by_a["peers"], seen_by_b["peers"], "in the same order");
    let mut ids: Vec<Value> = seen_by_a["peers"].as_array().unwrap().clone();
    let mut expected = vec![seen_by_a["id"].clone(), seen_by_b["id"].clone()];
    ids.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(ids, expected);
}

async fn its_url_is_what_the_client_dialled(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask::named("a");
    let target = ask.target("/path");
    let headers = [("host", "app.example:8080")];
    let mut peer = stage.try_connect("/path", ask, &headers).await.unwrap();
    let report = peer.report().await;
    let s = if stage.server().is_secure() { "s" } else { "" };
    let rest = format!("://app.example:8080{target}");
    assert_eq!(report["url"], format!("http{s}{rest}"));
    assert_eq!(report["websocket_url"], format!("ws{s}{rest}"));
}

async fn its_state_is_open_in_its_hooks(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        open: vec![Do::State],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    assert_eq!(peer.report().await["state"], 1);
    assert_eq!(stage.wait("a", "state").await["state"], 1);
    let reason = String::new();
    peer.perform(&[Do::Close { code: 1000, reason }, Do::State])
        .await;
    let states = stage.wait_for("a", "state", 2).await;
    assert_eq!(states[1]["state"], 2);
    peer.closes().await;
}

async fn its_capabilities_are_the_targets(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let report = stage.join("/", "a").await.report().await;
    let declared: Vec<_> = scene.0.capabilities().names().collect();
    assert_eq!(report["capabilities"], json!(declared));
}

async fn its_context_is_typed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        context: Some(json!(1)),
        ..Ask::named("a")
    };
    let report = stage.connect("/", ask).await.report().await;
    assert_eq!(report["context"], 1);
    assert!(report["wrong_context"].as_str().unwrap().contains("u8"));
    let report = stage.join("/", "b").await.report().await;
    assert_eq!(report["context"], Value::Null, "no context unless given");
}

async fn its_context_can_be_replaced(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let value = json!({ "user": "ann" });
    peer.perform(&[Do::SetContext { value: value.clone() }])
        .await;
    assert_eq!(peer.report().await["context"], value);
}

async fn its_context_is_updated(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        context: Some(json!(1)),
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.perform(&[Do::CountUp, Do::CountUp]).await;
    peer.perform(&[Do::CountUp]).await;
    assert_eq!(peer.report().await["context"], 4);
    let counted = stage.wait_for("a", "did", 3).await;
    assert_eq!(counted[2]["answer"], 4);
    // Where there is none, nothing is made up.
    let mut other = stage.join("/", "b").await;
    other.perform(&[Do::CountUp]).await;
    assert_eq!(stage.wait("b", "did").await["answer"]["error"], "Missing");
}

async fn its_volatile_values_are_kept(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let text = "between messages".to_owned();
    peer.perform(&[Do::Remember { text: text.clone() }]).await;
    peer.perform(&[Do::Recall]).await;
    peer.hears(&text).await;
}

async fn text_arrives_as_text(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    // In an event, all ends of lines are alike.
    let lines = match scene.0.reads_events() {
        true => "line\nline\n",
        false => "line\r\nline\n",
    };
    for text in ["hello", "żółć 再见 🦀", "\u{0}\u{1f}", lines] {
        peer.say(text).await;
        peer.hears(text).await;
    }
}

async fn binary_arrives_as_binary(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let bytes: Vec<u8> = (0..=255).collect();
    peer.send(Frame::Binary(bytes.clone())).await;
    assert_eq!(peer.next().await, Event::Binary(bytes.clone()));
    peer.perform(&[Do::SendBinary { bytes: bytes.clone() }])
        .await;
    assert_eq!(peer.next().await, Event::Binary(bytes));
}

async fn json_arrives_as_text(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let value = json!({ "hello": "world" });
    peer.perform(&[Do::SendJson { value }]).await;
    peer.hears(r#"{"hello":"world"}"#).await;
}

async fn empty_messages_arrive(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.say("").await;
    peer.hears("").await;
    peer.hears_nothing().await;
}

async fn a_large_message_arrives_whole(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    // Around the sizes at which a frame's length field grows, and one near the limit.
    for size in [125, 126, 65_535, 65_536, 1_000_000] {
        let text = Do::numbered(size, size);
        peer.say(&text).await;
        peer.hears(&text).await;
    }
}

async fn sending_never_waits(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let (count, size) = (4000, 100);
    peer.perform(&[Do::Flood { count, size }]).await;
    // The hook has ended before the client reads any message.
    stage.wait("a", "message.end").await;
    assert_eq!(stage.wait("a", "did").await["answer"]["queued"], count);
    for index in 0..count {
        peer.hears(&Do::numbered(index, size)).await;
    }
}

async fn sending_after_closing_hands_the_message_back(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let reason = String::new();
    let text = "too late".to_owned();
    peer.perform(&[Do::Close { code: 1000, reason }, Do::Send { text }])
        .await;
    let did = stage.wait("a", "did").await;
    assert_eq!(did["answer"], json!({ "closed": "too late" }));
    peer.closes().await;
}

async fn a_ping_reaches_the_client_and_its_pong_the_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let data = "are you there?".to_owned();
    peer.perform(&[Do::Ping { data: data.clone() }]).await;
    assert_eq!(peer.next().await, Event::Ping(data.clone().into()));
    peer.send(Frame::Pong(data.clone().into())).await;
    assert_eq!(stage.wait("a", "pong").await, data);
}

async fn the_clients_ping_is_answered_and_reaches_the_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.send(Frame::Ping(b"hello?".to_vec())).await;
    assert_eq!(peer.next().await, Event::Pong(b"hello?".to_vec()));
    assert_eq!(stage.wait("a", "ping").await, "hello?");
}

async fn each_ping_of_a_burst_is_answered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    for n in 0..8_u8 {
        peer.send(Frame::Ping(vec![n])).await;
    }
    for n in 0..8_u8 {
        assert_eq!(peer.next().await, Event::Pong(vec![n]));
    }
}

async fn a_pong_of_the_app_is_sent_as_well_as_an_answer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let data = "of the app".to_owned();
    peer.perform(&[Do::Pong { data: data.clone() }]).await;
    peer.send(Frame::Ping(b"hello?".to_vec())).await;
    // In either order: a ping is answered while a hook waits for its turn.
    let mut pongs = [peer.next().await, peer.next().await];
    pongs.sort_by_key(|pong| *pong == Event::Pong(b"hello?".to_vec()));
    assert_eq!(pongs, [Event::Pong(data.into()), Event::Pong(b"hello?".to_vec())]);
}

async fn the_ping_hook_may_answer_itself(scene: Scene<'_>) {
    let profile = Profile {
        manual_pong: true,
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    peer.send(Frame::Ping(b"hello?".to_vec())).await;
    assert_eq!(stage.wait("a", "ping").await, "hello?");
    peer.hears_nothing().await;
    let data = "here".to_owned();
    peer.perform(&[Do::Pong { data }]).await;
    assert_eq!(peer.next().await, Event::Pong(b"here".to_vec()));
}

async fn a_ping_that_is_too_long_is_refused(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let data = "x".repeat(126);
    peer.perform(&[Do::Ping { data }]).await;
    assert_eq!(stage.wait("a", "did").await["answer"]["error"], "TooLong(126)");
    peer.hears_nothing().await;
}

async fn a_peer_is_found_by_its_id(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/here", "a").await;
    let mut b = stage.join("/there", "b").await;
    let text = "only for you".to_owned();
    let id = b.id().await;
    assert!(stage.found(Control::Send { id, text: text.clone() }).await);
    b.hears(&text).await;
    let again = "from a hook".to_owned();
    a.perform(&[Do::SendTo { id, text: again.clone() }]).await;
    b.hears(&again).await;
    a.hears_nothing().await;
}

async fn the_id_of_a_closed_peer_finds_no_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let id = peer.id().await;
    peer.leave().await;
    stage.wait("a", "close").await;
    let text = String::new();
    assert!(!stage.found(Control::Send { id, text }).await);
    assert_eq!(stage.peers(None).await, []);
}
