//! Requests that get no WebSocket.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use serde_json::{Value, json};

use crate::scene::both;
use crate::{Ask, OriginRule, Profile, Refuse, Scene, Stage};

group! {
    a_refusal_is_any_response: [],
    a_refusal_comes_before_any_101: [],
    an_error_that_converts_is_a_refusal: [],
    an_error_that_says_nothing_is_a_500_without_details: [],
    a_panic_in_the_upgrade_is_a_500: [PANIC],
    a_panic_in_the_resolver_is_a_500: [PANIC],
    a_deadline_bounds_the_upgrade: [],
    a_refusal_leaves_nothing_behind: [SHARED_HUB],
    a_subprotocol_that_was_not_offered_fails_the_upgrade: [SUBPROTOCOL],
    an_id_in_use_is_refused: [SHARED_HUB],
    a_namespace_with_too_long_a_name_is_refused: [],
    a_full_hub_refuses: [SHARED_HUB],
    a_request_without_an_upgrade_goes_to_the_http_service: [] on sockets,
    an_unclaimed_route_goes_to_the_http_service: [],
    an_unclaimed_route_runs_no_hook: [],
    a_foreign_origin_is_refused: [],
    the_origin_null_is_refused: [],
    the_same_origin_and_no_origin_are_accepted: [],
    a_port_that_a_proxy_has_dropped_is_forgiven: [],
    a_stream_is_not_taken_for_a_time: [],
    a_listed_origin_is_accepted: [],
    any_origin_is_accepted_where_written_out: [],
}

fn teapot() -> Refuse {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Refuse {
        status: 418,
        headers: vec![
            header("x-why", "short and stout"),
            header("set-cookie", "a=1"),
            header("set-cookie", "b=2"),
            header("content-type", "application/tea"),
        ],
        body: "no coffee ☕".to_owned(),
    }
}

async fn a_refusal_is_any_response(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        refuse: Some(teapot()),
        ..Ask::named("a")
    };
    let response = stage.refused("/", ask, &[], 418).await;
    assert_eq!(response.headers()["x-why"], "short and stout");
    assert_eq!(response.headers()["content-type"], "application/tea");
    let cookies = response.headers().get_all("set-cookie");
    assert_eq!(cookies.iter().collect::<Vec<_>>(), ["a=1", "b=2"]);
    assert_eq!(response.body(), "no coffee ☕");
    stage.serves().await;
}

async fn a_refusal_comes_before_any_101(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        wait: Some("gate".to_owned()),
        refuse: Some(teapot()),
        ..Ask::named("a")
    };
    let release = async {
        stage.wait("a", "upgrade").await;
        stage.release("gate").await;
    };
    both(stage.refused("/", ask, &[], 418), release).await;
}

async fn an_error_that_converts_is_a_refusal(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        deny: true,
        ..Ask::named("a")
    };
    let response = stage.refused("/", ask, &[], 401).await;
    assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"probe\"");
    assert_eq!(response.body(), "unauthorized");
}

async fn an_error_that_says_nothing_is_a_500_without_details(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        fail: true,
        ..Ask::named("a")
    };
    let response = stage.refused("/", ask, &[], 500).await;
    let body = String::from_utf8_lossy(response.body()).into_owned();
    assert!(!body.contains("secret"), "{body}");
}

async fn a_panic_in_the_upgrade_is_a_500(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        panic: true,
        ..Ask::named("a")
    };
    stage.refused("/", ask, &[], 500).await;
    stage.serves().await;
}

async fn a_panic_in_the_resolver_is_a_500(scene: Scene<'_>) {
    let stage = scene.stage().await;
    stage.refused("/broken", Ask::named("a"), &[], 500).await;
    stage.serves().await;
}

async fn a_deadline_bounds_the_upgrade(scene: Scene<'_>) {
    let profile = Profile {
        upgrade_timeout: Some(Duration::from_millis(100)),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let ask = Ask {
        wait: Some("never".to_owned()),
        ..Ask::named("a")
    };
    let time = async {
        stage.wait("a", "upgrade").await;
        stage.advance(Duration::from_millis(150)).await;
    };
    both(stage.refused("/", ask, &[], 503), time).await;
    stage.serves().await;
}

async fn a_refusal_leaves_nothing_behind(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        refuse: Some(teapot()),
        topics: vec!["news".to_owned()],
        ..Ask::named("a")
    };
    stage.refused("/room", ask, &[], 418).await;
    assert_eq!(stage.peers(None).await, []);
    assert_eq!(stage.namespaces().await, [""; 0]);
    stage.idle().await;
    assert_eq!(stage.story("a").await, ["resolve", "upgrade"]);
}

async fn a_subprotocol_that_was_not_offered_fails_the_upgrade(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        protocol: Some("chat".to_owned()),
        ..Ask::named("a")
    };
    stage.refused("/", ask.clone(), &[], 500).await;
    let other = ("sec-websocket-protocol", "chat2");
    stage.refused("/", ask, &[other], 500).await;
}

async fn an_id_in_use_is_refused(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let ask = Ask {
        id: Some(peer.id().await),
        ..Ask::named("b")
    };
    stage.refused("/", ask.clone(), &[], 409).await;
    peer.hears_nothing().await;
    peer.leave().await;
    stage.idle().await;
    stage.connect("/", ask).await.hears_nothing().await;
}

async fn a_namespace_with_too_long_a_name_is_refused(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let named = |len: usize| Ask {
        namespace: Some("n".repeat(len)),
        ..Ask::named("a")
    };
    stage.refused("/", named(256), &[], 414).await;
    stage.connect("/", named(255)).await;
}

async fn a_full_hub_refuses(scene: Scene<'_>) {
    let profile = Profile {
        max_peers: Some(1),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut peer = stage.join("/", "a").await;
    let response = stage.refused("/", Ask::named("b"), &[], 503).await;
    assert!(response.headers().contains_key("retry-after"));
    peer.hears_nothing().await;
    peer.leave().await;
    stage.idle().await;
    stage.serves().await;
}

async fn seen(stage: &Stage, request: Request<Bytes>) -> Value {
    let response = stage.http(request).await;
    assert_eq!(response.headers()["x-service"], "plain");
    serde_json::from_slice(response.body()).unwrap()
}

async fn a_request_without_an_upgrade_goes_to_the_http_service(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let request = Request::post("/some/path?a=1")
        .header("x-test", "1")
        .body(Bytes::from("a body"))
        .unwrap();
    let seen = seen(&stage, request).await;
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["target"], "/some/path?a=1");
    assert_eq!(seen["body"], "a body");
    let headers = seen["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-test", "1"])));
    assert_eq!(stage.story("").await, [""; 0], "no hooks were asked");
}

async fn an_unclaimed_route_goes_to_the_http_service(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask::named("a");
    let target = ask.target("/unclaimed");
    let headers = [("x-test", "1")];
    let Err(response) = stage.try_connect("/unclaimed", ask, &headers).await else {
        panic!("upgraded without hooks");
    };
    assert_eq!(response.headers()["x-service"], "plain");
    let seen: Value = serde_json::from_slice(response.body()).unwrap();
    assert_eq!(seen["target"], json!(target));
    let headers = seen["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["x-test", "1"])), "untouched");
}

async fn an_unclaimed_route_runs_no_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let refused = stage.try_connect("/unclaimed", Ask::named("a"), &[]).await;
    assert!(refused.is_err());
    stage.idle().await;
    assert_eq!(stage.story("a").await, ["resolve"]);
}

const HOST: (&str, &str) = ("host", "app.example:8080");

async fn a_foreign_origin_is_refused(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for origin in [
        "http://evil.example",
        "http://app.example",
        "http://app.example:8080.evil.example",
        "https://app.example:8443",
    ] {
        let headers = [HOST, ("origin", origin)];
        stage.refused("/", Ask::named("a"), &headers, 403).await;
    }
    assert_eq!(stage.count("a", "upgrade").await, 0, "not even asked");
}

async fn the_origin_null_is_refused(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let headers = [HOST, ("origin", "null")];
    stage.refused("/", Ask::named("a"), &headers, 403).await;
}

async fn accepted(stage: &Stage, headers: &[(&str, &str)]) {
    let peer = stage.try_connect("/", Ask::named("a"), headers).await;
    assert!(peer.is_ok(), "{headers:?}");
}

async fn the_same_origin_and_no_origin_are_accepted(scene: Scene<'_>) {
    let stage = scene.stage().await;
    accepted(&stage, &[HOST]).await;
    accepted(&stage, &[HOST, ("origin", "http://app.example:8080")]).await;
}

/// No task would end the stream when the credentials end.
async fn a_stream_is_not_taken_for_a_time(scene: Scene<'_>) {
    let stage = scene.stage().await;
    stage
        .refused("/taken/for-a-time", Ask::named("a"), &[], 500)
        .await;
    stage.serves().await;
}

/// A header that no page can set reveals the proxy.
async fn a_port_that_a_proxy_has_dropped_is_forgiven(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let dropped = [
        ("host", "app.example"),
        ("forwarded", "for=192.0.2.1"),
        ("origin", "http://app.example:8080"),
    ];
    accepted(&stage, &dropped).await;
    let foreign = [dropped[0], dropped[1], ("origin", "http://evil.example:8080")];
    stage.refused("/", Ask::named("a"), &foreign, 403).await;
    // The browser's own header decides.
    let denied = [dropped[0], dropped[1], dropped[2], ("sec-fetch-site", "same-site")];
    stage.refused("/", Ask::named("a"), &denied, 403).await;
}

async fn a_listed_origin_is_accepted(scene: Scene<'_>) {
    let profile = Profile {
        origin: OriginRule::Listed(vec!["https://front.example".to_owned()]),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    accepted(&stage, &[HOST, ("origin", "https://front.example")]).await;
    let headers = [HOST, ("origin", "https://evil.example")];
    stage.refused("/", Ask::named("a"), &headers, 403).await;
}

async fn any_origin_is_accepted_where_written_out(scene: Scene<'_>) {
    let profile = Profile {
        origin: OriginRule::Any,
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    accepted(&stage, &[HOST, ("origin", "https://evil.example")]).await;
    accepted(&stage, &[HOST, ("origin", "null")]).await;
}
