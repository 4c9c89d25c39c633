//! Namespaces, and the hub as code outside of hooks uses it.

use serde_json::json;

use super::pubsub::{subscribed, topic};
use crate::{Control, Do, Scene};

group! {
    a_publish_from_outside_reaches_one_namespace: [PUBSUB, SHARED_HUB],
    a_publish_from_outside_reaches_all_namespaces_when_said: [PUBSUB, SHARED_HUB],
    a_broadcast_from_outside_reaches_every_peer: [PUBSUB, SHARED_HUB],
    topics_and_subscribers_are_listed: [PUBSUB, SHARED_HUB],
    peers_are_listed_by_namespace: [SHARED_HUB],
    a_namespace_vanishes_with_its_last_peer: [SHARED_HUB],
    a_topic_vanishes_with_its_last_subscriber: [PUBSUB, SHARED_HUB],
    a_client_that_vanishes_leaves_nothing_subscribed: [PUBSUB, SHARED_HUB],
    close_all_closes_one_namespace: [CLOSE_CODE, SHARED_HUB],
    close_all_on_all_namespaces_closes_every_peer: [CLOSE_CODE, SHARED_HUB],
    publications_are_counted: [PUBSUB, SHARED_HUB] in memory,
}

async fn a_publish_from_outside_reaches_one_namespace(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/one", "a").await;
    let mut b = subscribed(&stage, "/two", "b").await;
    assert_eq!(stage.publish(Some("/one"), "news", "hot").await, 1);
    a.hears("hot").await;
    b.hears_nothing().await;
    assert_eq!(stage.publish(Some("/three"), "news", "hot").await, 0);
}

async fn a_publish_from_outside_reaches_all_namespaces_when_said(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/one", "a").await;
    let mut b = subscribed(&stage, "/two", "b").await;
    assert_eq!(stage.publish(None, "news", "hot").await, 2);
    for peer in [&mut a, &mut b] {
        peer.hears("hot").await;
        peer.hears_nothing().await;
    }
}

async fn a_broadcast_from_outside_reaches_every_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/one", "a").await;
    let mut b = stage.join("/two", "b").await;
    assert_eq!(stage.broadcast(Some("/one"), "one").await, 1);
    assert_eq!(stage.broadcast(None, "all").await, 2);
    a.hears("one").await;
    a.hears("all").await;
    b.hears("all").await;
}

async fn topics_and_subscribers_are_listed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = subscribed(&stage, "/one", "a").await;
    let _b = subscribed(&stage, "/one", "b").await;
    let _c = subscribed(&stage, "/two", "c").await;
    let weather = topic("weather");
    a.perform(&[Do::Subscribe { topic: weather }]).await;
    assert_eq!(a.report().await["topics"], json!(["news", "weather"]));
    assert_eq!(stage.topics(Some("/one")).await, ["news", "weather"]);
    assert_eq!(stage.topics(Some("/two")).await, ["news"]);
    assert_eq!(stage.topics(None).await, ["news", "weather"]);
    assert_eq!(stage.subscribers(Some("/one"), "news").await, 2);
    assert_eq!(stage.subscribers(None, "news").await, 3);
    assert_eq!(stage.subscribers(Some("/two"), "weather").await, 0);
}

async fn peers_are_listed_by_namespace(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/one", "a").await;
    let mut b = stage.join("/two", "b").await;
    let (a, b) = (a.id().await, b.id().await);
    assert_eq!(stage.peers(Some("/one")).await, [a]);
    assert_eq!(stage.peers(Some("/two")).await, [b]);
    assert_eq!(stage.peers(Some("/three")).await, []);
    assert_eq!(stage.peers(None).await, [a, b]);
}

async fn a_namespace_vanishes_with_its_last_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let a = stage.join("/one", "a").await;
    let b = stage.join("/one", "b").await;
    let _c = stage.join("/two", "c").await;
    assert_eq!(stage.namespaces().await, ["/one", "/two"]);
    a.leave().await;
    stage.wait("a", "close").await;
    assert_eq!(stage.namespaces().await, ["/one", "/two"]);
    b.leave().await;
    stage.wait("b", "close").await;
    assert_eq!(stage.namespaces().await, ["/two"]);
}

async fn a_topic_vanishes_with_its_last_subscriber(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let _stays = stage.join("/", "stays").await;
    let mut a = subscribed(&stage, "/", "a").await;
    let b = subscribed(&stage, "/", "b").await;
    let topic = topic("news");
    a.perform(&[Do::Unsubscribe { topic }]).await;
    a.hears_nothing().await;
    assert_eq!(stage.topics(None).await, ["news"]);
    b.leave().await;
    stage.wait("b", "close").await;
    assert_eq!(stage.topics(None).await, [""; 0]);
}

async fn a_client_that_vanishes_leaves_nothing_subscribed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    subscribed(&stage, "/", "a").await.vanish();
    stage.wait("a", "close").await;
    assert_eq!(stage.subscribers(None, "news").await, 0);
    assert_eq!(stage.publish(None, "news", "hot").await, 0);
    assert_eq!(stage.stat("peers").await, 0);
}

fn close_all(namespace: Option<&str>) -> Control {
    Control::CloseAll {
        namespace: namespace.map(str::to_owned),
        code: 4000,
        reason: "everybody out".to_owned(),
    }
}

async fn close_all_closes_one_namespace(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/one", "a").await;
    let mut b = stage.join("/one", "b").await;
    let mut c = stage.join("/two", "c").await;
    stage.order(close_all(Some("/one"))).await;
    for peer in [&mut a, &mut b] {
        assert_eq!(peer.closes().await, (4000, "everybody out".to_owned()));
    }
    c.hears_nothing().await;
}

async fn close_all_on_all_namespaces_closes_every_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/one", "a").await;
    let mut b = stage.join("/two", "b").await;
    stage.order(close_all(None)).await;
    for peer in [&mut a, &mut b] {
        assert_eq!(peer.closes().await.0, 4000);
    }
    stage.idle().await;
    stage.serves().await;
}

async fn publications_are_counted(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let _a = subscribed(&stage, "/", "a").await;
    let _b = subscribed(&stage, "/", "b").await;
    stage.publish(None, "news", "hot").await;
    assert_eq!(stage.stat("published").await, 1);
    assert_eq!(stage.stat("queued").await, 2);
    assert_eq!(stage.stat("dropped").await, 0);
}
