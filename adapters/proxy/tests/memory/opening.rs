use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crossws_app::Router;
use crossws_client::Reconnect;
use crossws_core::http::header::{COOKIE, HeaderMap, HeaderValue};
use crossws_core::http::{Response, StatusCode};
use crossws_core::{Capabilities, Hooks, Hub, Rejection, Upgrade, UpgradeRequest, hooks};
use crossws_memory::{ConnectError, TestServer};
use crossws_proxy::Proxy;
use futures_lite::future::{block_on, zip};

use crate::{Log, echo, logged, proxy_to, through};

/// Returns the refusal of a client.
async fn refused(proxy: Proxy) -> ConnectError {
    TestServer::new(proxy).connect("/").await.unwrap_err()
}

fn body(error: &ConnectError) -> &str {
    std::str::from_utf8(error.response().body()).unwrap()
}

#[test]
fn an_upstreams_refusal_is_a_502_that_names_it() {
    block_on(async {
        let refuses = |status: u16| {
            hooks().on_upgrade(move |_| async move {
                let response = Response::builder().status(status);
                let response = response
                    .header("retry-after", "7")
                    .header("location", "ws://b/");
                Err(Rejection::from(response.body("secret").unwrap()))
            })
        };
        for (status, expected) in [(401, 502), (302, 502), (503, 502), (508, 508)] {
            let log = Log::default();
            let (_upstream, proxy) = proxy_to(refuses(status));
            let error = refused(logged(proxy, &log)).await;
            assert_eq!(error.status(), expected);
            assert_eq!(error.response().headers()["retry-after"], "7");
            assert_eq!(
                body(&error),
                match status {
                    508 => "the target leads back to the proxy".to_owned(),
                    _ => format!("the upstream answered {status}"),
                }
            );
            assert_eq!(log.take(), ["connect", "Upstream unopened 1006"]);
        }
    });
}

#[test]
fn an_upstream_that_never_answers_is_a_504() {
    block_on(async {
        const TIMEOUT: Duration = Duration::from_secs(3);
        let stuck = || hooks().on_upgrade(|_| std::future::pending());
        let upstream = TestServer::new(stuck());
        // The target's function is within the same time.
        let lost = Proxy::to(|_: UpgradeRequest| std::future::pending::<String>());
        for proxy in [Proxy::to("ws://upstream/"), lost] {
            let proxy = through(&upstream, proxy).connect_timeout(TIMEOUT);
            let (error, ()) = zip(refused(proxy), upstream.advance(TIMEOUT)).await;
            let expected = (504, "the upstream did not answer in time");
            assert_eq!((error.status().as_u16(), body(&error)), expected);
        }
    });
}

#[test]
fn a_target_is_a_function_of_the_request_and_may_refuse() {
    block_on(async {
        let paths =
            hooks().on_open(|peer| async move { peer.send(peer.request().path().to_owned()) });
        let upstream = TestServer::new(paths);
        let sync = Proxy::to(|request: UpgradeRequest| format!("ws://a/sync{}", request.path()));
        let waits = Proxy::to(
            async |request: UpgradeRequest| -> Result<String, Rejection> {
                match request.query() {
                    Some("no") => Err(Rejection::new(StatusCode::PAYMENT_REQUIRED, "pay first")),
                    _ => Ok("ws://a/async".to_owned()),
                }
            },
        );
        let app = Router::new()
            .route("/sync", through(&upstream, sync.allow_hosts(["a"])))
            .route("/async", through(&upstream, waits.allow_hosts(["a"])));
        let server = TestServer::new(app);
        server
            .connect("/sync")
            .await
            .unwrap()
            .expect("/sync/sync")
            .await;
        server
            .connect("/async")
            .await
            .unwrap()
            .expect("/async")
            .await;
        let error = server.connect("/async?no").await.unwrap_err();
        assert_eq!((error.status().as_u16(), body(&error)), (402, "pay first"));
    });
}

#[test]
fn a_path_is_the_whole_path_of_the_target() {
    block_on(async {
        let paths = hooks().on_open(|peer| async move {
            let request = peer.request();
            peer.send(format!("{} {:?}", request.path(), request.query()))
        });
        let upstream = TestServer::new(paths);
        let same = Proxy::to(|request: UpgradeRequest| {
            let query = request
                .query()
                .map_or(String::new(), |query| format!("?{query}"));
            format!("ws://a{}{query}", request.path())
        });
        let server = TestServer::new(through(&upstream, same.allow_hosts(["a"])));
        for path in [
            "/raw",
            "/raw/",
            "/raw//x",
            "/raw;v=1",
            "/raw/../x",
            "/a:b@c",
            "/raw/%2Fx",
            "/raw%3Fx",
            "/%C3%BC",
            "/@b/http://b/x",
        ] {
            for query in [None, Some("a=/b?c&d=@e")] {
                let target = query.map_or(path.to_owned(), |query| format!("{path}?{query}"));
                let mut client = server.connect(&target).await.unwrap();
                client.expect(format!("{path} {query:?}")).await;
            }
        }
    });
}

#[test]
fn a_function_chooses_only_allowed_hosts() {
    block_on(async {
        let log = Log::default();
        let (upstream, _) = proxy_to(echo(&log));
        let chosen = || {
            let chosen =
                Proxy::to(|request: UpgradeRequest| format!("ws://{}/", request.query().unwrap()));
            logged(through(&upstream, chosen), &log)
        };
        let server = TestServer::new(chosen().allow_hosts(["*.a", "b:81"]));
        for host in ["x.a", "b:81"] {
            let _ = server.connect(&format!("/?{host}")).await.unwrap();
            server.settle().await;
        }
        log.take();
        for host in ["a", "b", "c", "x.a.c", "x.a@c"] {
            let error = server.connect(&format!("/?{host}")).await.unwrap_err();
            assert_eq!(
                (error.status().as_u16(), body(&error)),
                (403, "the target is not allowed"),
                "{host}"
            );
            assert_eq!(log.take(), ["connect", "Server unopened 1006"]);
        }
        // Without a list, a function may choose none.
        let error = TestServer::new(chosen())
            .connect("/?x.a")
            .await
            .unwrap_err();
        assert_eq!(error.status(), 403);
        // After the upgrade, the refusal is a close.
        let server = TestServer::new(chosen().upgrade_first());
        let closed = server.connect("/?c").await.unwrap().closed().await;
        assert_eq!(
            (closed.code, &*closed.reason),
            (1008, "the target is not allowed")
        );
    });
}

#[test]
fn a_target_that_leads_back_is_refused_by_name() {
    block_on(async {
        let own: Arc<OnceLock<TestServer>> = Arc::default();
        let itself = Arc::clone(&own);
        let proxy = Proxy::to("ws://itself/")
            .connect_with(move |connect| connect.in_memory(itself.get().unwrap()));
        let log = Log::default();
        let server = own.get_or_init(|| TestServer::new(logged(proxy, &log)));
        let error = server.connect("/").await.unwrap_err();
        assert_eq!(
            (error.status().as_u16(), body(&error)),
            (508, "the target leads back to the proxy")
        );
        // The second request is not connected any further.
        assert_eq!(log.take(), ["connect", "Upstream unopened 1006"]);
    });
}

#[test]
fn the_upstream_chooses_among_the_protocols_that_are_forwarded() {
    block_on(async {
        let chooses = || {
            hooks().on_upgrade(|request| async move {
                Ok(Upgrade::new().protocol(request.choose_protocol(&["v1", "v2"])))
            })
        };
        let offered = |proxy: Proxy| async move {
            let server = TestServer::new(proxy);
            let client = server
                .connect("/")
                .protocols(["v3", "v2", "v1"])
                .await
                .unwrap();
            client.protocol().map(str::to_owned)
        };
        let (_a, all) = proxy_to(chooses());
        assert_eq!(offered(all).await.as_deref(), Some("v1"));
        let (_b, listed) = proxy_to(chooses());
        assert_eq!(
            offered(listed.forward_protocols(["v2"])).await.as_deref(),
            Some("v2")
        );
        let (_c, none) = proxy_to(chooses());
        assert_eq!(offered(none.forward_protocols([""; 0])).await, None);
        let (_d, ignored) = proxy_to(echo(&Log::default()));
        assert_eq!(offered(ignored).await, None);
        // The first one has to be answered before the upstream is asked.
        let (_e, first) = proxy_to(chooses());
        assert_eq!(offered(first.upgrade_first()).await.as_deref(), Some("v3"));
    });
}

async fn identify(request: &mut UpgradeRequest) {
    request.set_identity("ann");
}

#[test]
fn the_upstream_gets_the_headers_that_are_listed_or_computed() {
    block_on(async {
        let shows = hooks().on_open(|peer| async move {
            let header = |name| peer.request().header(name).unwrap_or("-").to_owned();
            let names = ["cookie", "authorization", "x-user", "host"].map(header);
            peer.send(names.join(" "))
        });
        let (_upstream, proxy) = proxy_to(shows);
        let proxy = proxy.forward_headers([COOKIE]).headers(|request| {
            let user = request.identity().unwrap();
            HeaderMap::from_iter([(
                "x-user".parse().unwrap(),
                HeaderValue::from_str(&user).unwrap(),
            )])
        });
        let signed_in =
            async |request: &UpgradeRequest| request.header("authorization").map(|_| ());
        let app = Router::new()
            .authenticate(signed_in)
            .before(identify)
            .route("/", proxy);
        let server = TestServer::new(app);
        assert_eq!(server.connect("/").await.unwrap_err().status(), 401);
        let client = server
            .connect("/")
            .header("cookie", "a=1")
            .header("authorization", "x");
        client.await.unwrap().expect("a=1 - ann upstream").await;
    });
}

#[test]
fn the_applications_own_hooks_run_around_the_proxys() {
    block_on(async {
        let log = Log::default();
        let (_upstream, proxy) = proxy_to(echo(&Log::default()));
        let [opened, closed] = [log.clone(), log.clone()];
        let own = hooks()
            .on_upgrade(|request| async move {
                match request.query() {
                    Some("no") => Err(StatusCode::FORBIDDEN.into()),
                    _ => Ok(Upgrade::new().namespace("lobby").header("x-own", "1")?),
                }
            })
            .on_open(move |peer| {
                opened.add(format!("open {}", peer.namespace()));
                async {}
            })
            .on_close(move |_, end| {
                closed.add(format!("close {}", end.code));
                async {}
            });
        let server = TestServer::new(logged(proxy, &log).with_hooks(own));
        assert_eq!(server.connect("/?no").await.unwrap_err().status(), 403);
        assert_eq!(log.take(), [""; 0]);
        let mut client = server.connect("/").await.unwrap();
        assert_eq!(client.response().headers()["x-own"], "1");
        client.expect("hello").await;
        client.close(crossws_core::CloseCode::NORMAL, "");
        client.closed().await;
        server.settle().await;
        let happened = [
            "connect",
            "open",
            "open lobby",
            "Client opened 1000",
            "close 1000",
        ];
        assert_eq!(log.take(), happened);
    });
}

#[test]
fn where_connections_sleep_the_server_does_not_start() {
    let hub = Hub::builder().lacks(Capabilities::HANDLER).build();
    let proxy = Proxy::to("ws://upstream/");
    let error = block_on(proxy.start(&hub)).unwrap_err();
    assert!(error.to_string().contains("cannot sleep"), "{error}");
    assert!(block_on(proxy.start(&Hub::default())).is_ok());
}

#[test]
fn what_changes_the_connections_does_not_replace_the_proxys_part() {
    block_on(async {
        let log = Log::default();
        let upstream = TestServer::new(echo(&Log::default()));
        let changed = upstream.clone();
        let proxy = Proxy::to("ws://upstream/").connect_with(move |connect| {
            connect
                .in_memory(&changed)
                .on_open(|_| ())
                .reconnect(Reconnect::backoff())
        });
        // Only then the upstream opens after the client.
        let server = TestServer::new(logged(proxy, &log).upgrade_first());
        let mut client = server.connect("/").await.unwrap();
        client.expect("hello").await;
        assert_eq!(log.take(), ["connect", "open"]);
    });
}

#[test]
fn an_upgrade_that_is_refused_after_the_upstream_opened_closes_it_in_order() {
    block_on(async {
        struct Refuses<H>(H);
        impl<H: Hooks> crossws_core::Wrap for Refuses<H> {
            type Inner = H;
            fn inner(&self) -> &H {
                &self.0
            }
            async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
                self.0.upgrade(request).await?;
                Err(StatusCode::CONFLICT.into())
            }
        }
        let log = Log::default();
        let (upstream, proxy) = proxy_to(echo(&log));
        let server = TestServer::new(crossws_core::wrap(Refuses(logged(proxy, &log))));
        assert_eq!(server.connect("/").await.unwrap_err().status(), 409);
        upstream.settle().await;
        assert_eq!(log.take(), ["connect", "1001 ", "Server unopened 1006"]);
        assert_eq!(upstream.hub().peers().len(), 0);
    });
}
