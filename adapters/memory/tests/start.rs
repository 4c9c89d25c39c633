//! The beginning of an application.

// Tests state what must hold; their helpers too.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Gate, Log, block_on};
use crossws_core::hooks;
use crossws_memory::TestServer;
use futures_lite::future::poll_once;

#[test]
fn no_upgrade_begins_before_the_start_hook_has_ended() {
    block_on(async {
        let (log, gate) = (Log::default(), Gate::default());
        let (starts, opens, holds) = (log.clone(), log.clone(), gate.clone());
        let server = TestServer::new(
            hooks()
                .on_start(move |hub| {
                    starts.add(format!("start {}", hub.stats().accepted));
                    let holds = holds.clone();
                    async move { holds.passed().await }
                })
                .on_open(move |_| {
                    opens.add("open");
                    async {}
                }),
        );
        let mut connects = Box::pin(server.connect("/").into_future());
        assert!(poll_once(&mut connects).await.is_none());
        assert_eq!(log.take(), ["start 0"]);
        gate.open();
        let _client = connects.await.unwrap();
        let _other = server.connect("/").await.unwrap();
        assert_eq!(log.take(), ["open", "open"], "it starts once");
    });
}

#[test]
fn a_server_that_has_not_started_refuses_with_503() {
    block_on(async {
        let server =
            TestServer::new(hooks().on_start(|_| async { Err::<(), _>("no database here") }));
        let refusal = server.connect("/").await.unwrap_err();
        assert_eq!(refusal.status(), 503);
        assert_eq!(refusal.response().body(), "the server has not started");
    });
}
