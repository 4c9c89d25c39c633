//! Changes of a peer's context.

use std::sync::Arc;

use crossws_core::{ContextError, Hub, Upgrade, hooks};

use crate::common::{Wire, accept, join};

#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
struct Score(u32);

#[test]
fn a_context_is_updated_in_place_and_stored() {
    let hub = Hub::default();
    let wire = Wire::sleepy(4096);
    let hooks = hooks().on_upgrade(|_| async { Ok(Upgrade::new().context(Score(1))) });
    let joined = accept(&hub, &Arc::new(hooks), "/")
        .join(wire.transport())
        .unwrap();
    let peer = joined.peer();
    let result = peer.update_context(|score: &mut Score| {
        score.0 += 1;
        score.0
    });
    assert_eq!(result.unwrap(), 2);
    assert_eq!(*peer.context::<Score>().unwrap(), Score(2));
    let stored = serde_json::to_value(wire.stored().unwrap()).unwrap();
    assert_eq!(stored["c"], 2, "{stored}");
    let other = peer.update_context(|_: &mut String| ());
    assert!(matches!(other, Err(ContextError::Type { .. })), "{other:?}");
}

#[test]
fn an_update_that_was_overtaken_is_made_again() {
    let hub = Hub::default();
    let (joined, _wire) = join(&hub, &Arc::new(hooks()), "/");
    let peer = joined.peer();
    let missing = peer.update_context(|_: &mut Score| ());
    assert!(matches!(missing, Err(ContextError::Missing)));
    peer.set_context(Score(1)).unwrap();
    let mut calls = 0;
    peer.update_context(|score: &mut Score| {
        if calls == 0 {
            // It runs under no lock.
            peer.set_context(Score(10)).unwrap();
        }
        calls += 1;
        score.0 += 1;
    })
    .unwrap();
    assert_eq!((calls, &*peer.context::<Score>().unwrap()), (2, &Score(11)));
}

#[test]
fn an_update_that_is_not_stored_leaves_the_context() {
    let hub = Hub::default();
    let hooks = hooks().on_upgrade(|_| async { Ok(Upgrade::new().context("short".to_owned())) });
    let wire = Wire::sleepy(400);
    let joined = accept(&hub, &Arc::new(hooks), "/")
        .join(wire.transport())
        .unwrap();
    let peer = joined.peer();
    let result = peer.update_context(|text: &mut String| *text = "long".repeat(400));
    assert!(
        matches!(result, Err(ContextError::Persist(_))),
        "{result:?}"
    );
    assert_eq!(*peer.context::<String>().unwrap(), "short");
}
