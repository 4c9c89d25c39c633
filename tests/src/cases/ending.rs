//! What a connection leaves to be done at its end.

use crate::{Do, Scene, Stage};

group! {
    what_is_left_for_the_end_runs_once_after_close: [] but not [HIBERNATION],
    however_a_connection_ends_its_cleanups_run: [TERMINATE] but not [HIBERNATION],
    where_a_connection_outlives_its_memory_that_is_an_error: [HIBERNATION],
}

fn leave(text: &str) -> [Do; 2] {
    let held = format!("held {text}");
    let text = text.to_owned();
    [Do::OnClose { text }, Do::Hold { text: held }]
}

/// The end of the peer's story: its `close` hook, and what was cleaned up.
async fn cleaned_up(stage: &Stage, who: &str, count: usize) -> Vec<String> {
    stage.wait_for(who, "cleanup", count).await;
    let entries = stage.entries(who).await.into_iter();
    let entries = entries.filter(|entry| matches!(&*entry.what, "close.end" | "cleanup"));
    let tell = |entry: crate::Entry| entry.detail.as_str().unwrap_or("closed").to_owned();
    entries.map(tell).collect()
}

async fn what_is_left_for_the_end_runs_once_after_close(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&leave("first")).await;
    peer.perform(&leave("second")).await;
    peer.hears_nothing().await;
    assert_eq!(stage.count("a", "cleanup").await, 0);
    peer.leave().await;
    assert_eq!(
        cleaned_up(&stage, "a", 4).await,
        ["closed", "held second", "second", "held first", "first"]
    );
    stage.serves().await;
    assert_eq!(stage.count("a", "cleanup").await, 4);
}

async fn however_a_connection_ends_its_cleanups_run(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let reason = String::new();
    let ends = [
        Some(Do::Close { code: 1000, reason }),
        Some(Do::Terminate),
        Some(Do::Fail { text: "broken".to_owned() }),
        None,
    ];
    for (index, end) in ends.into_iter().enumerate() {
        let who = format!("peer {index}");
        let mut peer = stage.join("/", &who).await;
        peer.perform(&leave("left")).await;
        peer.hears_nothing().await;
        match end {
            Some(end) => {
                let closes = !matches!(end, Do::Terminate);
                peer.perform(&[end]).await;
                if closes {
                    peer.closes().await;
                }
            }
            None => peer.vanish(),
        }
        let cleaned = cleaned_up(&stage, &who, 2).await;
        assert_eq!(cleaned, ["closed", "held left", "left"]);
    }
}

async fn where_a_connection_outlives_its_memory_that_is_an_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.perform(&leave("first")).await;
    let did = stage.wait_for("a", "did", 2).await;
    for did in did {
        assert_eq!(did["answer"]["error"], "Unsupported");
    }
}
