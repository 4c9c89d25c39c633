//! Shutdown.

use std::time::Duration;

use crate::scene::both;
use crate::{Ask, Do, LONG, Report, Scene, Shutdown};

group! {
    a_shutdown_closes_peers_with_1012: [SHUTDOWN, CLOSE_CODE],
    a_shutdown_closes_peers_with_a_chosen_code: [SHUTDOWN, CLOSE_CODE],
    what_was_queued_is_flushed: [SHUTDOWN],
    close_hooks_run_and_are_waited_for: [SHUTDOWN],
    connections_that_outlive_the_grace_are_forced: [SHUTDOWN] before deadlines,
    an_idle_server_stops_at_once: [SHUTDOWN],
    a_stopping_server_accepts_no_peer: [SHUTDOWN],
}

async fn a_shutdown_closes_peers_with_1012(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let a = stage.join("/one", "a").await;
    let b = stage.join("/two", "b").await;
    let clients = both(a.closes_and_goes(), b.closes_and_goes());
    let ((a, b), report) = both(clients, stage.shutdown(LONG)).await;
    assert_eq!((a.0, b.0), (1012, 1012));
    let expected = Report {
        closed: 2,
        forced: 0,
    };
    assert_eq!(report, expected);
}

async fn a_shutdown_closes_peers_with_a_chosen_code(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let a = stage.join("/", "a").await;
    let order = Shutdown {
        frame: Some((4200, "moving house".to_owned())),
        deadline: LONG,
    };
    let (end, _) = both(a.closes_and_goes(), stage.server().shutdown(order)).await;
    assert_eq!(end, (4200, "moving house".to_owned()));
}

async fn what_was_queued_is_flushed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut a = stage.join("/", "a").await;
    let (count, size) = (500, 1000);
    a.perform(&[Do::Flood { count, size }]).await;
    stage.wait("a", "did").await;
    let client = async {
        for index in 0..count {
            a.hears(&Do::numbered(index, size)).await;
        }
        a.closes_and_goes().await.0
    };
    let (code, _) = both(client, stage.shutdown(LONG)).await;
    assert_eq!(code, 1012);
}

async fn close_hooks_run_and_are_waited_for(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        close: vec![Do::Wait {
            gate: "gate".to_owned(),
        }],
        ..Ask::named("a")
    };
    let a = stage.connect("/", ask).await;
    stage.wait("a", "open").await;
    let others = async {
        a.closes_and_goes().await;
        let closed = stage.wait("a", "close").await;
        assert_eq!((&closed["code"], &closed["by"]), (&1012.into(), &"Shutdown".into()));
        stage.release("gate").await;
    };
    let ((), report) = both(others, stage.shutdown(LONG)).await;
    assert_eq!(report.forced, 0);
    // The case does not wait here: the end of the shutdown implies that the hook has ended.
    assert_eq!(stage.count("a", "close.end").await, 1);
}

async fn connections_that_outlive_the_grace_are_forced(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        close: vec![Do::Wait {
            gate: "never".to_owned(),
        }],
        ..Ask::named("a")
    };
    let mut a = stage.connect("/", ask).await;
    stage.wait("a", "open").await;
    let deadline = Duration::from_millis(500);
    let others = async {
        a.closes_at_last().await;
        stage.wait("a", "close").await;
        stage.advance(Duration::from_millis(600)).await;
    };
    let ((), report) = both(others, stage.shutdown(deadline)).await;
    let expected = Report {
        closed: 0,
        forced: 1,
    };
    assert_eq!(report, expected);
    assert_eq!(stage.peers(None).await, []);
}

async fn an_idle_server_stops_at_once(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let expected = Report {
        closed: 0,
        forced: 0,
    };
    assert_eq!(stage.shutdown(LONG).await, expected);
}

async fn a_stopping_server_accepts_no_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        wait: Some("gate".to_owned()),
        ..Ask::named("late")
    };
    // Its upgrade begins before the shutdown, and would end after it.
    let stop = async {
        stage.wait("late", "upgrade").await;
        let release = async {
            stage.release("gate").await;
        };
        both(stage.shutdown(LONG), release).await;
    };
    let late = async {
        match stage.ask("/", ask, &[]).await {
            Err(Some(response)) => assert_eq!(response.status(), 503),
            Err(None) => {}
            Ok(late) => assert_eq!(late.closes_and_goes().await.0, 1012),
        }
    };
    both(stop, late).await;
    assert_eq!(stage.peers(None).await, []);
}
