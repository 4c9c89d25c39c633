//! What a peer knows of what has passed over its connection.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::{Do, Event, Frame, Scene};

group! {
    what_passes_is_counted: [] in memory,
    publications_are_counted_as_what_is_sent: [PUBSUB] in memory,
    a_round_trip_is_measured: [PING],
    without_pings_there_is_no_round_trip: [] but not [PING],
}

fn count(report: &Value, way: &str) -> [u64; 2] {
    let count = report["stats"][way].as_array().unwrap();
    [count[0].as_u64().unwrap(), count[1].as_u64().unwrap()]
}

/// How much more the second report counts.
fn passed(before: &Value, after: &Value, way: &str) -> [u64; 2] {
    let (before, after) = (count(before, way), count(after, way));
    [after[0] - before[0], after[1] - before[1]]
}

async fn what_passes_is_counted(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let before = peer.report().await;
    assert_eq!(before["stats"]["counts"], true);
    for _ in 0..3 {
        peer.say("0123456789").await;
        peer.hears("0123456789").await;
    }
    let after = peer.report().await;
    // The commands that asked for the reports are messages too, and so are the reports.
    let [messages, bytes] = passed(&before, &after, "received");
    assert_eq!(messages, 4);
    assert_eq!(bytes, 30 + Do::script(&[Do::Report]).len() as u64);
    let [messages, bytes] = passed(&before, &after, "sent");
    assert_eq!(messages, 4);
    // With the headers of frames or without.
    let report = before.to_string().len() as u64;
    assert!((30 + report / 2..30 + report * 2).contains(&bytes), "{bytes}");
}

async fn publications_are_counted_as_what_is_sent(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let topic = "news".to_owned();
    peer.perform(&[Do::Subscribe { topic }]).await;
    let before = peer.report().await;
    for text in ["one", "two", "three"] {
        stage.publish(Some("/"), "news", text).await;
    }
    for text in ["one", "two", "three"] {
        peer.hears(text).await;
    }
    let after = peer.report().await;
    assert_eq!(passed(&before, &after, "sent")[0], 4);
    assert_eq!(passed(&before, &after, "received")[0], 1);
}

async fn a_round_trip_is_measured(scene: Scene<'_>) {
    const TRIP: Duration = Duration::from_millis(30);
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    assert_eq!(peer.report().await["stats"]["rtt_micros"], Value::Null);
    let data = "are you there?".to_owned();
    let began = Instant::now();
    peer.perform(&[Do::Ping { data: data.clone() }]).await;
    assert_eq!(peer.next().await, Event::Ping(data.clone().into()));
    // Another answer is none.
    peer.send(Frame::Pong(b"unasked".to_vec())).await;
    stage.wait("a", "pong").await;
    assert_eq!(peer.report().await["stats"]["rtt_micros"], Value::Null);
    stage.advance(TRIP).await;
    peer.send(Frame::Pong(data.into())).await;
    stage.wait_for("a", "pong", 2).await;
    // What the trip took at most. Where time is virtual, it took the time that was let pass.
    let most = began.elapsed().max(TRIP);
    let measured = peer.report().await["stats"]["rtt_micros"].as_u64().unwrap();
    let measured = Duration::from_micros(measured);
    assert!((TRIP..=most).contains(&measured), "{measured:?} of {most:?}");
}

async fn without_pings_there_is_no_round_trip(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.hears_nothing().await;
    assert_eq!(peer.report().await["stats"]["rtt_micros"], Value::Null);
}
