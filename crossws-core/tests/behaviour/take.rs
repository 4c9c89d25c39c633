//! Upgrades that pass the connection's stream to other code.

use std::sync::Arc;

use crossws_core::adapter::{ClaimError, FromConnection};
use crossws_core::{CloseCode, Hub, Unsupported, Upgrade, hooks};
use futures_lite::future::block_on;

use crate::common::{Log, Wire, assert_empty, request};

struct Stream;

impl FromConnection for Stream {
    type Connection = u8;

    fn from_connection(_: u8) -> Self {
        Self
    }
}

#[test]
fn a_stream_is_taken_where_the_adapter_has_it() {
    let log = Log::default();
    let seen = log.clone();
    let hooks = Arc::new(hooks().on_upgrade(move |_| {
        let seen = seen.clone();
        let taken = Upgrade::take(|_: Stream| async move { seen.add("taken") });
        std::future::ready(Ok(taken.context("of no peer".to_owned())))
    }));
    let hub = Hub::default();
    let claim = || block_on(hub.claim(&hooks, request("/"))).unwrap();

    let mut accepted = block_on(claim().with_raw_streams::<u8>().upgrade()).unwrap();
    assert!(accepted.taken::<u16>().is_none());
    let taken = accepted.taken::<u8>().unwrap();
    assert!(accepted.taken::<u8>().is_none());
    drop(accepted);
    assert_eq!(hub.stats().sessions, 1);
    block_on(taken.run(1));
    assert_eq!(log.take(), ["taken"]);
    assert_empty(&hub);

    // Others refuse it before they answer.
    for claim in [claim(), claim().with_raw_streams::<u16>()] {
        let Err(ClaimError::Rejected(rejection)) = block_on(claim.upgrade()) else {
            panic!("accepted");
        };
        assert_eq!(rejection.status(), 500);
        let error = rejection.source().unwrap();
        assert!(error.to_string().contains("Stream"), "{error}");
        assert!(error.source().unwrap().is::<Unsupported>());
    }
    assert_empty(&hub);
}

#[test]
fn a_stream_that_was_offered_and_not_given_makes_no_peer() {
    let hooks = Arc::new(hooks().on_upgrade(|_| async { Ok(Upgrade::take(|_: Stream| async {})) }));
    let hub = Hub::default();
    let claim = block_on(hub.claim(&hooks, request("/"))).unwrap();
    let accepted = block_on(claim.with_raw_streams::<u8>().upgrade()).unwrap();
    let frame = accepted.join(Wire::default().transport()).unwrap_err();
    assert_eq!(frame.code(), CloseCode::ERROR);
    assert_empty(&hub);
}
