//! Messages that wait for a client that reads slowly, or not at all.

use crate::{Ask, Do, Profile, Scene};

group! {
    what_is_queued_is_counted: [DRAIN],
    each_byte_on_the_wire_counts_and_no_other: [DRAIN],
    drained_waits_for_the_client: [DRAIN],
    drained_ends_at_once_with_an_empty_queue: [DRAIN],
    drained_ends_early_when_the_peer_closes: [DRAIN],
    the_drain_hook_runs_after_a_burst: [DRAIN],
    the_drain_hook_does_not_run_after_a_few_messages: [DRAIN],
    a_newer_message_replaces_one_with_its_key_that_waits: [DRAIN],
    a_newer_publication_replaces_one_with_its_key_that_waits: [DRAIN, PUBSUB],
    a_message_over_the_limit_is_closed_with_1009: [CLOSE_CODE],
    a_message_of_the_limits_size_is_taken: [],
    a_flood_of_pings_is_closed_with_1008: [PING, CLOSE_CODE],
}

/// More than any socket's buffers hold, so that some of it stays in the outbound queue.
pub(super) const PLENTY: usize = 16 << 20;

/// Queues of up to 64 MiB: a client that does not read fills them, without reaching a limit.
pub(super) fn roomy() -> Profile {
    Profile {
        max_buffered: Some(64 << 20),
        max_queued: Some(1 << 20),
        ..Profile::default()
    }
}

/// Enough messages of 64 KiB to make up `PLENTY`.
pub(super) fn plenty() -> Do {
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

/// One hook sends the messages, so that a connection's task writes nothing before all of them are
/// counted.
async fn each_byte_on_the_wire_counts_and_no_other(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    // RFC 6455 section 5.2: the length of a longer message needs two more bytes.
    for (name, size, header) in [("a", 100, 2), ("b", 1000, 4)] {
        let mut peer = stage.join("/", name).await;
        peer.perform(&[Do::Flood { count: 3, size }]).await;
        let did = stage.wait(name, "did").await;
        let most = did["answer"]["most_buffered"].as_u64().unwrap() as usize;
        if scene.0.reads_events() {
            // An event's field and its ends of lines. Another task, the server's, may have taken some.
            let event = size + "data: \n\n".len();
            assert!((1..=3).any(|count| most == count * event), "{most}");
        } else {
            assert_eq!(most, 3 * (size + header));
        }
    }
}

async fn drained_waits_for_the_client(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[plenty(), Do::AwaitDrained { below: 1000 }])
        .await;
    stage.wait("a", "did").await;
    // Without a client that reads, the system has room for less than half of it.
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

async fn the_drain_hook_runs_after_a_burst(scene: Scene<'_>) {
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
    // The hook may run early, if the queue is written out while the other hook still fills it.
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

async fn the_drain_hook_does_not_run_after_a_few_messages(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    for _ in 0..10 {
        peer.hears_nothing().await;
    }
    peer.leave().await;
    stage.idle().await;
    assert_eq!(stage.count("a", "drain").await, 0);
}

/// Large messages, so that a few of them are more than any socket's buffers hold.
pub(super) const LARGE: usize = 1 << 20;
pub(super) const MANY: usize = 40;

pub(super) fn many() -> Do {
    Do::Flood {
        count: MANY,
        size: LARGE,
    }
}

fn keyed(topic: Option<&str>, key: &str, text: &str) -> Do {
    Do::Keyed {
        topic: topic.map(str::to_owned),
        key: key.to_owned(),
        text: text.to_owned(),
    }
}

async fn a_newer_message_replaces_one_with_its_key_that_waits(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let mut peer = stage.join("/", "a").await;
    let text = "between".to_owned();
    let keys = [
        keyed(None, "a", "older"),
        keyed(None, "b", "other"),
        Do::Send { text },
        keyed(None, "a", "old"),
        keyed(None, "a", "new"),
    ];
    // What a connection has taken to write it is no longer replaced.
    stage.fill(&mut peer, "a", many(), &keys).await;
    for index in 0..MANY {
        peer.hears(&Do::numbered(index, LARGE)).await;
    }
    for text in ["other", "between", "new"] {
        peer.hears(text).await;
    }
    peer.hears_nothing().await;
    assert_eq!(stage.stat("dropped").await, 0, "nothing is lost that was wanted");
    peer.perform(&[keyed(None, "a", "1")]).await;
    peer.hears("1").await;
    peer.perform(&[keyed(None, "a", "2")]).await;
    peer.hears("2").await;
}

async fn a_newer_publication_replaces_one_with_its_key_that_waits(scene: Scene<'_>) {
    let stage = scene.stage_with(roomy()).await;
    let subscribed = |who| Ask {
        topics: vec!["news".to_owned()],
        ..Ask::named(who)
    };
    let mut slow = stage.open("/", subscribed("slow")).await;
    let mut quick = stage.open("/", subscribed("quick")).await;
    stage.fill(&mut slow, "slow", many(), &[]).await;
    let mut publisher = stage.join("/", "publisher").await;
    let publish = |text: &str| Do::Publish {
        topic: "news".to_owned(),
        text: text.to_owned(),
        itself: false,
    };
    let topic = Some("news");
    publisher.perform(&[keyed(topic, "a", "oldest")]).await;
    quick.hears("oldest").await;
    for (plain, latest) in [("1", "old"), ("2", "new")] {
        publisher.perform(&[publish(plain), keyed(topic, "a", latest)]).await;
        quick.hears(plain).await;
        quick.hears(latest).await;
    }
    for index in 0..MANY {
        slow.hears(&Do::numbered(index, LARGE)).await;
    }
    for text in ["1", "2", "new"] {
        slow.hears(text).await;
    }
    slow.hears_nothing().await;
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
