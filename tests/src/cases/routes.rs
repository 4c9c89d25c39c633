//! Routes by pattern, the layers before an upgrade, and settings of a route.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{Ask, Peer, Scene};

group! {
    a_pattern_decides_the_route_and_its_parameters: [],
    a_route_stays_known_to_its_peer: [],
    a_path_without_a_route_passes_on: [],
    a_path_that_is_not_utf8_is_a_400: [],
    a_layer_refuses_before_any_hook: [],
    what_a_layer_attaches_is_there_in_every_hook: [],
    nested_routes_inherit_layers: [],
    authentication_lets_in_or_answers_401: [],
    a_path_or_query_of_another_type_is_a_400_that_names_the_field: [],
    a_path_or_query_that_is_too_long_is_a_4xx: [],
    a_strange_cookie_hides_no_other: [],
    global_hooks_answer_with_the_route: [],
    a_route_has_its_own_limits: [],
    a_route_has_its_own_times: [SHARED_HUB, CLOSE_CODE] before deadlines,
    a_route_has_its_own_topics: [PUBSUB],
    a_route_has_its_own_subprotocols: [SUBPROTOCOL],
    a_message_to_a_route_reaches_its_connections_in_all_namespaces: [ROUTES],
    where_a_route_spans_hubs_there_is_a_typed_error: [] but not [ROUTES],
    a_hook_calls_the_applications_own_http: [],
}

/// Returns the current report of the route's hooks.
async fn known(peer: &mut Peer) -> Value {
    serde_json::from_str(&peer.text().await).unwrap()
}

async fn a_pattern_decides_the_route_and_its_parameters(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for (path, route, params) in [
        ("/routed", "/routed", json!([])),
        ("/routed/files/index", "/routed/files/index", json!([])),
        ("/routed/names/a%20b/raw", "/routed/names/{name}/raw", json!([["name", "a b"]])),
        ("/routed/files/a/%62%2Fc", "/routed/files/{*rest}", json!([["rest", "a/b/c"]])),
    ] {
        let mut peer = stage.join(path, path).await;
        let known = known(&mut peer).await;
        assert_eq!(known["route"], route, "{path}");
        assert_eq!(known["params"], params, "{path}");
    }
}

async fn a_route_stays_known_to_its_peer(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/workers/7?user=ann", "a").await;
    let first = known(&mut peer).await;
    assert_eq!(first["route"], "/routed/workers/{worker}");
    assert_eq!(first["name"], "worker");
    peer.say("again").await;
    assert_eq!(known(&mut peer).await, first);
}

async fn a_path_without_a_route_passes_on(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for path in ["/routed/nothing", "/routed/files", "/routed/workers/7/other"] {
        // The service's own response. Over HTTP/2 it may not succeed, because it opens no tunnel.
        let refused = stage.try_connect(path, Ask::named("a"), &[]).await;
        let response = refused.err().unwrap();
        assert_eq!(response.headers()["x-service"], "plain", "{path}");
    }
}

async fn a_path_that_is_not_utf8_is_a_400(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let refused = stage.refused("/routed/files/%FF", Ask::named("a"), &[], 400);
    let body = refused.await.into_body();
    assert_eq!(body, "the path is not UTF-8 when it is percent-decoded");
}

async fn a_layer_refuses_before_any_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let refused = stage.refused("/routed/workers/7", Ask::named("a"), &[], 401);
    assert_eq!(refused.await.body(), "no user");
    stage.serves().await;
    assert_eq!(stage.count("a", "open").await, 0);
}

async fn what_a_layer_attaches_is_there_in_every_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/workers/7?user=ann", "a").await;
    assert_eq!(known(&mut peer).await["user"], "ann");
    peer.say("again").await;
    assert_eq!(known(&mut peer).await["user"], "ann");
}

async fn nested_routes_inherit_layers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let path = "/routed/workers/7/logs";
    stage.refused(path, Ask::named("a"), &[], 401).await;
    let mut peer = stage.join(&format!("{path}?user=bob"), "b").await;
    let known = known(&mut peer).await;
    assert_eq!(known["user"], "bob");
    assert_eq!(known["params"], json!([["worker", "7"]]));
}

async fn authentication_lets_in_or_answers_401(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for query in ["", "?token=", "?token=bad", "?token=broken"] {
        let path = format!("/routed/private{query}");
        let response = stage.refused(&path, Ask::named("a"), &[], 401).await;
        assert_eq!(response.headers()["www-authenticate"], "Bearer", "{query}");
    }
    let mut peer = stage.join("/routed/private?token=good", "b").await;
    assert_eq!(known(&mut peer).await["user"], "trusted");
}

async fn a_path_or_query_of_another_type_is_a_400_that_names_the_field(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for (path, field) in [
        ("/routed/pages/x?page=1", "`id`"),
        ("/routed/pages/7", "`page`"),
        ("/routed/pages/7?page=x", "`page`"),
        ("/routed/pages/7?page=1&page=2", "`page`"),
        ("/routed/pages/7?page=1&sort=up", "`sort`"),
        ("/routed/books/7", "`chapter`"),
    ] {
        let response = stage.refused(path, Ask::named("a"), &[], 400).await;
        let body = String::from_utf8_lossy(response.body()).into_owned();
        assert!(body.contains(field), "{path}: {body}");
    }
    assert_eq!(stage.count("a", "open").await, 0);
    let mut peer = stage.join("/routed/pages/7?page=3", "b").await;
    assert_eq!(known(&mut peer).await["page"], 3);
}

async fn a_path_or_query_that_is_too_long_is_a_4xx(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let segments = format!("/routed/files{}", "/a".repeat(10_000));
    let query = format!("/routed/pages/7?page=1&tag={}", "a".repeat(16 << 10));
    for path in [segments, query] {
        let refused = stage.try_connect(&path, Ask::named("a"), &[]).await;
        let response = refused.err().unwrap();
        let status = response.status().as_u16();
        assert!(matches!(status, 414 | 431), "{status}");
        // The library for HTTP/2 sends a 431 of its own, which has no body.
        let body = String::from_utf8_lossy(response.body());
        assert!(body.contains("too l") || status == 431 && body.is_empty(), "{body}");
    }
    stage.serves().await;
    assert_eq!(stage.count("a", "open").await, 0);
}

async fn a_strange_cookie_hides_no_other(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let path = "/routed/sessions";
    for cookies in [
        &["name=Zoë; session=s; b=2"][..],
        &["name=Zoë", "b=2; session=s"],
        &["b; =; session=s"],
    ] {
        let headers: Vec<_> = cookies.iter().map(|line| ("cookie", *line)).collect();
        let peer = stage.try_connect(path, Ask::named("a"), &headers).await;
        assert!(peer.is_ok(), "{cookies:?}");
    }
    let headers = [("cookie", "name=Zoë; other=s")];
    stage.refused(path, Ask::named("b"), &headers, 401).await;
}

async fn global_hooks_answer_with_the_route(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let peer = stage.join("/routed", "a").await;
    assert_eq!(peer.response.headers()["x-routed"], "yes");
}

async fn a_route_has_its_own_limits(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut large = stage.join("/routed", "large").await;
    let mut small = stage.join("/routed/small", "small").await;
    known(&mut large).await;
    known(&mut small).await;
    let long = "x".repeat(17);
    large.say(&long).await;
    known(&mut large).await;
    small.say(&long).await;
    assert_eq!(small.closes_at_last().await.0, 1009);
}

async fn a_route_has_its_own_times(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut patient = stage.join("/routed", "patient").await;
    let mut quick = stage.join("/routed/quick", "quick").await;
    known(&mut patient).await;
    known(&mut quick).await;
    // A server that sleeps wakes for this, without a message of the client.
    assert_eq!(stage.peers(None).await.len(), 2);
    stage.advance(Duration::from_millis(700)).await;
    assert_eq!(quick.closes_at_last().await.0, 3008);
    patient.say("still here").await;
    known(&mut patient).await;
}

async fn a_route_has_its_own_topics(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/chat", "a").await;
    assert_eq!(known(&mut peer).await["topics"], json!(["general", "news"]));
}

async fn a_route_has_its_own_subprotocols(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for (offered, chosen) in [
        ("chat.v1, chat.v2", json!("chat.v2")),
        ("other, chat.v1", json!("chat.v1")),
        ("other", Value::Null),
    ] {
        let headers = [("sec-websocket-protocol", offered)];
        let peer = stage.try_connect("/routed/protocols", Ask::named("a"), &headers);
        let mut peer = peer.await.unwrap();
        assert_eq!(known(&mut peer).await["protocol"], chosen, "{offered}");
        let answered = peer.response.headers().get("sec-websocket-protocol");
        assert_eq!(answered.map(|value| value.to_str().unwrap()), chosen.as_str());
    }
}

async fn a_message_to_a_route_reaches_its_connections_in_all_namespaces(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut one = stage.join("/routed/workers/1?user=ann", "a").await;
    let mut two = stage.join("/routed/workers/2?user=bob", "b").await;
    let mut other = stage.join("/routed/workers/1/logs?user=eve", "c").await;
    for peer in [&mut one, &mut two, &mut other] {
        known(peer).await;
    }
    for route in ["worker", "/routed/workers/[worker]", "/routed/workers/:worker"] {
        other.say(&format!("route {route}")).await;
        assert_eq!(known(&mut other).await, json!({ "sent": 2 }), "{route}");
        for peer in [&mut one, &mut two] {
            assert_eq!(peer.text().await, format!("to {route}"));
        }
    }
    two.leave().await;
    // Until the server has processed it.
    loop {
        other.say("route worker").await;
        if known(&mut other).await == json!({ "sent": 1 }) {
            return;
        }
    }
}

async fn where_a_route_spans_hubs_there_is_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/workers/1?user=ann", "a").await;
    known(&mut peer).await;
    peer.say("route worker").await;
    let said = known(&mut peer).await;
    let error = "not published: this transport does not support routes that span hubs";
    assert_eq!(said, json!({ "error": error }));
    peer.say("here worker").await;
    assert_eq!(peer.text().await, "to worker");
    assert_eq!(known(&mut peer).await, json!({ "sent": 1 }));
}

async fn a_hook_calls_the_applications_own_http(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/routed/chat", "a").await;
    known(&mut peer).await;
    peer.say("api notes").await;
    let said = known(&mut peer).await;
    assert_eq!(said["status"], 200);
    assert_eq!(said["service"], "plain");
    assert_eq!(said["seen"]["method"], "GET");
    assert_eq!(said["seen"]["target"], "/base/notes?a=b%20c");
}
