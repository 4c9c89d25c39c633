//! Named timers and intervals of a peer.
//!
//! Times are short because targets without virtual time wait for real. A case that must do something
//! before a timer is due says so.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Ask, Do, Peer, Scene, Stage};

group! {
    a_timer_is_told_once_its_time_is_over: [EXPIRY] before deadlines,
    timers_are_told_in_the_order_of_their_times: [EXPIRY] before deadlines,
    a_timer_that_is_set_again_is_replaced: [EXPIRY] before deadlines,
    the_hook_of_a_cleared_timer_does_not_run: [EXPIRY] before deadlines,
    a_timer_may_set_itself_again: [EXPIRY],
    a_timer_waits_for_the_hook_that_runs: [EXPIRY],
    a_timer_that_was_due_while_a_hook_ran_may_be_cleared_by_it: [EXPIRY],
    a_timer_that_fails_reaches_error: [EXPIRY, CLOSE_CODE],
    the_end_of_the_connection_clears_its_timers: [EXPIRY] before deadlines,
    timers_are_bounded_in_number: [EXPIRY],
    each_peer_has_its_own_timers: [EXPIRY, SHARED_HUB],
    an_interval_ticks_until_the_connection_ends: [EXPIRY] in memory before deadlines,
}

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn set(name: &str, millis: u64) -> Do {
    let name = name.to_owned();
    Do::SetTimer { name, millis }
}

fn clear(name: &str) -> Do {
    let name = name.to_owned();
    Do::ClearTimer { name }
}

/// Does this, and waits until it was done.
async fn performs(stage: &Stage, peer: &mut Peer, script: &[Do]) {
    let done = stage.count(&peer.who, "message.end").await;
    peer.perform(script).await;
    stage.wait_for(&peer.who, "message.end", done + 1).await;
}

async fn a_timer_is_told_once_its_time_is_over(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    performs(&stage, &mut peer, &[set("typing", 300)]).await;
    assert_eq!(stage.count("a", "timer").await, 0);
    stage.advance(ms(400)).await;
    peer.hears("timer typing").await;
    assert_eq!(stage.wait("a", "timer").await, "typing");
    stage.advance(ms(400)).await;
    peer.hears_nothing().await;
    assert_eq!(stage.count("a", "timer").await, 1);
}

async fn timers_are_told_in_the_order_of_their_times(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    performs(&stage, &mut peer, &[set("c", 400), set("a", 200), set("b", 300)]).await;
    stage.advance(ms(500)).await;
    for name in ["timer a", "timer b", "timer c"] {
        peer.hears(name).await;
    }
    peer.hears_nothing().await;
}

async fn a_timer_that_is_set_again_is_replaced(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let script = [set("later", 1000), set("sooner", 60_000), set("other", 1100)];
    performs(&stage, &mut peer, &script).await;
    performs(&stage, &mut peer, &[set("later", 60_000), set("sooner", 1200)]).await;
    stage.advance(ms(1400)).await;
    peer.hears("timer other").await;
    peer.hears("timer sooner").await;
    peer.hears_nothing().await;
}

async fn the_hook_of_a_cleared_timer_does_not_run(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    performs(&stage, &mut peer, &[set("gone", 1000), set("kept", 1100)]).await;
    performs(&stage, &mut peer, &[clear("gone"), clear("gone"), clear("unknown")]).await;
    let did = stage.wait_for("a", "did", 5).await;
    let cleared: Vec<_> = did[2..].iter().map(|did| &did["answer"]).collect();
    assert_eq!(cleared, [&json!(true), &json!(false), &json!(false)]);
    stage.advance(ms(1300)).await;
    peer.hears("timer kept").await;
    peer.hears_nothing().await;
}

async fn a_timer_may_set_itself_again(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    // The probe does what a timer's name says.
    let again = Do::script(&[set("second", 200)]);
    performs(&stage, &mut peer, &[set(&again, 200)]).await;
    stage.advance(ms(300)).await;
    stage.wait("a", "timer.end").await;
    stage.advance(ms(300)).await;
    peer.hears("timer second").await;
}

async fn a_timer_waits_for_the_hook_that_runs(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let gate = "gate".to_owned();
    peer.perform(&[set("typing", 200), Do::Wait { gate }]).await;
    stage.wait("a", "did").await;
    stage.advance(ms(400)).await;
    assert_eq!(stage.count("a", "timer").await, 0);
    stage.release("gate").await;
    peer.hears("timer typing").await;
    stage.wait("a", "timer.end").await;
    let story = stage.story_since_open("a").await;
    assert_eq!(story, ["message", "did", "message.end", "timer", "timer.end"]);
}

async fn a_timer_that_was_due_while_a_hook_ran_may_be_cleared_by_it(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let gate = "gate".to_owned();
    let script = [set("typing", 200), Do::Wait { gate }, clear("typing")];
    peer.perform(&script).await;
    stage.wait("a", "did").await;
    stage.advance(ms(400)).await;
    stage.release("gate").await;
    let did = stage.wait_for("a", "did", 2).await;
    assert_eq!(did[1]["answer"], true);
    peer.hears_nothing().await;
    assert_eq!(stage.count("a", "timer").await, 0);
}

async fn a_timer_that_fails_reaches_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let text = "a broken timer".to_owned();
    performs(&stage, &mut peer, &[set(&Do::script(&[Do::Fail { text }]), 200)]).await;
    stage.advance(ms(300)).await;
    assert_eq!(peer.closes_at_last().await.0, 1011);
    let error = stage.wait("a", "error").await;
    assert_eq!(error["kind"], "Hook(Timer)");
}

async fn the_end_of_the_connection_clears_its_timers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    performs(&stage, &mut peer, &[set("typing", 300)]).await;
    peer.leave().await;
    stage.wait("a", "close.end").await;
    stage.advance(ms(500)).await;
    stage.idle().await;
    assert_eq!(stage.count("a", "timer").await, 0);
}

async fn timers_are_bounded_in_number(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let most = crossws_core::Limits::default().max_timers.get();
    let mut script: Vec<_> = (0..=most).map(|n| set(&n.to_string(), 60_000)).collect();
    script.push(set("0", 60_000));
    performs(&stage, &mut peer, &script).await;
    let did = stage.wait_for("a", "did", most + 2).await;
    let refused = json!({ "error": format!("TooMany({most})") });
    assert_eq!(did[most - 1]["answer"], Value::Null);
    assert_eq!(did[most]["answer"], refused);
    assert_eq!(did[most + 1]["answer"], Value::Null, "it was set before");
}

async fn each_peer_has_its_own_timers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut ann = stage.join("/", "a").await;
    let mut bob = stage.join("/", "b").await;
    performs(&stage, &mut ann, &[set("typing", 200)]).await;
    performs(&stage, &mut bob, &[set("typing", 60_000), clear("typing")]).await;
    stage.advance(ms(300)).await;
    ann.hears("timer typing").await;
    bob.hears_nothing().await;
    assert_eq!(stage.count("b", "timer").await, 0);
}

async fn an_interval_ticks_until_the_connection_ends(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/", Ask::named("a")).await;
    stage.wait("a", "open.end").await;
    peer.perform(&[Do::Ticks { millis: 200 }]).await;
    stage.wait("a", "message").await;
    for tick in 1..=3 {
        stage.advance(ms(200)).await;
        peer.hears(&format!("tick {tick}")).await;
    }
    peer.leave().await;
    stage.wait("a", "ticks.end").await;
    stage.idle().await;
}
