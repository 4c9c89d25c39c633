//! Sends that wait for room.

use crate::{Ask, Control, Do, Profile, Scene, Stage};

group! {
    a_send_that_waits_for_room_reaches_no_bound: [DRAIN],
    a_send_that_waits_does_not_hold_up_one_that_does_not: [DRAIN],
    a_message_that_waits_comes_back_when_the_connection_ends: [DRAIN],
    a_topics_policy_says_what_becomes_of_its_messages: [DRAIN, PUBSUB],
    where_nothing_is_known_to_wait_there_is_room: [] but not [DRAIN],
}

/// More than any socket's buffers hold, of messages that are smaller than a bound.
const COUNT: usize = 256;
const SIZE: usize = 1 << 16;

fn flood() -> Do {
    Do::FloodWhenReady {
        count: COUNT,
        size: SIZE,
    }
}

const GATE: &str = "the flood waits";

fn note() -> Do {
    let text = String::new();
    Do::Note { text }
}

/// What runs in the task of a flood, and notes that it runs after the flood has been polled.
fn witness() -> [Do; 2] {
    let gate = GATE.to_owned();
    [Do::Wait { gate }, note()]
}

/// Waits until a flood that begins with a note waits for room. One that does not wait has ended then, because
/// a peer's futures and hooks are polled by one task.
async fn until_it_waits(stage: &Stage) {
    stage.wait("a", "note").await;
    stage.release(GATE).await;
    stage.wait_for("a", "note", 2).await;
}

async fn a_send_that_waits_for_room_reaches_no_bound(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[flood()]).await;
    for index in 0..COUNT {
        peer.hears(&Do::numbered(index, SIZE)).await;
    }
    let did = stage.wait("a", "did").await;
    let most = did["answer"]["most_buffered"].as_u64().unwrap();
    assert!(most <= (1 << 19) + 1024, "{most}");
    peer.hears_nothing().await;
    assert_eq!(peer.report().await["dropped"], 0);
}

async fn a_send_that_waits_does_not_hold_up_one_that_does_not(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let text = "at once".to_owned();
    let then = vec![note(), flood()];
    let [wait, after] = witness();
    peer.perform(&[Do::Spawn { then }, Do::Send { text }, wait, after])
        .await;
    until_it_waits(&stage).await;
    let mut next = 0;
    let mut told = false;
    while next < COUNT || !told {
        match peer.text().await.as_str() {
            "at once" => told = true,
            text => {
                assert_eq!(text, Do::numbered(next, SIZE));
                next += 1;
            }
        }
    }
}

async fn a_message_that_waits_comes_back_when_the_connection_ends(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let then = witness().to_vec();
    peer.perform(&[Do::Spawn { then }, note(), flood()]).await;
    until_it_waits(&stage).await;
    let order = Control::CloseAll {
        namespace: Some("/".to_owned()),
        code: 1001,
        reason: String::new(),
    };
    stage.order(order).await;
    let did = stage.wait("a", "did").await;
    let message = did["answer"]["closed"].as_str().unwrap();
    assert_eq!(message.len(), SIZE);
    peer.vanish();
    assert_eq!(stage.wait("a", "close").await["code"], 1001);
}

async fn a_topics_policy_says_what_becomes_of_its_messages(scene: Scene<'_>) {
    let profile = Profile {
        max_buffered: Some(64 << 20),
        max_queued: Some(1 << 20),
        topic_overflow: true,
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let topics = ["cursor/ann", "price/gold/today", "price/tin", "news"];
    let ask = Ask {
        topics: topics.map(str::to_owned).to_vec(),
        ..Ask::named("slow")
    };
    let mut slow = stage.connect("/", ask).await;
    // Sent, and not published: that fills its queue, whatever topics it is in.
    let (count, size) = (COUNT, SIZE);
    let flood = Do::Flood { count, size };
    stage.fill(&mut slow, "slow", flood, &[]).await;
    let mut publisher = stage.join("/", "publisher").await;
    let publish = |topic: &str, text: &str| Do::Publish {
        topic: topic.to_owned(),
        text: text.to_owned(),
        itself: false,
    };
    // Sockets' buffers grow, and what fits in is not discarded: until they have not grown for a while.
    let mut taken = Vec::new();
    while !taken.ends_with(&[false; 4]) {
        publisher.perform(&[publish("cursor/ann", "moved")]).await;
        let did = stage.wait_for("publisher", "did", taken.len() + 1).await;
        taken.push(did[taken.len()]["answer"] != 0);
        assert!(taken.len() < 100, "{did:?}");
    }
    let moves = taken.len();
    let moved = taken.iter().filter(|taken| **taken).count();
    let script = [
        publish("price/gold/today", "gold 1"),
        publish("price/tin", "tin 1"),
        publish("news", "news 1"),
        publish("price/gold/today", "gold 2"),
        publish("news", "news 2"),
    ];
    publisher.perform(&script).await;
    stage.wait_for("publisher", "did", moves + script.len()).await;
    // From outside too.
    stage.publish(Some("/"), "price/tin", "tin 2").await;
    for index in 0..COUNT {
        slow.hears(&Do::numbered(index, SIZE)).await;
    }
    for _ in 0..moved {
        slow.hears("moved").await;
    }
    for text in ["news 1", "gold 2", "news 2", "tin 2"] {
        slow.hears(text).await;
    }
    slow.hears_nothing().await;
    assert_eq!(slow.report().await["dropped"], moves - moved);
    publisher.perform(&[publish("cursor/ann", "again")]).await;
    slow.hears("again").await;
}

async fn where_nothing_is_known_to_wait_there_is_room(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let (count, size) = (100, 1000);
    peer.perform(&[Do::FloodWhenReady { count, size }]).await;
    for index in 0..count {
        peer.hears(&Do::numbered(index, size)).await;
    }
    assert_eq!(stage.wait("a", "did").await["answer"]["most_buffered"], 0);
}
