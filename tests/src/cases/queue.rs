//! Messages that wait for a client that reads slowly, or not at all.

use std::time::Duration;

use crate::{Ask, Do, Event, Peer, Profile, Scene, Stage};

group! {
    what_is_queued_is_counted: [DRAIN],
    each_byte_on_the_wire_counts_and_no_other: [DRAIN],
    drained_waits_for_the_client: [DRAIN],
    drained_ends_at_once_with_an_empty_queue: [DRAIN],
    drained_ends_early_when_the_peer_closes: [DRAIN],
    the_drain_hook_runs_after_a_burst: [DRAIN],
    the_drain_hook_does_not_run_after_a_few_messages: [DRAIN],
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
    a_newer_message_replaces_one_with_its_key_that_waits: [DRAIN],
    a_newer_publication_replaces_one_with_its_key_that_waits: [DRAIN, PUBSUB],
    a_message_over_the_limit_is_closed_with_1009: [CLOSE_CODE],
    a_message_of_the_limits_size_is_taken: [],
    a_flood_of_pings_is_closed_with_1008: [PING, CLOSE_CODE],
}

/// More than any socket's buffers hold, so that some of it stays in the outbound queue.
const PLENTY: usize = 16 << 20;

/// Queues of up to 64 MiB: a client that does not read fills them, without reaching a limit.
fn roomy() -> Profile {
    Profile {
        max_buffered: Some(64 << 20),
        max_queued: Some(1 << 20),
        no_pings: true,
        ..Profile::default()
    }
}

/// Enough messages of 64 KiB to make up `PLENTY`.
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

/// Large messages, so that a few of them are more than any socket's buffers hold.
const LARGE: usize = 1 << 20;
const MANY: usize = 40;

fn many() -> Do {
    Do::Flood {
        count: MANY,
        size: LARGE,
    }
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
            close_timeout: Some(Duration::from_secs(60)),
            overflow: Some(policy.to_owned()),
            ..roomy()
        };
        let stage = scene.stage_with(profile).await;
        let mut peer = stage.join("/", "a").await;
        peer.perform(&[many()]).await;
        stage.wait("a", "did").await;
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
