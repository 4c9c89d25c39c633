//! The deadlines of a connection.
//!
//! The times are short because targets without virtual time wait for real. A case whose client must do
//! something before its connection's time is over says so.

use std::time::Duration;

use serde_json::Value;

use crate::{Ask, Do, Event, Frame, Peer, Profile, Scene, Stage};

group! {
    the_heartbeat_pings: [HEARTBEAT],
    a_client_that_answers_is_kept: [HEARTBEAT] before deadlines,
    anything_from_the_client_counts_as_an_answer: [HEARTBEAT] before deadlines,
    a_silent_client_is_a_timeout: [HEARTBEAT],
    a_silent_client_is_a_timeout_although_a_hook_runs: [HEARTBEAT],
    without_pings_idleness_is_a_timeout: [] before deadlines,
    a_longest_life_ends_with_1012: [CLOSE_CODE],
    credentials_that_end_close_with_4401: [EXPIRY, CLOSE_CODE] before deadlines,
    a_peer_whose_credentials_expired_is_not_listed: [EXPIRY, SHARED_HUB] before deadlines,
    credentials_end_although_a_hook_runs: [EXPIRY, CLOSE_CODE] before deadlines,
    renewed_credentials_keep_the_connection: [EXPIRY, CLOSE_CODE] before deadlines,
    credentials_may_be_made_to_end_sooner: [EXPIRY, CLOSE_CODE],
    credentials_that_have_ended_reach_no_hook: [EXPIRY, CLOSE_CODE],
    a_client_that_never_answers_the_close_is_dropped: [CLOSE_CODE] on sockets,
    a_queue_that_does_not_move_is_closed: [DRAIN],
}

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn beating() -> Profile {
    Profile {
        ping_interval: Some(ms(200)),
        pong_timeout: Some(ms(300)),
        close_timeout: Some(ms(300)),
        ..Profile::default()
    }
}

async fn the_heartbeat_pings(scene: Scene<'_>) {
    let stage = scene.stage_with(beating()).await;
    let mut peer = stage.join("/", "a").await;
    stage.advance(ms(250)).await;
    let ping = peer.next().await;
    assert!(matches!(ping, Event::Ping(_)), "{ping:?}");
}

async fn a_client_that_answers_is_kept(scene: Scene<'_>) {
    let stage = scene.stage_with(beating()).await;
    let mut peer = stage.join("/", "a").await;
    for _ in 0..5 {
        stage.advance(ms(225)).await;
        let Event::Ping(data) = peer.next().await else {
            panic!("no ping");
        };
        peer.send(Frame::Pong(data)).await;
    }
    assert_eq!(stage.peers(None).await.len(), 1);
    assert_eq!(stage.count("a", "close").await, 0);
}

async fn anything_from_the_client_counts_as_an_answer(scene: Scene<'_>) {
    let stage = scene.stage_with(beating()).await;
    let mut peer = stage.join("/", "a").await;
    for _ in 0..10 {
        stage.advance(ms(100)).await;
        peer.say("I am here").await;
    }
    assert_eq!(stage.count("a", "close").await, 0);
    assert_eq!(stage.peers(None).await.len(), 1);
}

/// Lets enough time pass that a silent client and its close both time out.
async fn long_enough(stage: &crate::Stage) {
    stage.advance(ms(1500)).await;
}

async fn a_silent_client_is_a_timeout(scene: Scene<'_>) {
    let stage = scene.stage_with(beating()).await;
    let _peer = stage.join("/", "a").await;
    long_enough(&stage).await;
    let closed = stage.wait("a", "close").await;
    assert_eq!(closed["by"], "Timeout");
    assert_eq!(closed["clean"], false);
    assert_eq!(stage.peers(None).await, []);
}

async fn a_silent_client_is_a_timeout_although_a_hook_runs(scene: Scene<'_>) {
    let stage = scene.stage_with(beating()).await;
    // From the beginning, so that no message must arrive before the time is over.
    let ask = Ask {
        open: vec![Do::AwaitClosed],
        ..Ask::named("a")
    };
    let _peer = stage.connect("/", ask).await;
    stage.wait("a", "open").await;
    long_enough(&stage).await;
    stage.wait("a", "closed").await;
    assert_eq!(stage.wait("a", "close").await["by"], "Timeout");
}

async fn without_pings_idleness_is_a_timeout(scene: Scene<'_>) {
    let profile = Profile {
        idle_timeout: Some(ms(500)),
        close_timeout: Some(ms(300)),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    for _ in 0..4 {
        stage.advance(ms(200)).await;
        peer.hears_nothing().await;
    }
    assert_eq!(stage.count("a", "close").await, 0);
    long_enough(&stage).await;
    assert_eq!(stage.wait("a", "close").await["by"], "Timeout");
}

async fn a_longest_life_ends_with_1012(scene: Scene<'_>) {
    let profile = Profile {
        max_lifetime: Some(ms(300)),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    stage.advance(ms(400)).await;
    assert_eq!(peer.closes_at_last().await.0, 1012);
    stage.wait("a", "close.end").await;
}

/// Joins a peer whose credentials expire after this many milliseconds.
async fn expiring(stage: &Stage, millis: u64) -> Peer {
    let ask = Ask {
        expires: Some(millis),
        ..Ask::named("a")
    };
    stage.connect("/", ask).await
}

async fn credentials_that_end_close_with_4401(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = expiring(&stage, 1000).await;
    stage.advance(ms(1100)).await;
    assert_eq!(peer.closes_at_last().await.0, 4401);
    let closed = stage.wait("a", "close").await;
    assert_eq!((&closed["code"], &closed["by"]), (&4401.into(), &"Timeout".into()));
}

async fn a_peer_whose_credentials_expired_is_not_listed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = expiring(&stage, 1000).await;
    stage.advance(ms(1100)).await;
    peer.closes_at_last().await;
    stage.wait("a", "close").await;
    assert_eq!(stage.peers(None).await, []);
}

async fn credentials_end_although_a_hook_runs(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = expiring(&stage, 1000).await;
    peer.perform(&[Do::AwaitClosed]).await;
    stage.wait("a", "message").await;
    stage.advance(ms(1100)).await;
    assert_eq!(peer.closes_at_last().await.0, 4401);
    stage.wait("a", "closed").await;
}

async fn renewed_credentials_keep_the_connection(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = expiring(&stage, 1000).await;
    peer.perform(&[Do::Renew { millis: 60_000 }]).await;
    peer.hears_nothing().await;
    assert_eq!(stage.wait("a", "did").await["answer"], Value::Null);
    stage.advance(ms(1300)).await;
    peer.hears_nothing().await;
    assert_eq!(stage.count("a", "close").await, 0);
}

async fn credentials_may_be_made_to_end_sooner(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = expiring(&stage, 3_600_000).await;
    peer.perform(&[Do::Renew { millis: 200 }]).await;
    stage.wait("a", "did").await;
    stage.advance(ms(300)).await;
    assert_eq!(peer.closes_at_last().await.0, 4401);
}

async fn credentials_that_have_ended_reach_no_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = expiring(&stage, 0).await;
    assert_eq!(peer.closes_at_last().await.0, 4401);
    stage.idle().await;
    let story = stage.story("a").await;
    assert!(!story.iter().any(|what| what == "open" || what == "close"), "{story:?}");
}

async fn a_client_that_never_answers_the_close_is_dropped(scene: Scene<'_>) {
    let profile = Profile {
        close_timeout: Some(ms(300)),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    let (code, reason) = (4000, String::new());
    peer.perform(&[Do::Close { code, reason }]).await;
    stage.wait("a", "message.end").await;
    stage.advance(ms(500)).await;
    let closed = stage.wait("a", "close").await;
    assert_eq!((&closed["code"], &closed["clean"]), (&4000.into(), &false.into()));
}

async fn a_queue_that_does_not_move_is_closed(scene: Scene<'_>) {
    let profile = Profile {
        max_buffered: Some(64 << 20),
        max_queue_age: Some(ms(300)),
        close_timeout: Some(ms(300)),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    let (count, size) = (256, 1 << 16);
    peer.perform(&[Do::Flood { count, size }]).await;
    stage.wait("a", "did").await;
    stage.advance(ms(1500)).await;
    assert_eq!(stage.wait("a", "close").await["code"], 1013);
}
