//! Messages to several topics at once.

use super::pubsub::{MANY, flood, orders, topic};
use crate::{Ask, Do, Peer, Scene, Stage};

group! {
    a_message_to_several_topics_reaches_each_subscriber_once: [PUBSUB],
    subscribers_of_other_topics_are_left_out: [PUBSUB],
    a_message_to_a_peers_own_topics_reaches_each_subscriber_once: [PUBSUB],
    messages_to_several_topics_have_one_order: [PUBSUB],
}

/// Publishes to the subscribers of these topics, which are separated by spaces, without the
/// subscribers of the excepted ones.
fn to_each(topics: &str, except: &str, text: &str) -> Do {
    Do::PublishToEach {
        topics: Some(topics.split_whitespace().map(topic).collect()),
        except: except.split_whitespace().map(topic).collect(),
        text: text.to_owned(),
        itself: false,
    }
}

async fn member(stage: &Stage, who: &str, topics: &str) -> Peer {
    let ask = Ask {
        topics: topics.split_whitespace().map(topic).collect(),
        ..Ask::named(who)
    };
    stage.open("/", ask).await
}

async fn a_message_to_several_topics_reaches_each_subscriber_once(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = member(&stage, "a", "red blue").await;
    let mut red = member(&stage, "red", "red").await;
    let mut both = member(&stage, "both", "red blue").await;
    let mut green = member(&stage, "green", "green").await;
    a.perform(&[to_each("red blue none red", "", "hot")]).await;
    for peer in [&mut red, &mut both] {
        peer.hears("hot").await;
        peer.hears_nothing().await;
    }
    a.hears_nothing().await;
    green.hears_nothing().await;
    assert_eq!(stage.wait("a", "did").await["answer"], 2);
}

async fn subscribers_of_other_topics_are_left_out(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/", "a").await;
    let mut red = member(&stage, "red", "red").await;
    let mut muted = member(&stage, "muted", "red blue muted").await;
    let mut away = member(&stage, "away", "blue away").await;
    a.perform(&[
        to_each("red blue", "muted away", "1"),
        to_each("red", "blue none", "2"),
        to_each("blue", "muted", "3"),
        to_each("", "", "to nobody"),
    ])
    .await;
    red.hears("1").await;
    red.hears("2").await;
    red.hears_nothing().await;
    away.hears("3").await;
    away.hears_nothing().await;
    muted.hears_nothing().await;
    let did = stage.wait_for("a", "did", 4).await;
    let told: Vec<_> = did.iter().map(|did| did["answer"].clone()).collect();
    assert_eq!(told, [1, 1, 1, 0]);
}

async fn a_message_to_a_peers_own_topics_reaches_each_subscriber_once(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = member(&stage, "a", "red blue").await;
    let mut both = member(&stage, "both", "red blue green").await;
    let mut green = member(&stage, "green", "green").await;
    let own = |itself| Do::PublishToEach {
        topics: None,
        except: Vec::new(),
        text: "hot".to_owned(),
        itself,
    };
    a.perform(&[own(false), own(true)]).await;
    for count in [2, 1] {
        let peer = if count == 2 { &mut both } else { &mut a };
        for _ in 0..count {
            peer.hears("hot").await;
        }
        peer.hears_nothing().await;
    }
    green.hears_nothing().await;
}

async fn messages_to_several_topics_have_one_order(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut readers = Vec::new();
    for who in ["r1", "r2", "r3", "r4"] {
        readers.push(member(&stage, who, "news red").await);
    }
    let mut a = stage.join("/", "a").await;
    let mut b = stage.join("/", "b").await;
    a.perform(&[flood(10)]).await;
    let several: Vec<_> = (0..MANY)
        .map(|index| to_each("news red", "", &format!("several {index}")))
        .collect();
    b.perform(&several).await;
    for who in ["a", "b"] {
        stage.wait(who, "message.end").await;
    }
    let orders = orders(&mut readers, 2 * MANY).await;
    for reader in &mut readers {
        reader.hears_nothing().await;
    }
    assert!(orders.windows(2).all(|pair| pair[0] == pair[1]));
}
