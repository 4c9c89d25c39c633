//! Messages that topics retain for later subscribers.

use serde_json::json;

use super::pubsub::topic;
use crate::{Ask, Do, Peer, Scene, Stage};

group! {
    a_new_subscriber_gets_the_retained_message_first: [PUBSUB, RETAINED],
    a_topic_retains_its_last_message_only: [PUBSUB, RETAINED],
    a_pattern_gets_what_matching_topics_retain: [PUBSUB, RETAINED],
    a_default_topic_begins_with_its_retained_message: [PUBSUB, RETAINED],
    what_the_hub_retains_waits_for_the_first_peer: [PUBSUB, RETAINED],
    what_a_peer_retains_goes_with_the_last_peer: [PUBSUB, RETAINED],
    a_cleared_topic_retains_nothing: [PUBSUB, RETAINED],
    a_namespace_retains_for_itself: [PUBSUB, RETAINED],
    a_message_to_some_cannot_be_retained: [PUBSUB, RETAINED],
    without_retained_messages_there_is_a_typed_error: [PUBSUB] but not [RETAINED],
}

fn retain(topics: &[&str], text: &str) -> Do {
    Do::PublishRetained {
        topics: topics.iter().map(|name| topic(name)).collect(),
        except: Vec::new(),
        text: text.to_owned(),
    }
}

fn subscribe(name: &str) -> Do {
    Do::Subscribe { topic: topic(name) }
}

/// Joins as `who`, after it has subscribed to this.
async fn listener(stage: &Stage, path: &str, who: &str, to: &str) -> Peer {
    let ask = Ask {
        open: vec![subscribe(to)],
        ..Ask::named(who)
    };
    let peer = stage.connect(path, ask).await;
    stage.wait(who, "open.end").await;
    peer
}

async fn a_new_subscriber_gets_the_retained_message_first(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut early = listener(&stage, "/", "early", "price").await;
    let mut publisher = stage.join("/", "publisher").await;
    publisher.perform(&[retain(&["price"], "1")]).await;
    early.hears("1").await;
    let mut late = listener(&stage, "/", "late", "price").await;
    publisher.perform(&[retain(&["price"], "2")]).await;
    late.hears("1").await;
    for peer in [&mut early, &mut late] {
        peer.hears("2").await;
        peer.hears_nothing().await;
    }
    let did = stage.wait_for("publisher", "did", 2).await;
    let counts: Vec<_> = did.iter().map(|did| &did["answer"]).collect();
    assert_eq!(counts, [1, 2], "who gets it later does not count");
    // A second subscription to the topic is none.
    late.perform(&[subscribe("price")]).await;
    late.hears_nothing().await;
}

async fn a_topic_retains_its_last_message_only(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut publisher = stage.join("/", "publisher").await;
    let plain = Do::Publish {
        topic: topic("a"),
        text: "plain".to_owned(),
        itself: false,
    };
    let said = [retain(&["a"], "1"), retain(&["a", "b"], "2"), plain];
    publisher.perform(&said).await;
    stage.wait_for("publisher", "did", 3).await;
    for name in ["a", "b"] {
        let mut late = listener(&stage, "/", &format!("late {name}"), name).await;
        late.hears("2").await;
        late.hears_nothing().await;
    }
}

async fn a_pattern_gets_what_matching_topics_retain(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut publisher = stage.join("/", "publisher").await;
    let said = [
        retain(&["price/usd"], "usd"),
        retain(&["price/eur"], "eur"),
        retain(&["news"], "news"),
    ];
    publisher.perform(&said).await;
    stage.wait_for("publisher", "did", 3).await;
    let mut late = stage.join("/", "late").await;
    let pattern = topic("price/*");
    late.perform(&[Do::SubscribePattern { pattern }]).await;
    late.hears("eur").await;
    late.hears("usd").await;
    publisher.perform(&[retain(&["price/usd"], "usd 2")]).await;
    late.hears("usd 2").await;
    late.hears_nothing().await;
}

async fn a_default_topic_begins_with_its_retained_message(scene: Scene<'_>) {
    let stage = scene.stage().await;
    assert_eq!(stage.publish_retained("/", "lobby", "welcome").await, 0);
    let ask = Ask {
        topics: vec![topic("lobby")],
        open: vec![Do::Send {
            text: "opened".to_owned(),
        }],
        ..Ask::named("late")
    };
    let mut late = stage.connect("/", ask).await;
    late.hears("welcome").await;
    late.hears("opened").await;
    late.hears_nothing().await;
}

async fn what_the_hub_retains_waits_for_the_first_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    assert_eq!(stage.publish_retained("/", "price", "1").await, 0);
    assert!(stage.namespaces().await.is_empty(), "no peer");
    for who in ["first", "second"] {
        let mut peer = listener(&stage, "/", who, "price").await;
        peer.hears("1").await;
        peer.hears_nothing().await;
        peer.leave().await;
        stage.wait(who, "close.end").await;
        stage.idle().await;
    }
}

async fn what_a_peer_retains_goes_with_the_last_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut publisher = stage.join("/", "publisher").await;
    publisher.perform(&[retain(&["price"], "1")]).await;
    stage.wait("publisher", "did").await;
    let mut other = listener(&stage, "/", "other", "price").await;
    other.hears("1").await;
    publisher.leave().await;
    stage.wait("publisher", "close.end").await;
    let mut third = listener(&stage, "/", "third", "price").await;
    third.hears("1").await;
    for (peer, who) in [(other, "other"), (third, "third")] {
        peer.leave().await;
        stage.wait(who, "close.end").await;
    }
    stage.idle().await;
    let mut last = listener(&stage, "/", "last", "price").await;
    last.hears_nothing().await;
}

async fn a_cleared_topic_retains_nothing(scene: Scene<'_>) {
    let stage = scene.stage().await;
    assert_eq!(stage.clear_retained("/", "price").await, 0);
    stage.publish_retained("/", "price", "1").await;
    assert_eq!(stage.clear_retained("/", "price").await, 1);
    let mut late = listener(&stage, "/", "late", "price").await;
    late.hears_nothing().await;
    // And it retains the next message again.
    assert_eq!(stage.publish_retained("/", "price", "2").await, 1);
    late.hears("2").await;
    let mut later = listener(&stage, "/", "later", "price").await;
    later.hears("2").await;
}

async fn a_namespace_retains_for_itself(scene: Scene<'_>) {
    let stage = scene.stage().await;
    stage.publish_retained("/one", "price", "1").await;
    let mut here = listener(&stage, "/one", "here", "price").await;
    let mut elsewhere = listener(&stage, "/two", "elsewhere", "price").await;
    here.hears("1").await;
    elsewhere.hears_nothing().await;
}

async fn a_message_to_some_cannot_be_retained(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut all = listener(&stage, "/", "all", "price").await;
    let mut publisher = stage.join("/", "publisher").await;
    let to_some = Do::PublishRetained {
        topics: vec![topic("price")],
        except: vec![topic("muted")],
        text: "1".to_owned(),
    };
    publisher.perform(&[to_some]).await;
    let did = stage.wait("publisher", "did").await;
    assert_eq!(did["answer"], json!({ "error": "Retain(Audience)" }));
    all.hears_nothing().await;
    let mut late = listener(&stage, "/", "late", "price").await;
    late.hears_nothing().await;
}

async fn without_retained_messages_there_is_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut publisher = stage.join("/", "publisher").await;
    publisher.perform(&[retain(&["price"], "1")]).await;
    let did = stage.wait("publisher", "did").await;
    assert_eq!(did["answer"], json!({ "error": "Retain(Unsupported)" }));
}
