use crossws_app::{Pattern, PatternErrorKind, Router, RouterError, TrailingSlash, route};
use crossws_core::hooks;
use crossws_memory::TestServer;

use crate::common::*;

#[test]
fn a_literal_comes_before_a_parameter_and_before_a_catch_all() {
    // The order is chosen so that no outcome is right by chance.
    let router = Router::new()
        .route("/{*rest}", says("rest"))
        .route("/rooms/{id}", says("room"))
        .route("/rooms/new", says("new"))
        .route("/rooms/{id}/log", says("log"))
        .route("/", says("root"));
    expect(
        router,
        &[
            ("/", "root"),
            ("/rooms/new", "new"),
            ("/rooms/7", "room id=7"),
            ("/rooms/new/log", "log id=new"),
            ("/rooms/7/other", "rest rest=rooms/7/other"),
            ("/rooms/", "rest rest=rooms/"),
            ("/x", "rest rest=x"),
        ],
    );
}

#[test]
fn prefixes_and_suffixes_in_a_segment_match() {
    let router = Router::new()
        .route("/img-[id].png", says("png"))
        .route("/v:version", says("literal"))
        .route("/:file.json", says("json"));
    router.check().unwrap_err();

    let router = Router::new()
        .route("/img/img-[id].png", says("png"))
        .route("/data/:file.json", says("json"))
        .route("/jobs:cancel", says("cancel"));
    expect(
        router,
        &[
            ("/img/img-7.png", "png id=7"),
            ("/img/img-.png", "passed"),
            ("/img/7.png", "passed"),
            ("/data/a.json", "json file=a"),
            ("/jobs:cancel", "cancel"),
        ],
    );
}

#[test]
fn parameters_are_percent_decoded() {
    let router = Router::new()
        .route("/café/{name}", says("café"))
        .route("/files/{*path}", says("files"))
        .route("/a%2Fb", says("slash"));
    expect(
        router,
        &[
            ("/caf%C3%A9/a%20b", "café name=a b"),
            ("/caf%c3%a9/a%2Fb", "café name=a/b"),
            ("/café/100%25", "café name=100%"),
            ("/café/100%", "café name=100%"),
            ("/files/a%2Fb/c", "files path=a/b/c"),
            ("/a%2fb", "slash"),
            ("/a/b", "passed"),
            ("/%61%2Fb", "slash"),
        ],
    );
}

#[test]
fn a_path_that_is_not_utf8_is_a_400_that_says_so() {
    let server = TestServer::new(Router::new().route("/{name}", says("name")));
    let refusal = block_on(async { server.connect("/%FF").await.unwrap_err() });
    assert_eq!(refusal.status(), 400);
    assert_eq!(
        refusal.response().body(),
        "the path is not UTF-8 when it is percent-decoded"
    );
}

#[test]
fn a_long_path_is_bounded_work() {
    let deep = "/a".repeat(10_000);
    let router = Router::new()
        .route("/a/{b}/c", says("short"))
        .route("/all/{*rest}", says("all"));
    let server = TestServer::new(router);
    assert_eq!(answer(&server, &deep), "414");
    // Its default namespace has a bound.
    assert_eq!(answer(&server, &format!("/all{deep}")), "414");
    let shallow = "/a".repeat(100);
    assert_eq!(
        answer(&server, &format!("/all{shallow}")),
        format!("all rest={}", &shallow[1..])
    );
}

#[test]
fn nested_routes_have_the_path_of_all_routers() {
    let inner = Router::new()
        .route("", says("inner"))
        .route("/logs/{day}", says("logs"));
    let router = Router::new()
        .nest("/api/{tenant}", Router::new().nest("/admin", inner))
        .merge(Router::new().route("/merged", says("merged")));
    let patterns: Vec<_> = router.routes().map(|one| one.pattern.to_string()).collect();
    assert_eq!(
        patterns,
        [
            "/api/{tenant}/admin",
            "/api/{tenant}/admin/logs/{day}",
            "/merged"
        ]
    );
    expect(
        router,
        &[
            ("/api/acme/admin", "inner tenant=acme"),
            ("/api/acme/admin/logs/1", "logs tenant=acme day=1"),
            ("/api/acme", "passed"),
            ("/merged", "merged"),
        ],
    );
}

#[test]
fn a_trailing_slash_matters_unless_it_is_optional() {
    let routes = || {
        Router::new()
            .route("/a", says("a"))
            .route("/b/", says("b"))
            .route("/both", says("without"))
            .route("/both/", says("with"))
    };
    expect(
        routes(),
        &[
            ("/a", "a"),
            ("/a/", "passed"),
            ("/b", "passed"),
            ("/b/", "b"),
        ],
    );
    expect(
        routes().trailing_slash(TrailingSlash::Optional),
        &[
            ("/a/", "a"),
            ("/b", "b"),
            ("/both", "without"),
            ("/both/", "with"),
            ("/a//", "passed"),
        ],
    );
    let inherited = Router::new()
        .nest("/in", routes())
        .nest("/strict", routes().trailing_slash(TrailingSlash::Matters))
        .trailing_slash(TrailingSlash::Optional);
    expect(
        inherited,
        &[
            ("/in/a/", "a"),
            ("/strict/a", "a"),
            ("/strict/a/", "passed"),
        ],
    );
}

#[test]
fn what_no_route_takes_passes_on_unless_there_is_a_fallback() {
    let router = Router::new()
        .route("/a/{*rest}", says("a"))
        .nest(
            "/api/{v}",
            Router::new().route("/x", says("x")).fallback(says("api")),
        )
        .nest("/quiet", Router::new().route("/x", says("x")));
    expect(
        router,
        &[
            ("/other", "passed"),
            ("/quiet/other", "passed"),
            ("/api/1/x", "x v=1"),
            ("/api/1", "api v=1"),
            ("/api/1/", "api v=1"),
            ("/api/1/a/b", "api v=1"),
            ("/a/b", "a rest=b"),
        ],
    );
    expect(
        Router::new()
            .route("/a/{*rest}", says("a"))
            .fallback(says("rest")),
        &[
            ("/", "rest"),
            ("/x/y", "rest"),
            ("/a/b", "a rest=b"),
            ("/a", "rest"),
        ],
    );
}

#[test]
fn a_conflict_names_both_patterns() {
    let conflict = |first: &str, second: &str| {
        let router = Router::new()
            .route("/elsewhere/{x}", says(""))
            .route(first, says(""))
            .route(second, says(""));
        router.check().unwrap_err().to_string()
    };
    for (first, second) in [
        ("/rooms/{id}", "/rooms/{name}"),
        ("/rooms/new", "/rooms/new"),
        ("/files/{*rest}", "/files/{name}"),
        ("/files/{*rest}", "/files/{name}/raw"),
        ("/x/a{b}", "/x/{b}c"),
    ] {
        assert_eq!(
            conflict(first, second),
            format!("the route `{second}` conflicts with the route `{first}`")
        );
    }
    let nested = Router::new()
        .route("/api/[id]", says(""))
        .nest("/api", Router::new().route("/{name}", says("")))
        .check();
    assert!(matches!(
        nested.unwrap_err(),
        RouterError::Conflict { pattern, existing }
            if pattern.to_string() == "/api/{name}" && existing.to_string() == "/api/{id}"
    ));
}

#[test]
fn the_first_error_of_a_router_is_kept_and_nothing_is_served() {
    let router = Router::new()
        .route("/good", says("good"))
        .nest("/in", Router::new().route("/{", says("")))
        .route("/good", says("twice"));
    let error = router.check().unwrap_err();
    assert!(
        matches!(&error, RouterError::Pattern(error)
            if *error.kind() == PatternErrorKind::Unclosed("{".into())),
        "{error}"
    );
    let server = TestServer::new(router);
    assert_eq!(answer(&server, "/good"), "503");

    let twice = Router::new()
        .fallback(says(""))
        .merge(Router::new().fallback(says("")));
    assert_eq!(
        twice.check(),
        Err(RouterError::TwoFallbacks(Pattern::root()))
    );
    let names = Router::new()
        .route("/a", route(says("")).name("one"))
        .route("/b", route(says("")).name("one"));
    assert_eq!(
        names.check().unwrap_err().to_string(),
        "the routes `/b` and `/a` both have the name `one`"
    );
}

#[test]
fn routes_are_turned_off_and_on_while_the_server_runs() {
    let router = Router::new().route("/", says("on"));
    let switch = router.switch();
    let server = TestServer::new(router);
    let mut old = block_on(async { server.connect("/").await.unwrap() });
    switch.set(false);
    assert_eq!(answer(&server, "/"), "passed");
    block_on(async {
        assert_eq!(first_text(&mut old).await, "on");
        old.send("still here").unwrap();
    });
    switch.set(true);
    assert_eq!(answer(&server, "/"), "on");
}

#[test]
fn a_path_has_one_namespace_however_it_is_spelled() {
    let app = || {
        Router::new()
            .trailing_slash(TrailingSlash::Optional)
            .route("/rooms/{id}", says("room"))
            .route("/halls/{id}/", says("hall"))
    };
    for (spelled, namespace) in [
        (["/rooms/a%20b", "/rooms/%61%20b/"], "/rooms/a b"),
        (["/rooms/a%2Fb", "/rooms/a%2fb"], "/rooms/a%2Fb"),
        (["/halls/1", "/halls/1/"], "/halls/1/"),
    ] {
        block_on(async {
            let server = TestServer::new(app());
            let _one = server.connect(spelled[0]).await.unwrap();
            let _other = server.connect(spelled[1]).await.unwrap();
            let names = server.hub().namespaces();
            let names: Vec<_> = names.iter().map(|name| &**name).collect();
            assert_eq!(names, [namespace]);
        });
    }
}

#[test]
fn a_path_that_is_no_namespace_is_refused_in_words() {
    block_on(async {
        let server = TestServer::new(hooks());
        let refused = server
            .connect(&format!("/{}", "é".repeat(128)))
            .await
            .unwrap_err();
        assert_eq!(refused.status(), 414);
        let said = "the path is too long: 257 bytes, at most 255 are allowed";
        assert_eq!(refused.response().body(), said);
        let refused = server.connect("/%C3").await.unwrap_err();
        assert_eq!(refused.status(), 400);
        let said = "the path is not UTF-8 when it is percent-decoded";
        assert_eq!(refused.response().body(), said);
        // The bytes of the path as it was sent do not count.
        assert!(
            server
                .connect(&format!("/{}", "%61".repeat(254)))
                .await
                .is_ok()
        );
    });
}
