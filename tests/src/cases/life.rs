//! The order of a peer's hooks, and what the server does while one of them runs.

use crate::{Ask, Control, Do, Event, Frame, Peer, Profile, Scene, Stage};

group! {
    open_ends_before_the_first_message: [CONCURRENT_WRITE],
    a_peers_hooks_do_not_overlap: [CONCURRENT_WRITE],
    messages_keep_their_order: [],
    messages_of_slow_hooks_keep_their_order: [],
    one_peers_slow_hook_delays_no_other_peer: [],
    close_comes_once_however_the_connection_ends: [],
    close_comes_once_when_it_is_closed_from_outside: [SHARED_HUB],
    close_comes_after_the_last_message: [],
    nothing_is_delivered_after_the_server_closed: [],
    a_message_sent_before_an_await_arrives_during_it: [CONCURRENT_WRITE],
    a_publish_arrives_while_a_hook_waits: [CONCURRENT_WRITE, PUBSUB],
    a_ping_is_answered_while_a_hook_waits: [CONCURRENT_WRITE, PING],
    closed_resolves_in_a_running_hook_when_the_client_closes: [],
    closed_resolves_in_a_running_hook_when_the_client_vanishes: [],
    closed_resolves_in_a_running_hook_when_the_server_closes: [SHARED_HUB],
    closed_resolves_although_messages_are_waiting: [],
    a_closed_peer_leaves_the_lists_while_its_hook_runs: [SHARED_HUB],
    a_spawned_future_runs_while_hooks_run: [],
    a_spawned_future_ends_with_its_peer: [],
}

fn wait(gate: &str) -> Do {
    Do::Wait {
        gate: gate.to_owned(),
    }
}

fn send(text: &str) -> Do {
    Do::Send {
        text: text.to_owned(),
    }
}

fn note(text: &str) -> Do {
    Do::Note {
        text: text.to_owned(),
    }
}

/// Waits until the server has read everything that was sent, although hooks may be busy: it responds to a
/// post when its message is queued for them, and to pings in order of arrival.
async fn is_read(peer: &mut Peer) {
    if peer.client.acknowledged().await {
        return;
    }
    peer.send(Frame::Ping(b"read?".to_vec())).await;
    assert_eq!(peer.next().await, Event::Pong(b"read?".to_vec()));
}

async fn open_ends_before_the_first_message(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        open: vec![wait("gate")],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.say("hello").await;
    is_read(&mut peer).await;
    // Gives a server that delivers too early the time to do so.
    stage.serves().await;
    stage.release("gate").await;
    peer.hears("hello").await;
    let story = stage.story("a").await;
    let place = |what: &str| story.iter().position(|entry| entry == what).unwrap();
    assert!(place("open.end") < place("message"), "{story:?}");
}

async fn a_peers_hooks_do_not_overlap(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[wait("gate")]).await;
    peer.say("second").await;
    is_read(&mut peer).await;
    stage.serves().await;
    stage.release("gate").await;
    peer.hears("second").await;
    let story = stage.wait_for("a", "message.end", 2).await.len();
    assert_eq!(story, 2);
    let mut story = stage.story("a").await;
    story.retain(|entry| entry.starts_with("message"));
    assert_eq!(story, ["message", "message.end", "message", "message.end"]);
}

async fn messages_keep_their_order(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    for batch in 0..10 {
        let texts = (0..20).map(|index| format!("{batch}.{index}"));
        for text in texts.clone() {
            peer.say(&text).await;
        }
        for text in texts {
            peer.hears(&text).await;
        }
    }
}

async fn messages_of_slow_hooks_keep_their_order(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[wait("one"), send("first")]).await;
    peer.perform(&[wait("two"), send("second")]).await;
    peer.say("third").await;
    // The second hook's gate opens long before the first's.
    stage.release("two").await;
    stage.wait("a", "message").await;
    stage.serves().await;
    stage.release("one").await;
    for text in ["first", "second", "third"] {
        peer.hears(text).await;
    }
}

async fn one_peers_slow_hook_delays_no_other_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut slow = stage.join("/", "slow").await;
    slow.perform(&[wait("gate"), send("done")]).await;
    stage.wait("slow", "message").await;
    let mut quick = stage.join("/", "quick").await;
    quick.hears_nothing().await;
    stage.release("gate").await;
    slow.hears("done").await;
}

/// Joins as `who`, and ends the connection in one of the possible ways.
async fn end(stage: &Stage, who: &str) {
    let ask = Ask {
        open: vec![send("open")],
        ..Ask::named(who)
    };
    let mut peer = stage.connect("/", ask).await;
    peer.hears("open").await;
    match who {
        "by the client" => peer.leave().await,
        "without a code" => {
            peer.send(Frame::Close(None)).await;
            peer.next().await;
        }
        "vanishing" => peer.vanish(),
        "by a hook" => {
            let reason = String::new();
            peer.perform(&[Do::Close { code: 1000, reason }]).await;
            peer.closes().await;
        }
        "by both" => {
            let reason = String::new();
            peer.perform(&[Do::Close { code: 1000, reason }]).await;
            peer.send_if_alive(Frame::Close(Some((1001, String::new()))))
                .await;
            peer.next().await;
        }
        "from outside" => {
            let id = peer.id().await;
            let (code, reason) = (4000, String::new());
            stage.order(Control::Close { id, code, reason }).await;
            peer.closes().await;
        }
        "dropped" => peer.perform(&[Do::Terminate]).await,
        "by a failure" => {
            let text = String::new();
            peer.perform(&[Do::Fail { text }]).await;
            peer.closes().await;
        }
        other => panic!("no such way: {other}"),
    }
}

async fn close_comes_once_however_the_connection_ends(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ways = [
        "by the client",
        "without a code",
        "vanishing",
        "by a hook",
        "by both",
        "dropped",
        "by a failure",
    ];
    close_comes_once(&stage, &ways).await;
}

async fn close_comes_once_when_it_is_closed_from_outside(scene: Scene<'_>) {
    let stage = scene.stage().await;
    close_comes_once(&stage, &["from outside"]).await;
}

async fn close_comes_once(stage: &Stage, ways: &[&str]) {
    for who in ways {
        end(stage, who).await;
        stage.wait(who, "close").await;
    }
    stage.idle().await;
    for who in ways {
        assert_eq!(stage.count(who, "close").await, 1, "{who}");
        assert_eq!(stage.count(who, "open").await, 1, "{who}");
        assert_eq!(stage.story(who).await.last().unwrap(), "close.end", "{who}");
    }
}

async fn close_comes_after_the_last_message(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[wait("gate"), note("one")]).await;
    peer.perform(&[note("two")]).await;
    peer.send(Frame::Close(Some((1000, String::new())))).await;
    stage.wait("a", "message").await;
    stage.release("gate").await;
    peer.next().await;
    stage.wait("a", "close.end").await;
    stage.idle().await;
    let story = stage.story_since_open("a").await;
    assert_eq!(
        story,
        [
            "message", "note", "message.end", "message", "note", "message.end", "close",
            "close.end"
        ]
    );
}

async fn nothing_is_delivered_after_the_server_closed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let reason = "enough".to_owned();
    peer.perform(&[wait("gate"), Do::Close { code: 4000, reason }])
        .await;
    for _ in 0..3 {
        peer.say("too late").await;
    }
    stage.release("gate").await;
    assert_eq!(peer.closes_at_last().await, (4000, "enough".to_owned()));
    stage.wait("a", "close.end").await;
    stage.idle().await;
    assert_eq!(stage.count("a", "message").await, 1);
    assert_eq!(stage.story("a").await.last().unwrap(), "close.end");
}

async fn a_message_sent_before_an_await_arrives_during_it(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        open: vec![send("welcome"), wait("open")],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.hears("welcome").await;
    assert_eq!(stage.count("a", "open.end").await, 0);
    stage.release("open").await;
    peer.perform(&[send("before"), wait("gate"), send("after")])
        .await;
    peer.hears("before").await;
    assert_eq!(stage.count("a", "message.end").await, 0);
    stage.release("gate").await;
    peer.hears("after").await;
}

async fn a_publish_arrives_while_a_hook_waits(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        topics: vec!["news".to_owned()],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.perform(&[wait("gate"), send("done")]).await;
    stage.wait("a", "message").await;
    stage.publish(None, "news", "meanwhile").await;
    peer.hears("meanwhile").await;
    stage.release("gate").await;
    peer.hears("done").await;
}

async fn a_ping_is_answered_while_a_hook_waits(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[wait("gate"), send("done")]).await;
    stage.wait("a", "message").await;
    is_read(&mut peer).await;
    stage.release("gate").await;
    peer.hears("done").await;
}

async fn waits_for_closed(stage: &Stage) -> Peer {
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[Do::AwaitClosed]).await;
    stage.wait("a", "message").await;
    peer
}

/// Asserts that `closed` resolved while the hook was still running, and that `close` ran after it.
async fn was_told(stage: &Stage) {
    stage.wait("a", "closed").await;
    stage.wait("a", "close.end").await;
    stage.idle().await;
    let story = stage.story_since_open("a").await;
    assert_eq!(
        story,
        ["message", "closed", "message.end", "close", "close.end"]
    );
}

async fn closed_resolves_in_a_running_hook_when_the_client_closes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    waits_for_closed(&stage).await.leave().await;
    was_told(&stage).await;
}

async fn closed_resolves_in_a_running_hook_when_the_client_vanishes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    waits_for_closed(&stage).await.vanish();
    was_told(&stage).await;
}

async fn closed_resolves_in_a_running_hook_when_the_server_closes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = waits_for_closed(&stage).await;
    let order = Control::CloseAll {
        namespace: None,
        code: 1001,
        reason: String::new(),
    };
    stage.order(order).await;
    peer.closes().await;
    was_told(&stage).await;
}

async fn closed_resolves_although_messages_are_waiting(scene: Scene<'_>) {
    let profile = Profile {
        max_inbound: Some(4),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = waits_for_closed(&stage).await;
    // Fewer than the server reads ahead, so that it reads the end after them.
    for _ in 0..3 {
        peer.say("waiting").await;
    }
    peer.vanish();
    stage.wait("a", "closed").await;
}

async fn a_closed_peer_leaves_the_lists_while_its_hook_runs(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/room", "a").await;
    peer.perform(&[Do::AwaitClosed, wait("gate")]).await;
    stage.wait("a", "message").await;
    peer.vanish();
    stage.wait("a", "closed").await;
    assert_eq!(stage.peers(None).await, []);
    assert_eq!(stage.namespaces().await, [""; 0]);
    assert_eq!(stage.count("a", "close").await, 0, "the hook still runs");
    stage.release("gate").await;
    stage.wait("a", "close.end").await;
}

async fn a_spawned_future_runs_while_hooks_run(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let then = vec![wait("gate"), send("from the future")];
    peer.perform(&[Do::Spawn { then }]).await;
    peer.hears_nothing().await;
    stage.release("gate").await;
    peer.hears("from the future").await;
    stage.wait("a", "spawn.end").await;
}

async fn a_spawned_future_ends_with_its_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let then = vec![wait("never")];
    peer.perform(&[Do::Spawn { then }]).await;
    peer.hears_nothing().await;
    peer.leave().await;
    stage.wait("a", "spawn.end").await;
    let story = stage.story("a").await;
    assert_eq!(story[story.len() - 3..], ["close", "close.end", "spawn.end"]);
}
