//! The other kinds of hooks: a loop that owns the connection, and closures.

use std::time::Duration;

use crate::scene::both;
use crate::{Ask, Control, Event, Scene};

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
    peer.say("keep").await;
    peer.say("nobody hears this").await;
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
    let mut peer = stage.join("/handler", "a").await;
    stage.wait("a", "loop").await;
    let (end, report) = both(peer.closes_at_last(), stage.shutdown(Duration::from_secs(10))).await;
    assert_eq!((report.forced, end.0), (0, 1012));
    stage.wait("a", "loop.end").await;
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
