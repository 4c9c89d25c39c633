//! The other kinds of hooks: a loop that owns the connection, and closures.

use crate::scene::both;
use serde_json::json;

use crate::{Ask, Control, Event, Frame, LONG, Scene, Stage};

group! {
    a_loop_gets_its_messages_in_order: [HANDLER],
    a_loop_that_returns_closes_with_1000: [HANDLER, CLOSE_CODE],
    a_loop_may_return_and_keep_the_connection: [HANDLER, SHARED_HUB],
    a_loop_that_fails_closes_with_1011: [HANDLER, CLOSE_CODE],
    a_loop_that_panics_closes_with_1011: [HANDLER, PANIC, CLOSE_CODE],
    a_loop_ends_when_the_client_closes: [HANDLER],
    a_loop_ends_when_the_client_vanishes: [HANDLER],
    a_loop_ends_when_the_server_closes: [HANDLER, SHARED_HUB],
    a_loop_ends_when_the_app_stops: [HANDLER, SHUTDOWN],
    a_loop_learns_how_its_connection_ended: [HANDLER, CLOSE_CODE],
    a_loop_is_told_of_a_client_that_vanishes: [HANDLER],
    a_loop_closes_with_its_own_code: [HANDLER, CLOSE_CODE],
    a_loops_guard_is_dropped_once_when_the_connection_has_ended: [HANDLER],
    a_loops_guard_is_dropped_once_when_the_client_vanishes: [HANDLER],
    a_loops_guard_is_dropped_once_when_the_app_stops: [HANDLER, SHUTDOWN],
    a_loops_cleanup_is_told_how_its_connection_ended: [HANDLER, CLOSE_CODE],
    a_token_is_cancelled_when_the_connection_ends: [HANDLER],
    a_loop_over_json_skips_what_is_none: [HANDLER, BINARY],
    without_loops_there_is_a_typed_error: [CLOSE_CODE] but not [HANDLER],
    closures_are_hooks: [],
}

async fn a_loop_gets_its_messages_in_order(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    for index in 0..50 {
        peer.say(&index.to_string()).await;
    }
    for index in 0..50 {
        peer.hears(&index.to_string()).await;
    }
}

async fn a_loop_that_returns_closes_with_1000(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("quit").await;
    assert_eq!(peer.closes().await, (1000, String::new()));
}

async fn a_loop_may_return_and_keep_the_connection(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("the loop hears this").await;
    peer.hears("the loop hears this").await;
    peer.say("keep").await;
    peer.say("this is not heard").await;
    stage.broadcast(None, "still here").await;
    peer.hears("still here").await;
    peer.leave().await;
    stage.idle().await;
}

async fn a_loop_that_fails_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("fail").await;
    assert_eq!(peer.closes().await.0, 1011);
    stage.idle().await;
    stage.serves().await;
}

async fn a_loop_that_panics_closes_with_1011(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("panic").await;
    assert_eq!(peer.closes().await.0, 1011);
    stage.idle().await;
    stage.serves().await;
}

async fn a_loop_ends_when_the_client_closes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("before").await;
    peer.hears("before").await;
    peer.leave().await;
    stage.wait("a", "loop.end").await;
    stage.idle().await;
}

async fn a_loop_ends_when_the_client_vanishes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let peer = stage.join("/handler", "a").await;
    stage.wait("a", "loop").await;
    peer.vanish();
    stage.wait("a", "loop.end").await;
    stage.idle().await;
}

async fn a_loop_ends_when_the_server_closes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    stage.wait("a", "loop").await;
    stage
        .order(Control::CloseAll {
            namespace: None,
            code: 1001,
            reason: String::new(),
        })
        .await;
    peer.closes().await;
    stage.wait("a", "loop.end").await;
    stage.idle().await;
}

async fn a_loop_ends_when_the_app_stops(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let peer = stage.join("/handler", "a").await;
    stage.wait("a", "loop").await;
    let (end, report) = both(peer.closes_and_goes(), stage.shutdown(LONG)).await;
    assert_eq!((report.forced, end.0), (0, 1012));
    stage.wait("a", "loop.end").await;
}

async fn a_loop_learns_how_its_connection_ended(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.close(4001, "bye").await;
    let closed = stage.wait("a", "loop.closed").await;
    assert_eq!(closed, json!({ "code": 4001, "by": "Client" }));
}

async fn a_loop_is_told_of_a_client_that_vanishes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let peer = stage.join("/handler", "a").await;
    stage.wait("a", "loop").await;
    peer.vanish();
    let closed = stage.wait("a", "loop.closed").await;
    assert_eq!(closed, json!({ "code": 1006, "by": "Network" }));
}

async fn a_loop_closes_with_its_own_code(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("code").await;
    assert_eq!(peer.closes().await, (4002, "own".to_owned()));
}

/// A loop that has returned, and left a guard.
async fn guarded(stage: &Stage) -> crate::Peer {
    let mut peer = stage.join("/handler", "a").await;
    peer.say("guard").await;
    peer.hears("guard").await;
    peer.say("this is not heard").await;
    assert_eq!(stage.count("a", "loop.cleanup").await, 0);
    peer
}

async fn cleaned_up(stage: &Stage) {
    stage.wait("a", "loop.cleanup").await;
    stage.idle().await;
    assert_eq!(stage.count("a", "loop.cleanup").await, 1);
}

async fn a_loops_guard_is_dropped_once_when_the_connection_has_ended(scene: Scene<'_>) {
    let stage = scene.stage().await;
    guarded(&stage).await.leave().await;
    cleaned_up(&stage).await;
}

async fn a_loops_guard_is_dropped_once_when_the_client_vanishes(scene: Scene<'_>) {
    let stage = scene.stage().await;
    guarded(&stage).await.vanish();
    cleaned_up(&stage).await;
}

async fn a_loops_guard_is_dropped_once_when_the_app_stops(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let peer = guarded(&stage).await;
    let (end, report) = both(peer.closes_and_goes(), stage.shutdown(LONG)).await;
    assert_eq!((report.forced, end.0), (0, 1012));
    stage.wait("a", "loop.cleanup").await;
    assert_eq!(stage.count("a", "loop.cleanup").await, 1);
}

async fn a_loops_cleanup_is_told_how_its_connection_ended(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("then").await;
    peer.close(4003, "").await;
    let closed = stage.wait("a", "loop.closed").await;
    assert_eq!(closed, json!({ "code": 4003, "by": "Client" }));
    stage.idle().await;
    assert_eq!(stage.count("a", "loop.closed").await, 1);
}

async fn a_token_is_cancelled_when_the_connection_ends(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/handler", "a").await;
    peer.say("token").await;
    peer.hears("token").await;
    assert_eq!(stage.count("a", "token").await, 0);
    peer.vanish();
    assert_eq!(stage.wait("a", "token").await, true);
    stage.idle().await;
}

async fn a_loop_over_json_skips_what_is_none(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/handler/json", Ask::named("a")).await;
    for text in ["{", "\"1\"", "-1", "4294967296"] {
        peer.say(text).await;
    }
    peer.send(Frame::Binary(vec![0xff])).await;
    peer.say("21").await;
    peer.hears("42").await;
}

async fn without_loops_there_is_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/handler", Ask::named("a")).await;
    assert_eq!(peer.closes().await.0, 1011);
    assert_eq!(stage.count("a", "loop").await, 0);
}

async fn closures_are_hooks(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/closures", Ask::named("a")).await;
    peer.hears("welcome").await;
    peer.say("echo").await;
    peer.hears("echo").await;
    let answer = peer.close(4000, "").await;
    assert!(matches!(answer, Event::Close(_)), "{answer:?}");
    assert_eq!(stage.wait("a", "close").await, 4000);
    assert_eq!(stage.count("a", "open").await, 1);
}
