//! Subscriptions by pattern, their events, and those that clients ask for themselves.

use serde_json::{Value, json};

use super::pubsub::topic;
use crate::{Ask, Do, Peer, Scene, Stage};

group! {
    a_pattern_hears_each_matching_publication_once: [PUBSUB],
    a_pattern_hears_messages_to_several_topics_once: [PUBSUB],
    a_pattern_stays_in_its_namespace: [PUBSUB],
    a_pattern_sees_the_order_of_the_topic: [PUBSUB],
    unsubscribing_from_a_pattern_ends_delivery: [PUBSUB],
    a_pattern_that_is_none_is_a_typed_error: [PUBSUB],
    too_many_patterns_are_a_typed_error: [PUBSUB],
    without_topics_a_pattern_is_a_typed_error: [] but not [PUBSUB],
    a_default_topic_is_left_like_any_other: [PUBSUB],
    subscriptions_are_told_with_their_count: [PUBSUB],
    clients_subscribe_where_they_may: [PUBSUB],
    what_a_client_may_not_do_is_refused_by_name: [],
}

const CLIENTS: &str = "/routed/spoken/rooms";

fn publish(topic: &str, text: &str) -> Do {
    Do::Publish {
        topic: topic.to_owned(),
        text: text.to_owned(),
        itself: false,
    }
}

fn pattern(pattern: &str) -> Do {
    Do::SubscribePattern {
        pattern: pattern.to_owned(),
    }
}

/// Joins as `who`, after it has done this.
async fn joined(stage: &Stage, path: &str, who: &str, open: Vec<Do>) -> Peer {
    let ask = Ask {
        open,
        ..Ask::named(who)
    };
    stage.open(path, ask).await
}

async fn a_pattern_hears_each_matching_publication_once(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let news = Do::Subscribe { topic: topic("news/eu") };
    let mut all = joined(&stage, "/", "all", vec![pattern("news/*"), pattern("**"), news.clone()]).await;
    let mut direct = joined(&stage, "/", "direct", vec![news]).await;
    let mut publisher = stage.join("/", "publisher").await;
    let said = [publish("news/eu", "1"), publish("news/us", "2"), publish("other", "3")];
    publisher.perform(&said).await;
    for text in ["1", "2", "3"] {
        all.hears(text).await;
    }
    direct.hears("1").await;
    all.hears_nothing().await;
    direct.hears_nothing().await;
    let did: Vec<_> = stage.wait_for("publisher", "did", 3).await;
    let answers: Vec<_> = did.iter().map(|did| &did["answer"]).collect();
    assert_eq!(answers, [2, 1, 1]);
    // Its own publications do not come back.
    all.perform(&[publish("news/eu", "4")]).await;
    direct.hears("4").await;
    all.hears_nothing().await;
    assert_eq!(all.report().await["patterns"], json!(["**", "news/*"]));
}

async fn a_pattern_hears_messages_to_several_topics_once(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut all = joined(&stage, "/", "all", vec![pattern("room/*")]).await;
    let mut publisher = stage.join("/", "publisher").await;
    let to = |topics: &[&str], except: &[&str], text: &str| Do::PublishToEach {
        topics: Some(topics.iter().map(|name| topic(name)).collect()),
        except: except.iter().map(|name| topic(name)).collect(),
        text: text.to_owned(),
        itself: false,
    };
    publisher.perform(&[to(&["room/1", "room/2", "x"], &[], "1")]).await;
    publisher.perform(&[to(&["x", "y"], &[], "2")]).await;
    // Whom a pattern reaches is left out by no topic.
    publisher.perform(&[to(&["room/1"], &["room/1"], "3")]).await;
    all.hears("1").await;
    all.hears("3").await;
    all.hears_nothing().await;
}

async fn a_pattern_stays_in_its_namespace(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut here = joined(&stage, "/one", "here", vec![pattern("**")]).await;
    let mut elsewhere = joined(&stage, "/two", "elsewhere", vec![pattern("**")]).await;
    let mut publisher = stage.join("/one", "publisher").await;
    publisher.perform(&[publish("news", "hot")]).await;
    here.hears("hot").await;
    elsewhere.hears_nothing().await;
}

async fn a_pattern_sees_the_order_of_the_topic(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let news = topic("news");
    let mut direct = joined(&stage, "/", "direct", vec![Do::Subscribe { topic: news }]).await;
    let mut all = joined(&stage, "/", "all", vec![pattern("*")]).await;
    let mut a = stage.join("/", "a").await;
    let mut b = stage.join("/", "b").await;
    let said = |who: &str| -> Vec<_> {
        (0..10).map(|number| publish("news", &format!("{who}{number}"))).collect()
    };
    a.perform(&said("a")).await;
    b.perform(&said("b")).await;
    let mut heard = Vec::new();
    for _ in 0..20 {
        let text = direct.text().await;
        all.hears(&text).await;
        heard.push(text);
    }
    for who in ["a", "b"] {
        let own = heard.iter().filter(|text| text.starts_with(who));
        assert!(own.is_sorted(), "{heard:?}");
    }
}

async fn unsubscribing_from_a_pattern_ends_delivery(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut all = joined(&stage, "/", "all", vec![pattern("news/*"), pattern("x/*")]).await;
    let mut publisher = stage.join("/", "publisher").await;
    publisher.perform(&[publish("news/eu", "1")]).await;
    all.hears("1").await;
    let pattern = topic("news/*");
    all.perform(&[Do::UnsubscribePattern { pattern }]).await;
    all.hears_nothing().await;
    publisher.perform(&[publish("news/eu", "2"), publish("x/1", "3")]).await;
    all.hears("3").await;
    all.hears_nothing().await;
    assert_eq!(all.report().await["patterns"], json!(["x/*"]));
}

async fn a_pattern_that_is_none_is_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&["news", "news*", "**/x"].map(pattern)).await;
    let did = stage.wait_for("a", "did", 3).await;
    for (did, error) in did.iter().zip(["NoWildcard", "PartOfSegment", "NotLast"]) {
        assert_eq!(did["answer"]["error"], format!("Pattern({error})"));
    }
}

async fn too_many_patterns_are_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let patterns = (0..17).map(|number| pattern(&format!("{number}/*")));
    peer.perform(&patterns.collect::<Vec<_>>()).await;
    let did = stage.wait_for("a", "did", 17).await;
    assert_eq!(did[15]["answer"], true);
    assert_eq!(did[16]["answer"]["error"], "TooManyPatterns(16)");
}

async fn without_topics_a_pattern_is_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let _peer = joined(&stage, "/", "a", vec![pattern("*")]).await;
    let did = stage.wait("a", "did").await;
    assert_eq!(did["answer"]["error"], "Unsupported");
}

async fn a_default_topic_is_left_like_any_other(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        topics: vec![topic("lobby")],
        ..Ask::named("a")
    };
    let mut peer = stage.open("/", ask).await;
    let mut publisher = stage.join("/", "publisher").await;
    publisher.perform(&[publish("lobby", "1")]).await;
    peer.hears("1").await;
    let topic = topic("lobby");
    peer.perform(&[Do::Unsubscribe { topic }]).await;
    peer.hears_nothing().await;
    publisher.perform(&[publish("lobby", "2")]).await;
    peer.hears_nothing().await;
}

async fn subscriptions_are_told_with_their_count(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let news = || Do::Subscribe { topic: topic("news") };
    let _first = joined(&stage, "/", "first", vec![news(), pattern("*")]).await;
    let ask = Ask {
        subscriptions: true,
        open: vec![news()],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    stage.wait("a", "subscription").await;
    peer.perform(&[pattern("x/*")]).await;
    stage.wait_for("a", "subscription", 2).await;
    let (topic, pattern) = (topic("news"), topic("x/*"));
    peer.perform(&[Do::Unsubscribe { topic }]).await;
    stage.wait_for("a", "subscription", 3).await;
    peer.perform(&[Do::UnsubscribePattern { pattern }]).await;
    let told = stage.wait_for("a", "subscription", 4).await;
    let told: Vec<_> = told.iter().map(|told| {
        let fields = ["topic", "is_pattern", "joined", "subscribers"];
        fields.map(|field| told[field].clone())
    }).collect();
    assert_eq!(json!(told), json!([
        ["news", false, true, 2],
        ["x/*", true, true, 1],
        ["news", false, false, 1],
        ["x/*", true, false, 0],
    ]));
}

async fn answer(peer: &mut Peer, request: Value) -> Value {
    peer.say(&request.to_string()).await;
    serde_json::from_str(&peer.text().await).unwrap()
}

async fn clients_subscribe_where_they_may(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut ann = stage.join(CLIENTS, "ann").await;
    let mut bob = stage.join(CLIENTS, "bob").await;
    for topic in ["lobby", "news/*", "user/ann"] {
        let answer = answer(&mut ann, json!({"subscribe": topic, "id": 1})).await;
        assert_eq!(answer, json!({"subscribed": topic, "id": 1}));
    }
    let said = answer(&mut bob, json!({"publish": "lobby", "data": "hi"})).await;
    assert_eq!(said, json!({"published": "lobby", "peers": 1}));
    let heard: Value = serde_json::from_str(&ann.text().await).unwrap();
    assert_eq!(heard, json!({"topic": "lobby", "data": "hi"}));
    for topic in ["lobby", "news/*"] {
        let answer = answer(&mut ann, json!({"unsubscribe": topic})).await;
        assert_eq!(answer, json!({"unsubscribed": topic}));
    }
    let said = answer(&mut bob, json!({"publish": "lobby", "data": "hi"})).await;
    assert_eq!(said, json!({"published": "lobby", "peers": 0}));
}

async fn what_a_client_may_not_do_is_refused_by_name(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut ann = stage.join(CLIENTS, "ann").await;
    for (request, code) in [
        (json!({"subscribe": "elsewhere"}), "forbidden"),
        (json!({"publish": "news/eu", "data": 1}), "forbidden"),
        (json!({"subscribe": "user/bob"}), "forbidden"),
        (json!({"subscribe": "**"}), "forbidden"),
        (json!({"subscribe": null}), "malformed"),
    ] {
        assert_eq!(answer(&mut ann, request).await["error"], code);
    }
    let other = answer(&mut ann, json!({"type": "subscribe"})).await;
    assert_eq!(other["kind"], "json", "for the hooks inside");
}
