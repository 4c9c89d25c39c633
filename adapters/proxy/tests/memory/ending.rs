use std::time::Duration;

use crossws_core::{CloseCode, CloseFrame, Limits, Message, Shutdown, hooks};
use crossws_memory::TestServer;
use crossws_proxy::Proxy;
use futures_lite::future::{block_on, zip};

use crate::{Log, echo, logged, proxy_to, small, through};

/// Closes with the code and the reason that a message says.
fn closes() -> impl crossws_core::Hooks {
    hooks().on_message(|peer, message: Message| async move {
        let text = message.text()?;
        match text {
            "none" => peer.close_frame(CloseFrame::without_code()),
            "drop" => peer.terminate(),
            code => {
                peer.send("last words")?;
                peer.close(
                    CloseCode::try_from(code.parse::<u16>()?)?,
                    "upstream's reason",
                );
            }
        }
        crossws_core::ok()
    })
}

#[test]
fn the_upstreams_close_reaches_the_client() {
    block_on(async {
        let cases = [
            ("4321", 4321, "upstream's reason", "Upstream opened 4321"),
            ("1000", 1000, "upstream's reason", "Upstream opened 1000"),
            ("1012", 1012, "upstream's reason", "Upstream opened 1012"),
            ("none", 1005, "", "Upstream opened 1005"),
            ("drop", 1014, "the upstream is lost", "Upstream opened 1006"),
        ];
        for (order, code, reason, ended) in cases {
            let log = Log::default();
            let (_upstream, proxy) = proxy_to(closes());
            let server = TestServer::new(logged(proxy, &log));
            let mut client = server.connect("/").await.unwrap();
            client.send(order).unwrap();
            if reason == "upstream's reason" {
                client.expect("last words").await;
            }
            let closed = client.closed().await;
            assert_eq!((closed.code, &*closed.reason), (code, reason), "{order}");
            server.settle().await;
            assert_eq!(log.take(), ["connect", "open", ended]);
        }
    });
}

#[test]
fn the_clients_close_reaches_the_upstream_after_its_messages() {
    type Leave = fn(&mut crossws_memory::Client);
    let cases: [(Leave, &str, &str); 4] = [
        (
            |client| client.close(CloseCode::new(4001).unwrap(), "bye"),
            "4001 bye",
            "Client opened 4001",
        ),
        (
            |client| client.close(CloseCode::NORMAL, ""),
            "1000 ",
            "Client opened 1000",
        ),
        (
            |client| client.close_without_code(),
            "1005 ",
            "Client opened 1005",
        ),
        (|client| client.vanish(), "1001 ", "Client opened 1006"),
    ];
    block_on(async {
        for (leave, heard, ended) in cases {
            let log = Log::default();
            let (got, left) = (log.clone(), log.clone());
            let counts = hooks()
                .on_message(move |_, message: Message| {
                    got.add(message.to_string());
                    async {}
                })
                .on_close(move |_, closed| {
                    left.add(format!("{} {}", closed.code, closed.reason));
                    async {}
                });
            let (_upstream, proxy) = proxy_to(counts);
            let server = TestServer::new(logged(proxy, &log));
            let mut client = server.connect("/").await.unwrap();
            server.settle().await;
            client.send("one").unwrap();
            client.send("two").unwrap();
            leave(&mut client);
            server.settle().await;
            assert_eq!(log.take(), ["connect", "open", "one", "two", heard, ended]);
        }
    });
}

#[test]
fn a_shutdown_of_the_proxy_closes_both_sides() {
    block_on(async {
        let log = Log::default();
        let (_upstream, proxy) = proxy_to(echo(&log));
        let server = TestServer::new(logged(proxy, &log));
        let mut client = server.connect("/").await.unwrap();
        client.expect("hello").await;
        let shutdown = server.shutdown(Shutdown::default());
        let report = server.drive(shutdown).await;
        assert_eq!(report.forced, 0);
        assert_eq!(client.closed().await.code, 1012);
        assert_eq!(
            log.take(),
            ["connect", "open", "1001 ", "Server opened 1012"]
        );
    });
}

#[test]
fn an_upstream_that_is_not_reached_after_the_upgrade_closes_with_1014() {
    block_on(async {
        const TIMEOUT: Duration = Duration::from_secs(2);
        // And another code, for clients that know no 1014.
        for code in [1014, 1011] {
            let log = Log::default();
            let (upstream, proxy) = proxy_to(hooks().on_upgrade(|_| std::future::pending()));
            let proxy = logged(proxy, &log).upgrade_first().connect_timeout(TIMEOUT);
            let server = TestServer::new(match code {
                1014 => proxy,
                code => proxy.failed_with(CloseCode::try_from(code).unwrap()),
            });
            let mut client = server.connect("/").await.unwrap();
            let (closed, ()) = zip(client.closed(), upstream.advance(TIMEOUT)).await;
            let expected = (code, "the upstream did not answer in time");
            assert_eq!((closed.code, &*closed.reason), expected);
            server.settle().await;
            assert_eq!(log.take(), ["connect", "Upstream unopened 1006"]);
        }
    });
}

#[test]
fn a_client_that_leaves_while_the_upstream_opens_ends_both() {
    block_on(async {
        let log = Log::default();
        let (upstream, proxy) = proxy_to(hooks().on_upgrade(|_| std::future::pending()));
        let server = TestServer::new(logged(proxy, &log).upgrade_first());
        let mut client = server.connect("/").await.unwrap();
        client.send("lost").unwrap();
        client.close(CloseCode::NORMAL, "");
        client.closed().await;
        server.settle().await;
        assert_eq!(log.take(), ["connect", "Client unopened 1000"]);
        assert_eq!(upstream.hub().peers().len(), 0);
    });
}

/// Its message waits in a hook until the upstream takes what was sent before.
#[test]
fn a_client_that_leaves_an_upstream_that_does_not_read_ends_both() {
    type Leave = fn(&mut crossws_memory::Client);
    let cases: [(Leave, &str); 2] = [
        (
            |client| client.close(CloseCode::NORMAL, ""),
            "Client opened 1000",
        ),
        (|client| client.vanish(), "Client opened 1006"),
    ];
    block_on(async {
        for (leave, ended) in cases {
            let log = Log::default();
            let stuck = hooks().on_message(|_, _| std::future::pending::<()>());
            let upstream = TestServer::builder(stuck).limits(Limits::default().max_inbound(1));
            let upstream = upstream.build();
            let proxy = logged(Proxy::to("ws://upstream/"), &log).limits(small());
            let server = TestServer::new(through(&upstream, proxy));
            let mut client = server.connect("/").await.unwrap();
            for _ in 0..100 {
                client.send("12345678").unwrap();
                server.settle().await;
            }
            leave(&mut client);
            server.settle().await;
            assert_eq!(server.hub().stats().sessions, 1, "it waits");
            let time = server.hub().limits().close_timeout;
            // The upstream's connection has its own clock, on which the server is late.
            server.advance(time).await;
            for _ in 0..2 {
                upstream.advance(2 * time).await;
                server.settle().await;
            }
            assert_eq!(server.hub().stats().sessions, 0);
            assert_eq!(log.take(), ["connect", "open", ended]);
        }
    });
}

#[test]
fn a_client_that_outer_hooks_do_not_open_ends_its_upstream() {
    struct Fails<H>(H);
    impl<H: crossws_core::Hooks> crossws_core::Wrap for Fails<H> {
        type Inner = H;
        fn inner(&self) -> &H {
            &self.0
        }
        async fn open(&self, _: &crossws_core::Peer) -> crossws_core::HookResult {
            Err("no database".into())
        }
    }
    block_on(async {
        for first in [false, true] {
            let log = Log::default();
            let (upstream, proxy) = proxy_to(echo(&log));
            let proxy = logged(proxy, &log);
            let server = TestServer::new(crossws_core::wrap(Fails(match first {
                true => proxy.upgrade_first(),
                false => proxy,
            })));
            let mut client = server.connect("/").await.unwrap();
            assert_eq!(client.closed().await.code, 1011);
            server.settle().await;
            let log = log.take();
            assert_eq!(log.last().unwrap(), "Server unopened 1011", "{log:?}");
            assert_eq!(upstream.hub().peers().len(), 0);
            assert_eq!(server.hub().peers().len(), 0);
        }
    });
}
