//! What becomes of messages for a client that reads too slowly.

use std::time::Duration;

use super::queue::{LARGE, MANY, PLENTY, many, plenty, roomy};
use crate::{Ask, Do, Event, Peer, Profile, Scene, Stage};

group! {
    a_client_that_never_reads_is_closed_with_1013: [DRAIN, CLOSE_CODE],
    a_client_that_never_reads_is_bounded: [DRAIN],
    too_many_messages_are_too_much: [DRAIN, CLOSE_CODE],
    a_burst_to_a_client_that_reads_closes_no_connection: [DRAIN],
    dropping_the_newest_returns_it: [DRAIN],
    dropping_the_oldest_keeps_the_newest: [DRAIN],
    a_slow_subscriber_delays_no_other: [DRAIN, PUBSUB],
    what_a_slow_subscriber_loses_is_counted: [DRAIN, PUBSUB],
    what_a_closed_slow_consumer_loses_is_counted: [DRAIN, CLOSE_CODE],
    what_a_queue_discards_for_its_age_is_counted: [DRAIN, PUBSUB, CLOSE_CODE],
    the_dropped_hook_reports_what_a_policy_discards: [DRAIN],
    the_dropped_hook_runs_before_a_slow_consumer_is_closed: [DRAIN],
    a_volatile_message_is_discarded_for_a_slow_client: [DRAIN],
    a_volatile_publication_is_discarded_for_slow_clients_alone: [DRAIN, PUBSUB],
}

async fn a_client_that_never_reads_is_closed_with_1013(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[plenty()]).await;
    stage.wait("a", "did").await;
    // The client now reads what was in flight, and then the close frame.
    let (code, reason) = peer.closes_at_last().await;
    assert_eq!((code, reason.as_str()), (1013, "slow consumer"));
    let closed = stage.wait("a", "close").await;
    assert_eq!((&closed["code"], &closed["by"]), (&1013.into(), &"Server".into()));
    stage.serves().await;
}

async fn a_client_that_never_reads_is_bounded(scene: Scene<'_>) {
    let profile = Profile {
        max_buffered: Some(100_000),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[plenty()]).await;
    let did = stage.wait("a", "did").await;
    let most = did["answer"]["most_buffered"].as_u64().unwrap();
    // The frames' own headers may count, plus one message.
    assert!(most <= 200_000, "{most}");
    assert_ne!(did["answer"]["closed"], 0, "it was closed meanwhile");
    stage.serves().await;
}

/// At most ten messages may wait, however long they are.
fn ten(overflow: &str) -> Profile {
    Profile {
        max_queued: Some(10),
        overflow: Some(overflow.to_owned()),
        ..roomy()
    }
}

/// Asserts that about ten messages were queued, and not many more. One hook sends them without an
/// await, and the client does not read yet.
async fn queues_ten(stage: &Stage, most: usize) {
    let did = stage.wait("a", "did").await;
    let queued = did["answer"]["most_buffered"].as_u64().unwrap() as usize / LARGE;
    assert!((9..=most).contains(&queued), "{queued} messages");
}

async fn too_many_messages_are_too_much(scene: Scene<'_>) {
    let stage = scene.stage_with(ten("close")).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[many()]).await;
    queues_ten(&stage, 11).await;
    assert_eq!(peer.closes_at_last().await.0, 1013);
}

async fn a_burst_to_a_client_that_reads_closes_no_connection(scene: Scene<'_>) {
    let stage = scene.stage_with(Profile::default()).await;
    let mut peer = stage.join("/", "a").await;
    // More messages than may wait, but few bytes, so that the client need not be fast.
    let (count, size) = (6000, 10);
    peer.perform(&[Do::Flood { count, size }]).await;
    for index in 0..count {
        peer.hears(&Do::numbered(index, size)).await;
    }
    peer.hears_nothing().await;
}

/// Reads `count` messages of a flood, each at most once and in their order. Returns the number of
/// the last one.
async fn hears_some(peer: &mut Peer, count: usize) -> usize {
    let mut next = 0;
    for _ in 0..count {
        let text = peer.text().await;
        while Do::numbered(next, LARGE) != text {
            next += 1;
            assert!(next < MANY, "a message twice, or in another order");
        }
        next += 1;
    }
    next - 1
}

async fn dropping_the_newest_returns_it(scene: Scene<'_>) {
    let stage = scene.stage_with(ten("drop-newest")).await;
    let mut peer = stage.join("/", "a").await;
    let text = "one more".to_owned();
    peer.perform(&[many(), Do::Send { text }, Do::State]).await;
    queues_ten(&stage, 11).await;
    let did = stage.wait_for("a", "did", 2).await;
    assert_eq!(did[1]["answer"]["full"], "one more");
    let dropped = stage.wait("a", "state").await["dropped"].as_u64().unwrap() as usize;
    assert!(dropped > 1, "{dropped}");
    hears_some(&mut peer, MANY - (dropped - 1)).await;
    peer.hears_nothing().await;
}

async fn dropping_the_oldest_keeps_the_newest(scene: Scene<'_>) {
    let stage = scene.stage_with(ten("drop-oldest")).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[many(), Do::State]).await;
    // A message that is being written cannot be taken back.
    queues_ten(&stage, 21).await;
    let dropped = stage.wait("a", "state").await["dropped"].as_u64().unwrap() as usize;
    assert!(dropped > 0);
    assert_eq!(hears_some(&mut peer, MANY - dropped).await, MANY - 1);
    peer.hears_nothing().await;
}

async fn a_slow_subscriber_delays_no_other(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let subscribed = |who| Ask {
        topics: vec!["news".to_owned()],
        ..Ask::named(who)
    };
    let _slow = stage.open("/", subscribed("slow")).await;
    let mut quick = stage.open("/", subscribed("quick")).await;
    let mut publisher = stage.join("/", "publisher").await;
    let (count, size) = (PLENTY >> 16, 1 << 16);
    let flood = Do::FloodTopic {
        topic: "news".to_owned(),
        count,
        size,
    };
    publisher.perform(&[flood]).await;
    stage.wait("publisher", "message.end").await;
    for index in 0..count {
        quick.hears(&Do::numbered(index, size)).await;
    }
}

async fn what_a_slow_subscriber_loses_is_counted(scene: Scene<'_>) {
    let stage = scene.stage_with(ten("drop-oldest")).await;
    let ask = Ask {
        topics: vec!["news".to_owned()],
        ..Ask::named("slow")
    };
    let mut slow = stage.connect("/", ask).await;
    let id = slow.id().await;
    // Before a write has had to wait, a publisher may not know that the client is slow.
    stage.fill(&mut slow, "slow", many(), &[]).await;
    let sent = stage.backlog(id).await["dropped"].as_u64().unwrap();
    let mut publisher = stage.join("/", "publisher").await;
    let (count, size) = (PLENTY >> 16, 1 << 16);
    let topic = "news".to_owned();
    publisher
        .perform(&[Do::FloodTopic { topic, count, size }])
        .await;
    let did = stage.wait("publisher", "did").await;
    let published = did["answer"]["dropped"].as_u64().unwrap();
    assert!(published > 0);
    let dropped = sent + published;
    is_told(&stage, "slow", "Overflow(DropOldest)", dropped).await;
    assert_eq!(stage.stat("dropped").await, dropped);
    assert_eq!(stage.backlog(id).await["dropped"], dropped);
}

/// Reads the large messages that come next. Returns how many there are, and the event after them.
async fn hears_large(peer: &mut Peer) -> (u64, Event) {
    let mut heard = 0;
    loop {
        match peer.next().await {
            Event::Text(text) if text.len() == LARGE => heard += 1,
            other => return (heard, other),
        }
    }
}

/// Each message that the queue took is received or counted.
async fn what_a_closed_slow_consumer_loses_is_counted(scene: Scene<'_>) {
    let stage = scene.stage_with(ten("close")).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[many()]).await;
    let did = stage.wait("a", "did").await;
    let taken = MANY as u64 - did["answer"]["closed"].as_u64().unwrap();
    let (heard, end) = hears_large(&mut peer).await;
    assert!(matches!(end, Event::Close(Some((1013, _)))), "{end:?}");
    assert!(heard < taken, "{heard} of {taken}");
    is_told(&stage, "a", "Overflow(Close)", taken - heard).await;
    assert_eq!(stage.stat("dropped").await, taken - heard);
}

async fn what_a_queue_discards_for_its_age_is_counted(scene: Scene<'_>) {
    for (policy, cause) in [
        ("close", "Overflow(Close)"),
        ("drop-newest", "Overflow(DropNewest)"),
        ("drop-oldest", "Overflow(DropOldest)"),
    ] {
        let profile = Profile {
            max_queue_age: Some(Duration::from_millis(300)),
            overflow: Some(policy.to_owned()),
            ..roomy()
        };
        let stage = scene.stage_with(profile).await;
        let mut peer = stage.join("/", "a").await;
        // Its age is counted from when it last moved.
        stage.fill(&mut peer, "a", many(), &[]).await;
        stage.advance(Duration::from_millis(1500)).await;
        // The queue has room for it, and is too old.
        stage.broadcast(None, "late").await;
        let dropped = match policy {
            "drop-newest" => {
                hears_some(&mut peer, MANY).await;
                peer.hears_nothing().await;
                1
            }
            _ => {
                let (heard, end) = hears_large(&mut peer).await;
                match policy {
                    "close" => assert!(matches!(end, Event::Close(Some((1013, _)))), "{end:?}"),
                    _ => assert!(matches!(&end, Event::Text(text) if text == "late"), "{end:?}"),
                }
                MANY as u64 - heard
            }
        };
        assert!(dropped > 0, "{policy}");
        is_told(&stage, "a", cause, dropped).await;
        assert_eq!(stage.stat("dropped").await, dropped, "{policy}");
    }
}

/// Waits until the `dropped` hook has reported this many messages, with this cause.
async fn is_told(stage: &Stage, who: &str, cause: &str, messages: u64) {
    for count in 1.. {
        let told = stage.wait_for(who, "dropped", count).await;
        let told = told.iter().filter(|told| told["cause"] == cause);
        let sum: u64 = told.map(|told| told["messages"].as_u64().unwrap()).sum();
        assert!(sum <= messages, "{sum} instead of {messages}");
        if sum == messages {
            return;
        }
    }
}

async fn the_dropped_hook_reports_what_a_policy_discards(scene: Scene<'_>) {
    for (policy, cause) in [
        ("drop-newest", "Overflow(DropNewest)"),
        ("drop-oldest", "Overflow(DropOldest)"),
    ] {
        let stage = scene.stage_with(ten(policy)).await;
        let mut peer = stage.join("/", "a").await;
        peer.perform(&[many(), Do::State]).await;
        let dropped = stage.wait("a", "state").await["dropped"].as_u64().unwrap();
        assert!(dropped > 0);
        is_told(&stage, "a", cause, dropped).await;
        assert_eq!(stage.stat("dropped").await, dropped);
        hears_some(&mut peer, MANY - dropped as usize).await;
        peer.hears_nothing().await;
    }
}

async fn the_dropped_hook_runs_before_a_slow_consumer_is_closed(scene: Scene<'_>) {
    let stage = scene.stage_with(ten("close")).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[many()]).await;
    stage.wait("a", "did").await;
    peer.closes_at_last().await;
    stage.wait("a", "close.end").await;
    let told = stage.wait("a", "dropped").await;
    assert_eq!(told["cause"], "Overflow(Close)");
    assert!(told["messages"].as_u64().unwrap() > 0);
    let story = stage.story("a").await;
    let at = |what| story.iter().rposition(|entry| entry == what).unwrap();
    assert!(at("dropped.end") < at("close"), "{story:?}");
}

fn volatile(topic: Option<&str>, text: &str) -> Do {
    Do::Volatile {
        topic: topic.map(str::to_owned),
        text: text.to_owned(),
    }
}

async fn a_volatile_message_is_discarded_for_a_slow_client(scene: Scene<'_>) {
    // The policy would queue the message. That it is discarded shows that the client is slow.
    let stage = scene.stage_with(ten("drop-oldest")).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[volatile(None, "before")]).await;
    peer.hears("before").await;
    peer.perform(&[many(), Do::State, volatile(None, "too late"), Do::State])
        .await;
    let states = stage.wait_for("a", "state", 2).await;
    let [first, second] = [0, 1].map(|at: usize| states[at]["dropped"].as_u64().unwrap());
    assert!(first > 0);
    assert_eq!(second, first + 1);
    let did = stage.wait_for("a", "did", 3).await;
    assert_eq!((&did[0]["answer"], &did[2]["answer"]), (&"queued".into(), &"dropped".into()));
    is_told(&stage, "a", "Volatile", 1).await;
    assert_eq!(hears_some(&mut peer, MANY - first as usize).await, MANY - 1);
    peer.hears_nothing().await;
    peer.perform(&[volatile(None, "after")]).await;
    peer.hears("after").await;
}

async fn a_volatile_publication_is_discarded_for_slow_clients_alone(scene: Scene<'_>) {
    let stage = scene.stage_with(ten("drop-oldest")).await;
    let subscribed = |who| Ask {
        topics: vec!["news".to_owned()],
        ..Ask::named(who)
    };
    let mut slow = stage.open("/", subscribed("slow")).await;
    let mut quick = stage.open("/", subscribed("quick")).await;
    slow.perform(&[many(), Do::State]).await;
    let dropped = stage.wait("slow", "state").await["dropped"].as_u64().unwrap();
    assert!(dropped > 0);
    let mut publisher = stage.join("/", "publisher").await;
    publisher.perform(&[volatile(Some("news"), "now")]).await;
    let did = stage.wait("publisher", "did").await;
    assert_eq!(did["answer"], serde_json::json!([1, 1]));
    quick.hears("now").await;
    is_told(&stage, "slow", "Volatile", 1).await;
    assert_eq!(stage.stat("dropped").await, dropped + 1);
    assert_eq!(hears_some(&mut slow, MANY - dropped as usize).await, MANY - 1);
    slow.hears_nothing().await;
    publisher.perform(&[volatile(Some("news"), "again")]).await;
    slow.hears("again").await;
    quick.hears("again").await;
}
