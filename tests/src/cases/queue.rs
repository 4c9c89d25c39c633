//! What waits for a client that reads slowly, or not at all.

use crate::{Ask, Do, Peer, Profile, Scene};

group! {
    what_is_queued_is_counted: [DRAIN],
    drained_waits_for_the_client: [DRAIN],
    drained_ends_at_once_with_an_empty_queue: [DRAIN],
    drained_ends_early_when_the_peer_closes: [DRAIN],
    the_drain_hook_is_told_after_a_burst: [DRAIN],
    the_drain_hook_is_not_told_of_little: [DRAIN],
    a_client_that_never_reads_is_closed_with_1013: [DRAIN, CLOSE_CODE],
    a_client_that_never_reads_is_bounded: [DRAIN],
    too_many_messages_are_too_much: [DRAIN, CLOSE_CODE],
    a_burst_to_a_client_that_reads_closes_nobody: [DRAIN],
    dropping_the_newest_hands_it_back: [DRAIN],
    dropping_the_oldest_keeps_the_newest: [DRAIN],
    a_slow_subscriber_delays_nobody: [DRAIN, PUBSUB],
    what_a_slow_subscriber_loses_is_counted: [DRAIN, PUBSUB],
    a_message_over_the_limit_is_closed_with_1009: [CLOSE_CODE],
    a_message_of_the_limits_size_is_taken: [],
    a_flood_of_pings_is_closed_with_1008: [PING, CLOSE_CODE],
}

/// More than any socket's buffers hold, so that some of it stays in ours.
const PLENTY: usize = 16 << 20;

/// Queues of up to 64 MiB: what fills them is the client's not reading, not a limit.
fn roomy() -> Profile {
    Profile {
        max_buffered: Some(64 << 20),
        max_queued: Some(1 << 20),
        no_pings: true,
        ..Profile::default()
    }
}

/// As many messages of 64 KiB as make up `PLENTY`.
fn plenty() -> Do {
    Do::Flood {
        count: PLENTY >> 16,
        size: 1 << 16,
    }
}

async fn what_is_queued_is_counted(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let mut peer = stage.join("/", "a").await;
    assert_eq!(peer.report().await["buffered"], 0);
    peer.perform(&[plenty()]).await;
    let did = stage.wait_for("a", "did", 2).await.remove(1);
    let most = did["answer"]["most_buffered"].as_u64().unwrap() as usize;
    assert!(most > 0 && most <= PLENTY * 2, "{most}");
    for index in 0..PLENTY >> 16 {
        peer.hears(&Do::numbered(index, 1 << 16)).await;
    }
    peer.perform(&[Do::AwaitDrained { below: 0 }]).await;
    assert_eq!(stage.wait("a", "drained").await, 0);
}

async fn drained_waits_for_the_client(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[plenty(), Do::AwaitDrained { below: 1000 }])
        .await;
    stage.wait("a", "did").await;
    // It has room for not a half of it without a client that reads.
    assert_eq!(stage.count("a", "drained").await, 0);
    for index in 0..PLENTY >> 16 {
        peer.hears(&Do::numbered(index, 1 << 16)).await;
    }
    assert!(stage.wait("a", "drained").await.as_u64().unwrap() <= 1000);
}

async fn drained_ends_at_once_with_an_empty_queue(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[Do::AwaitDrained { below: 0 }]).await;
    stage.wait("a", "drained").await;
}

async fn drained_ends_early_when_the_peer_closes(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[plenty(), Do::AwaitDrained { below: 0 }])
        .await;
    stage.wait("a", "did").await;
    peer.vanish();
    stage.wait("a", "drained").await;
    stage.wait("a", "close.end").await;
}

async fn the_drain_hook_is_told_after_a_burst(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let ask = Ask {
        drain: vec![Do::Send {
            text: "drained".to_owned(),
        }],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.perform(&[plenty()]).await;
    stage.wait("a", "did").await;
    // It may come early, where the queue is written out while the hook still fills it.
    let mut left = PLENTY >> 16;
    let mut told = false;
    while left > 0 || !told {
        match peer.text().await.as_str() {
            "drained" => told = true,
            _ => left -= 1,
        }
    }
    assert!(stage.count("a", "drain").await > 0);
}

async fn the_drain_hook_is_not_told_of_little(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    for _ in 0..10 {
        peer.hears_nothing().await;
    }
    peer.leave().await;
    stage.idle().await;
    assert_eq!(stage.count("a", "drain").await, 0);
}

async fn a_client_that_never_reads_is_closed_with_1013(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[plenty()]).await;
    stage.wait("a", "did").await;
    // Now it reads what was on its way, and finds why it was closed.
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
    // The frames' own headers may count, and one message more.
    assert!(most <= 200_000, "{most}");
    assert_ne!(did["answer"]["closed"], 0, "it was closed meanwhile");
    stage.serves().await;
}

async fn too_many_messages_are_too_much(scene: Scene<'_>) {
    let profile = Profile {
        max_queued: Some(10),
        ..roomy()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    // In one hook that does not await, and the client does not read yet.
    peer.perform(&[plenty()]).await;
    stage.wait("a", "did").await;
    assert_eq!(peer.closes_at_last().await.0, 1013);
}

async fn a_burst_to_a_client_that_reads_closes_nobody(scene: Scene<'_>) {
    let stage = scene.stage_with(Profile::default()).await;
    let mut peer = stage.join("/", "a").await;
    // More messages than may wait, and nothing that a client has to be quick for.
    let (count, size) = (6000, 10);
    peer.perform(&[Do::Flood { count, size }]).await;
    for index in 0..count {
        peer.hears(&Do::numbered(index, size)).await;
    }
    peer.hears_nothing().await;
}

fn dropping(policy: &str) -> Profile {
    Profile {
        max_queued: Some(10),
        overflow: Some(policy.to_owned()),
        ..roomy()
    }
}

/// Reads so many of the messages of a flood, each at most once and in their order. Returns the number of
/// the last.
async fn hears_some(peer: &mut Peer, count: usize) -> usize {
    let mut next = 0;
    for _ in 0..count {
        let text = peer.text().await;
        while Do::numbered(next, 1 << 16) != text {
            next += 1;
            assert!(next < PLENTY >> 16, "a message twice, or in another order");
        }
        next += 1;
    }
    next - 1
}

async fn dropping_the_newest_hands_it_back(scene: Scene<'_>) {
    let stage = scene.stage_with(dropping("drop-newest")).await;
    let mut peer = stage.join("/", "a").await;
    let text = "one more".to_owned();
    peer.perform(&[plenty(), Do::Send { text }, Do::State])
        .await;
    let did = stage.wait_for("a", "did", 2).await;
    assert_eq!(did[1]["answer"]["full"], "one more");
    let dropped = stage.wait("a", "state").await["dropped"].as_u64().unwrap() as usize;
    assert!(dropped > 1, "{dropped}");
    // What was taken before the queue was full is what it gets.
    hears_some(&mut peer, (PLENTY >> 16) - (dropped - 1)).await;
    peer.hears_nothing().await;
}

async fn dropping_the_oldest_keeps_the_newest(scene: Scene<'_>) {
    let stage = scene.stage_with(dropping("drop-oldest")).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[plenty(), Do::State]).await;
    let dropped = stage.wait("a", "state").await["dropped"].as_u64().unwrap() as usize;
    assert!(dropped > 0);
    let last = hears_some(&mut peer, (PLENTY >> 16) - dropped).await;
    assert_eq!(last, (PLENTY >> 16) - 1);
    peer.hears_nothing().await;
}

async fn a_slow_subscriber_delays_nobody(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let subscribed = |who| Ask {
        topics: vec!["news".to_owned()],
        ..Ask::named(who)
    };
    let _slow = stage.connect("/", subscribed("slow")).await;
    let mut quick = stage.connect("/", subscribed("quick")).await;
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
    let stage = scene.stage_with(dropping("drop-oldest")).await;
    let ask = Ask {
        topics: vec!["news".to_owned()],
        ..Ask::named("slow")
    };
    let mut slow = stage.connect("/", ask).await;
    let id = slow.id().await;
    let mut publisher = stage.join("/", "publisher").await;
    let (count, size) = (PLENTY >> 16, 1 << 16);
    let topic = "news".to_owned();
    publisher
        .perform(&[Do::FloodTopic { topic, count, size }])
        .await;
    let did = stage.wait("publisher", "did").await;
    let dropped = did["answer"]["dropped"].as_u64().unwrap();
    assert!(dropped > 0);
    assert_eq!(stage.stat("dropped").await, dropped);
    assert_eq!(stage.backlog(id).await["dropped"], dropped);
}

fn small_messages() -> Profile {
    Profile {
        max_message_size: Some(1000),
        ..Profile::default()
    }
}

async fn a_message_over_the_limit_is_closed_with_1009(scene: Scene<'_>) {
    let stage = scene.stage_with(small_messages()).await;
    let mut peer = stage.join("/", "a").await;
    peer.say(&"x".repeat(1001)).await;
    assert_eq!(peer.closes_at_last().await.0, 1009);
    let closed = stage.wait("a", "close").await;
    assert_eq!((&closed["code"], &closed["by"]), (&1009.into(), &"Server".into()));
    assert_eq!(stage.count("a", "message").await, 0);
    assert_eq!(stage.wait("a", "error").await["kind"], "Protocol");
    stage.serves().await;
}

async fn a_message_of_the_limits_size_is_taken(scene: Scene<'_>) {
    let stage = scene.stage_with(small_messages()).await;
    let mut peer = stage.join("/", "a").await;
    let text = "x".repeat(1000);
    peer.say(&text).await;
    peer.hears(&text).await;
}

async fn a_flood_of_pings_is_closed_with_1008(scene: Scene<'_>) {
    let profile = Profile {
        max_control_rate: Some(10),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    for _ in 0..50 {
        peer.send_if_alive(crate::Frame::Ping(Vec::new())).await;
    }
    assert_eq!(peer.closes_at_last().await.0, 1008);
    stage.serves().await;
}
