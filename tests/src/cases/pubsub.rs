//! Topics, as the hooks use them.

use serde_json::{Value, json};

use crate::{Ask, Do, Event, Peer, Profile, Scene, Stage};

group! {
    a_publish_reaches_every_other_subscriber_once: [PUBSUB],
    the_publisher_gets_it_only_if_asked: [PUBSUB],
    a_publisher_need_not_be_subscribed: [PUBSUB],
    a_publish_stays_in_its_topic: [PUBSUB],
    a_publish_stays_in_its_namespace: [PUBSUB],
    a_publish_in_close_reaches_the_others: [PUBSUB],
    a_publish_keeps_the_kind_of_message: [PUBSUB, BINARY],
    a_published_value_is_json_text_for_every_subscriber: [PUBSUB],
    unsubscribing_ends_delivery: [PUBSUB],
    unsubscribing_holds_in_later_hooks: [PUBSUB],
    subscribing_twice_delivers_once: [PUBSUB],
    a_broadcast_reaches_the_whole_namespace: [PUBSUB],
    every_subscriber_sees_the_same_order: [PUBSUB],
    a_publishers_messages_keep_their_order: [PUBSUB],
    too_many_topics_are_a_typed_error: [PUBSUB],
    a_topic_with_too_long_a_name_is_a_typed_error: [PUBSUB],
    without_topics_there_are_typed_errors: [] but not [PUBSUB],
}

fn publish(topic: &str, text: &str) -> Do {
    Do::Publish {
        topic: topic.to_owned(),
        text: text.to_owned(),
        itself: false,
    }
}

pub(super) fn topic(topic: &str) -> String {
    topic.to_owned()
}

/// Joins as `who`, and subscribes to `news`.
pub(super) async fn subscribed(stage: &Stage, path: &str, who: &str) -> Peer {
    let ask = Ask {
        open: vec![Do::Subscribe {
            topic: topic("news"),
        }],
        ..Ask::named(who)
    };
    stage.open(path, ask).await
}

async fn a_publish_reaches_every_other_subscriber_once(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/", "a").await;
    let mut b = subscribed(&stage, "/", "b").await;
    let mut c = subscribed(&stage, "/", "c").await;
    let mut bystander = stage.join("/", "d").await;
    a.perform(&[publish("news", "hot")]).await;
    for peer in [&mut b, &mut c] {
        peer.hears("hot").await;
        peer.hears_nothing().await;
    }
    bystander.hears_nothing().await;
}

async fn the_publisher_gets_it_only_if_asked(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/", "a").await;
    a.perform(&[publish("news", "for others")]).await;
    a.hears_nothing().await;
    let (text, itself) = ("for all".to_owned(), true);
    let topic = topic("news");
    a.perform(&[Do::Publish { topic, text, itself }]).await;
    a.hears("for all").await;
}

async fn a_publisher_need_not_be_subscribed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut publisher = stage.join("/", "a").await;
    let mut b = subscribed(&stage, "/", "b").await;
    publisher.perform(&[publish("news", "hot")]).await;
    b.hears("hot").await;
    let did = stage.wait("a", "did").await;
    assert_eq!(did["answer"], 1, "one queue took it");
}

async fn a_publish_stays_in_its_topic(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/", "a").await;
    let mut b = subscribed(&stage, "/", "b").await;
    for near in ["new", "news2", "NEWS", "/news", ""] {
        a.perform(&[publish(near, "elsewhere")]).await;
    }
    a.hears_nothing().await;
    b.hears_nothing().await;
}

async fn a_publish_stays_in_its_namespace(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/one", "a").await;
    let mut b = subscribed(&stage, "/one", "b").await;
    let mut c = subscribed(&stage, "/two", "c").await;
    a.perform(&[publish("news", "hot")]).await;
    b.hears("hot").await;
    c.hears_nothing().await;
}

async fn a_publish_in_close_reaches_the_others(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut b = subscribed(&stage, "/", "b").await;
    let ask = Ask {
        topics: vec![topic("news")],
        close: vec![publish("news", "a left")],
        ..Ask::named("a")
    };
    stage.connect("/", ask).await.leave().await;
    b.hears("a left").await;
    b.hears_nothing().await;
}

async fn a_publish_keeps_the_kind_of_message(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/", "a").await;
    let mut b = subscribed(&stage, "/", "b").await;
    let bytes = vec![0, 159, 255];
    let topic = topic("news");
    a.perform(&[
        Do::PublishBinary {
            topic,
            bytes: bytes.clone(),
        },
        publish("news", "text"),
    ])
    .await;
    assert_eq!(b.next().await, Event::Binary(bytes));
    b.hears("text").await;
}

async fn a_published_value_is_json_text_for_every_subscriber(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/", "a").await;
    let mut b = subscribed(&stage, "/", "b").await;
    let mut c = subscribed(&stage, "/", "c").await;
    let (topic, value) = (topic("news"), json!({ "hello": "world" }));
    a.perform(&[Do::PublishJson { topic, value }]).await;
    b.hears(r#"{"hello":"world"}"#).await;
    c.hears(r#"{"hello":"world"}"#).await;
}

async fn unsubscribing_ends_delivery(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/", "a").await;
    let mut b = subscribed(&stage, "/", "b").await;
    let topic = topic("news");
    a.perform(&[Do::Unsubscribe { topic: topic.clone() }]).await;
    a.hears_nothing().await;
    stage.publish(None, "news", "hot").await;
    b.hears("hot").await;
    a.hears_nothing().await;
    let did = stage.wait_for("a", "did", 2).await;
    assert_eq!(did[1]["answer"], true);
    a.perform(&[Do::Unsubscribe { topic }]).await;
    let did = stage.wait_for("a", "did", 3).await;
    assert_eq!(did[2]["answer"], false, "it was not subscribed any more");
}

async fn unsubscribing_holds_in_later_hooks(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/", "a").await;
    let topic = topic("news");
    a.perform(&[Do::Unsubscribe { topic }]).await;
    assert_eq!(a.report().await["topics"], json!([]));
    assert_eq!(a.report().await["topics"], json!([]));
    assert_eq!(stage.publish(None, "news", "hot").await, 0);
    a.hears_nothing().await;
}

async fn subscribing_twice_delivers_once(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/", "a").await;
    let topic = topic("news");
    a.perform(&[Do::Subscribe { topic }]).await;
    let did = stage.wait_for("a", "did", 2).await;
    assert_eq!((&did[0]["answer"], &did[1]["answer"]), (&json!(true), &json!(false)));
    stage.publish(None, "news", "hot").await;
    a.hears("hot").await;
    a.hears_nothing().await;
}

async fn a_broadcast_reaches_the_whole_namespace(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/one", "a").await;
    let mut b = stage.join("/one", "b").await;
    let mut c = stage.join("/two", "c").await;
    let broadcast = |text: &str, itself| Do::Broadcast {
        text: text.to_owned(),
        itself,
    };
    a.perform(&[broadcast("others", false), broadcast("all", true)])
        .await;
    b.hears("others").await;
    b.hears("all").await;
    a.hears("all").await;
    a.hears_nothing().await;
    c.hears_nothing().await;
}

pub(super) const MANY: usize = 200;

pub(super) fn flood(size: usize) -> Do {
    Do::FloodTopic {
        topic: topic("news"),
        count: MANY,
        size,
    }
}

async fn every_subscriber_sees_the_same_order(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut readers = Vec::new();
    // Enough that a server may write for them in one task.
    for who in ["r1", "r2", "r3", "r4", "r5", "r6"] {
        readers.push(subscribed(&stage, "/", who).await);
    }
    // The sizes tell the messages of the two publishers apart.
    let mut a = stage.join("/", "a").await;
    let mut b = stage.join("/", "b").await;
    a.perform(&[flood(10)]).await;
    b.perform(&[flood(11)]).await;
    let orders = orders(&mut readers, 2 * MANY).await;
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Returns the order in which each of the readers gets this many messages.
pub(super) async fn orders(readers: &mut [Peer], count: usize) -> Vec<Vec<String>> {
    let mut orders = Vec::new();
    for reader in readers {
        let mut order = Vec::new();
        for _ in 0..count {
            order.push(reader.text().await);
        }
        orders.push(order);
    }
    orders
}

async fn a_publishers_messages_keep_their_order(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut reader = subscribed(&stage, "/", "r").await;
    let mut a = stage.join("/", "a").await;
    a.perform(&[flood(10)]).await;
    for index in 0..MANY {
        reader.hears(&Do::numbered(index, 10)).await;
    }
}

async fn too_many_topics_are_a_typed_error(scene: Scene<'_>) {
    let profile = Profile {
        max_topics: Some(2),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut a = stage.join("/", "a").await;
    let subscribe = |topic: &str| Do::Subscribe {
        topic: topic.to_owned(),
    };
    a.perform(&["1", "2", "3"].map(subscribe)).await;
    let did = stage.wait_for("a", "did", 3).await;
    assert_eq!(did[2]["answer"]["error"], "TooMany(2)");
    assert_eq!(a.report().await["topics"], json!(["1", "2"]));
}

async fn a_topic_with_too_long_a_name_is_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/", "a").await;
    let subscribe = |len: usize| Do::Subscribe {
        topic: "t".repeat(len),
    };
    a.perform(&[subscribe(255), subscribe(256)]).await;
    let did = stage.wait_for("a", "did", 2).await;
    assert_eq!(did[0]["answer"], true);
    let error = did[1]["answer"]["error"].as_str().unwrap();
    assert!(error.contains("NameTooLong"), "{error}");
}

async fn without_topics_there_are_typed_errors(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/", "a").await;
    let topic = topic("news");
    a.perform(&[Do::Subscribe { topic }, publish("news", "hot")])
        .await;
    for did in stage.wait_for("a", "did", 2).await {
        assert_eq!(did["answer"], json!({ "error": "Unsupported" }), "{did}");
    }
    assert_ne!(a.report().await["topics"], Value::Null);
    a.hears_nothing().await;
}
