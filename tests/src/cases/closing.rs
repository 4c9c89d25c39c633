//! The arguments of `close`, and what the client receives at the end.

use serde_json::{Value, json};

use crate::{Ask, Control, Do, Event, Frame, Scene, Stage};

group! {
    the_clients_code_and_reason_are_seen: [CLOSE_CODE],
    a_close_frame_without_a_code_is_1005: [CLOSE_CODE],
    a_client_that_vanishes_is_1006_by_the_network: [],
    our_code_and_reason_reach_the_client: [CLOSE_CODE],
    the_servers_close_is_reported_as_the_servers: [],
    a_close_from_outside_is_reported_as_the_servers: [SHARED_HUB],
    a_close_frame_of_ours_may_have_no_code: [CLOSE_CODE],
    the_clients_close_frame_is_answered: [CLOSE_CODE],
    a_code_that_must_not_be_sent_is_never_answered: [CLOSE_CODE],
    a_long_reason_is_cut_between_characters: [CLOSE_CODE],
    what_was_queued_arrives_before_the_close_frame: [],
    only_the_first_close_counts: [CLOSE_CODE],
    terminate_sends_no_close_frame: [TERMINATE],
    terminate_is_reported_as_the_servers: [TERMINATE],
    the_close_hook_can_no_longer_send: [],
}

/// Returns the arguments of `who`'s close hook.
async fn told(stage: &Stage, who: &str) -> Value {
    stage.wait(who, "close").await
}

fn close(code: u16, reason: &str) -> Do {
    Do::Close {
        code,
        reason: reason.to_owned(),
    }
}

async fn the_clients_code_and_reason_are_seen(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.close(4001, "bye — 再见").await;
    let expected = json!({ "code": 4001, "reason": "bye — 再见", "clean": true, "by": "Client" });
    assert_eq!(told(&stage, "a").await, expected);
}

async fn a_close_frame_without_a_code_is_1005(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.send(Frame::Close(None)).await;
    peer.next().await;
    let expected = json!({ "code": 1005, "reason": "", "clean": true, "by": "Client" });
    assert_eq!(told(&stage, "a").await, expected);
}

async fn a_client_that_vanishes_is_1006_by_the_network(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.hears_nothing().await;
    peer.vanish();
    let expected = json!({ "code": 1006, "reason": "", "clean": false, "by": "Network" });
    assert_eq!(told(&stage, "a").await, expected);
    assert_eq!(stage.count("a", "error").await, 0, "a loss is no error");
}

async fn our_code_and_reason_reach_the_client(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[close(4321, "enough — 够了")]).await;
    assert_eq!(peer.closes().await, (4321, "enough — 够了".to_owned()));
}

async fn the_servers_close_is_reported_as_the_servers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[close(4000, "enough")]).await;
    peer.closes_at_last().await;
    let expected = json!({ "code": 4000, "reason": "enough", "clean": true, "by": "Server" });
    assert_eq!(told(&stage, "a").await, expected);
}

async fn a_close_from_outside_is_reported_as_the_servers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let order = Control::Close {
        id: peer.id().await,
        code: 4000,
        reason: "kicked".to_owned(),
    };
    assert!(stage.found(order).await);
    assert_eq!(peer.closes_at_last().await, (4000, "kicked".to_owned()));
    let expected = json!({ "code": 4000, "reason": "kicked", "clean": true, "by": "Server" });
    assert_eq!(told(&stage, "a").await, expected);
}

async fn a_close_frame_of_ours_may_have_no_code(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[close(1005, "this is not heard")]).await;
    assert_eq!(peer.next().await, Event::Close(None));
    assert_eq!(peer.next().await, Event::End);
    let expected = json!({ "code": 1005, "reason": "", "clean": true, "by": "Server" });
    assert_eq!(told(&stage, "a").await, expected);
}

async fn the_clients_close_frame_is_answered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let Event::Close(Some((code, _))) = peer.close(4001, "bye").await else {
        panic!("not answered");
    };
    assert!(code == 4001 || code == 1000, "{code}");
}

async fn a_code_that_must_not_be_sent_is_never_answered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.send(Frame::Close(None)).await;
    let answer = peer.next().await;
    // 1005 and 1006 mean that there was no frame or code, and are never sent.
    let fine = match &answer {
        Event::Close(None) => true,
        Event::Close(Some((code, _))) => *code == 1000,
        _ => false,
    };
    assert!(fine, "{answer:?}");
    assert_eq!(peer.next().await, Event::End);
}

async fn a_long_reason_is_cut_between_characters(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[close(4000, &"é".repeat(100))]).await;
    // 123 bytes fit. A character that would cross the end is left out whole.
    assert_eq!(peer.closes().await, (4000, "é".repeat(61)));
}

async fn what_was_queued_arrives_before_the_close_frame(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let (count, size) = (100, 1000);
    peer.perform(&[Do::Flood { count, size }, close(1000, "")])
        .await;
    for index in 0..count {
        peer.hears(&Do::numbered(index, size)).await;
    }
    peer.closes().await;
}

async fn only_the_first_close_counts(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[close(4001, "first"), close(4002, "second")])
        .await;
    assert_eq!(peer.closes().await, (4001, "first".to_owned()));
    assert_eq!(told(&stage, "a").await["code"], 4001);
}

async fn terminate_sends_no_close_frame(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[Do::Terminate]).await;
    let end = peer.next().await;
    assert!(matches!(end, Event::Cut | Event::End), "{end:?}");
    stage.wait("a", "close").await;
}

async fn terminate_is_reported_as_the_servers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&[Do::Terminate]).await;
    let closed = told(&stage, "a").await;
    assert_eq!(closed["by"], "Server");
    assert_eq!(closed["clean"], false);
}

async fn the_close_hook_can_no_longer_send(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let text = "too late".to_owned();
    let topic = "news".to_owned();
    let ask = Ask {
        close: vec![Do::Send { text }, Do::State, Do::Subscribe { topic }],
        ..Ask::named("a")
    };
    stage.connect("/", ask).await.leave().await;
    let did = stage.wait_for("a", "did", 2).await;
    assert_eq!(did[0]["answer"], json!({ "closed": "too late" }));
    assert!(did[1]["answer"]["error"].is_string(), "{}", did[1]);
    assert_eq!(stage.wait("a", "state").await["state"], 3);
}
