//! Hooks that fail, and hooks that panic.

use serde_json::json;

use crate::{Ask, Do, Policy, Scene, Stage};

group! {
    a_failing_hook_reaches_error: [],
    a_failing_hook_closes_with_1011: [CLOSE_CODE],
    error_may_keep_the_connection: [],
    error_may_choose_the_close_code: [CLOSE_CODE],
    a_failing_open_closes_with_1011: [CLOSE_CODE],
    a_failing_open_may_be_kept: [],
    a_failing_close_reaches_error: [],
    a_failing_spawned_future_reaches_error: [],
    a_panic_reaches_error: [PANIC],
    a_panic_closes_with_1011: [PANIC, CLOSE_CODE],
    a_panic_closes_although_error_says_keep: [PANIC, CLOSE_CODE],
    a_panic_in_open_closes_with_1011: [PANIC, CLOSE_CODE],
    a_panic_in_close_is_contained: [PANIC],
    a_panic_in_a_spawned_future_closes_with_1011: [PANIC, CLOSE_CODE],
    a_panic_in_error_closes_with_1011: [PANIC, CLOSE_CODE],
    a_panic_hurts_no_other_peer: [PANIC],
    a_failure_hurts_no_other_peer: [],
}

fn fail() -> Do {
    Do::Fail {
        text: "out of ink".to_owned(),
    }
}

fn keeping(who: &str) -> Ask {
    Ask {
        on_error: Some(Policy::Keep),
        ..Ask::named(who)
    }
}

/// Asserts that the error hook of `a` got an error of this kind, once.
async fn reported(stage: &Stage, kind: &str, text: &str) {
    let error = stage.wait("a", "error").await;
    assert_eq!(error["kind"], kind);
    assert!(error["text"].as_str().unwrap().contains(text), "{error}");
    assert_eq!(stage.count("a", "error").await, 1);
}

async fn a_failing_hook_reaches_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[fail()]).await;
    reported(&stage, "Hook(Message)", "out of ink").await;
    peer.closes_at_last().await;
    stage.wait("a", "close.end").await;
    stage.idle().await;
    let story = stage.story_since_open("a").await;
    assert_eq!(story, ["message", "error", "close", "close.end"]);
}

async fn a_failing_hook_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[fail()]).await;
    let (code, reason) = peer.closes().await;
    assert_eq!(code, 1011);
    assert!(!reason.contains("ink"), "{reason}: not for the client's eyes");
    let closed = stage.wait("a", "close").await;
    assert_eq!((&closed["code"], &closed["by"]), (&1011.into(), &"Server".into()));
}

async fn error_may_keep_the_connection(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/", keeping("a")).await;
    peer.perform(&[fail()]).await;
    reported(&stage, "Hook(Message)", "out of ink").await;
    peer.hears_nothing().await;
    peer.leave().await;
}

async fn error_may_choose_the_close_code(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        on_error: Some(Policy::Close {
            code: 4555,
            reason: "refill".to_owned(),
        }),
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.perform(&[fail()]).await;
    assert_eq!(peer.closes().await, (4555, "refill".to_owned()));
}

async fn a_failing_open_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        open: vec![fail()],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    assert_eq!(peer.closes().await.0, 1011);
    reported(&stage, "Hook(Open)", "out of ink").await;
    stage.wait("a", "close.end").await;
}

async fn a_failing_open_may_be_kept(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        open: vec![fail()],
        ..keeping("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.hears_nothing().await;
    reported(&stage, "Hook(Open)", "out of ink").await;
}

async fn a_failing_close_reaches_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        close: vec![fail()],
        ..Ask::named("a")
    };
    stage.connect("/", ask).await.leave().await;
    reported(&stage, "Hook(Close)", "out of ink").await;
    stage.idle().await;
    assert_eq!(stage.count("a", "close").await, 1);
}

async fn a_failing_spawned_future_reaches_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/", keeping("a")).await;
    peer.perform(&[Do::Spawn { then: vec![fail()] }]).await;
    reported(&stage, "Hook(Task)", "out of ink").await;
    peer.hears_nothing().await;
}

async fn a_panic_reaches_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[Do::Panic]).await;
    reported(&stage, "Panic(Message)", "panicked").await;
    peer.closes_at_last().await;
    stage.wait("a", "close.end").await;
}

async fn a_panic_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[Do::Panic]).await;
    assert_eq!(peer.closes().await.0, 1011);
    stage.serves().await;
}

async fn a_panic_closes_although_error_says_keep(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/", keeping("a")).await;
    peer.perform(&[Do::Panic]).await;
    assert_eq!(peer.closes().await.0, 1011);
}

async fn a_panic_in_open_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        open: vec![Do::Panic],
        ..keeping("a")
    };
    let mut peer = stage.connect("/", ask).await;
    assert_eq!(peer.closes().await.0, 1011);
    reported(&stage, "Panic(Open)", "panicked").await;
    stage.wait("a", "close.end").await;
}

async fn a_panic_in_close_is_contained(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        close: vec![Do::Panic],
        ..Ask::named("a")
    };
    stage.connect("/", ask).await.leave().await;
    reported(&stage, "Panic(Close)", "panicked").await;
    stage.idle().await;
    assert_eq!(stage.count("a", "close").await, 1);
    assert_eq!(stage.peers(None).await, []);
    stage.serves().await;
}

async fn a_panic_in_a_spawned_future_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/", keeping("a")).await;
    let then = vec![Do::Panic];
    peer.perform(&[Do::Spawn { then }]).await;
    assert_eq!(peer.closes().await.0, 1011);
    reported(&stage, "Panic(Task)", "panicked").await;
}

async fn a_panic_in_error_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        on_error: Some(Policy::Panic),
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.perform(&[fail()]).await;
    assert_eq!(peer.closes().await.0, 1011);
    stage.wait("a", "close.end").await;
    stage.serves().await;
}

async fn a_panic_hurts_no_other_peer(scene: Scene<'_>) {
    hurts_no_other_peer(scene, Do::Panic).await;
}

async fn a_failure_hurts_no_other_peer(scene: Scene<'_>) {
    hurts_no_other_peer(scene, fail()).await;
}

async fn hurts_no_other_peer(scene: Scene<'_>, evil: Do) {
    let stage = scene.stage().await;
    let mut other = stage.join("/", "other").await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[evil]).await;
    peer.closes_at_last().await;
    stage.wait("a", "close.end").await;
    other.hears_nothing().await;
    let report = other.report().await;
    assert_eq!(report["peers"], json!([report["id"]]));
    assert_eq!(stage.count("other", "error").await, 0);
    stage.serves().await;
}
