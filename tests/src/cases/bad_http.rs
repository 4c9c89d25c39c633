//! Handshakes as bytes. Malformed ones get the right HTTP response, unusual but valid ones are
//! accepted, and in both cases the server continues to serve.

use std::time::Duration;

use crate::{Ask, Event, Profile, Raw, Scene, Stage};

group! {
    a_plain_upgrade_is_answered_with_101: [RAW_HTTP],
    byte_by_byte_is_accepted: [RAW_HTTP],
    a_frame_in_the_same_packet_is_delivered: [RAW_HTTP],
    connection_in_two_headers_is_accepted: [RAW_HTTP],
    tokens_in_any_case_and_in_lists_are_accepted: [RAW_HTTP],
    another_method_is_400_or_405: [RAW_HTTP],
    an_upgrade_in_http_1_0_is_ignored: [RAW_HTTP],
    another_version_is_426_with_ours: [RAW_HTTP],
    a_missing_or_bad_key_is_400: [RAW_HTTP],
    the_key_that_the_rfc_prints_is_accepted: [RAW_HTTP],
    what_is_not_http_is_400: [RAW_HTTP],
    a_missing_host_is_400: [RAW_HTTP],
    too_many_headers_are_431: [RAW_HTTP],
    a_head_that_is_too_large_is_431: [RAW_HTTP] and own heads,
    a_target_that_is_too_long_is_414: [RAW_HTTP] and own heads,
    a_head_that_takes_too_long_is_408: [RAW_HTTP] and own heads before deadlines,
    a_silent_connection_is_let_go: [RAW_HTTP] and own heads before deadlines,
    a_target_in_absolute_form_is_harmless: [RAW_HTTP],
    a_target_that_is_not_a_path_is_400: [RAW_HTTP],
    a_fragment_in_the_target_is_400: [RAW_HTTP] and own heads,
    a_refused_upgrade_ends_the_connection: [RAW_HTTP],
    a_header_that_is_not_ascii_is_harmless: [RAW_HTTP],
    half_a_head_and_gone_is_harmless: [RAW_HTTP],
    a_bad_handshake_reaches_no_hook: [RAW_HTTP],
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
const VERSION: &str = "Sec-WebSocket-Version: 13";
const UPGRADE: &str = "Upgrade: websocket";
const CONNECTION: &str = "Connection: Upgrade";
const HOST: &str = "Host: localhost";

/// Builds a head from its lines.
fn head(line: &str, headers: &[&str]) -> String {
    let mut head = format!("{line}\r\n");
    for header in headers {
        head.push_str(header);
        head.push_str("\r\n");
    }
    head + "\r\n"
}

/// Builds a valid handshake for `who`, with these headers instead of the last two.
fn good(who: &str, connection: &[&str]) -> String {
    let line = format!("GET {} HTTP/1.1", Ask::named(who).target("/raw"));
    head(&line, &[&[HOST, KEY, VERSION], connection].concat())
}

/// Returns the status of the response to a request.
async fn status(stage: &Stage, request: &str) -> u16 {
    let mut raw = stage.raw().await;
    let _ = raw.write(request.as_bytes()).await;
    let response = raw.response().await;
    response.expect("an answer").status().as_u16()
}

async fn echoes(raw: &mut dyn Raw) {
    raw.write(&super::frame(0x81, b"hello")).await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("hello".to_owned()));
}

async fn is_accepted(stage: &Stage, request: &str) {
    let mut raw = stage.raw().await;
    raw.write(request.as_bytes()).await.unwrap();
    let response = raw.response().await.unwrap();
    assert_eq!(response.status(), 101, "{request}");
    echoes(&mut *raw).await;
}

async fn a_plain_upgrade_is_answered_with_101(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = stage.raw().await;
    let request = good("a", &[UPGRADE, CONNECTION]);
    raw.write(request.as_bytes()).await.unwrap();
    let response = raw.response().await.unwrap();
    assert_eq!(response.status(), 101);
    // The example of RFC 6455, section 1.3.
    assert_eq!(response.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    echoes(&mut *raw).await;
}

async fn byte_by_byte_is_accepted(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = stage.raw().await;
    let mut bytes = good("a", &[UPGRADE, CONNECTION]).into_bytes();
    bytes.extend(super::frame(0x81, b"hello"));
    for byte in bytes {
        raw.write(&[byte]).await.unwrap();
    }
    assert_eq!(raw.response().await.unwrap().status(), 101);
    assert_eq!(raw.frame().await, Event::Text("hello".to_owned()));
}

async fn a_frame_in_the_same_packet_is_delivered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = stage.raw().await;
    let mut bytes = good("a", &[UPGRADE, CONNECTION]).into_bytes();
    bytes.extend(super::frame(0x81, b"one"));
    bytes.extend(super::frame(0x81, b"two"));
    raw.write(&bytes).await.unwrap();
    assert_eq!(raw.response().await.unwrap().status(), 101);
    assert_eq!(raw.frame().await, Event::Text("one".to_owned()));
    assert_eq!(raw.frame().await, Event::Text("two".to_owned()));
}

async fn connection_in_two_headers_is_accepted(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let request = good("a", &[UPGRADE, "Connection: keep-alive", CONNECTION]);
    is_accepted(&stage, &request).await;
}

async fn tokens_in_any_case_and_in_lists_are_accepted(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for headers in [
        ["upgrade: WebSocket", "CONNECTION: upgrade"],
        ["Upgrade: websocket", "Connection: keep-alive, Upgrade"],
        ["Upgrade:websocket", "Connection:  Upgrade ,close"],
        ["uPGRADE: WEBSOCKET", "cONNECTION: uPGRADE"],
    ] {
        is_accepted(&stage, &good("a", &headers)).await;
    }
}

async fn another_method_is_400_or_405(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for method in ["POST", "PUT", "DELETE"] {
        let line = format!("{method} / HTTP/1.1");
        let request = head(&line, &[HOST, KEY, VERSION, UPGRADE, CONNECTION]);
        let status = status(&stage, &request).await;
        assert!(status == 405 || status == 400, "{method}: {status}");
    }
    stage.serves().await;
}

/// RFC 9110 section 7.8: it is an ordinary request, for the HTTP service.
async fn an_upgrade_in_http_1_0_is_ignored(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let line = format!("GET {} HTTP/1.0", Ask::named("a").target("/raw"));
    let plain = status(&stage, &head(&line, &[HOST])).await;
    let headers = [HOST, KEY, VERSION, UPGRADE, CONNECTION];
    assert_eq!(status(&stage, &head(&line, &headers)).await, plain);
    assert_eq!(plain, 200);
    assert_eq!(stage.count("a", "upgrade").await, 0);
    stage.serves().await;
}

async fn another_version_is_426_with_ours(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let missing: &[&str] = &[HOST, KEY, UPGRADE, CONNECTION];
    let old = [missing, &["Sec-WebSocket-Version: 8"]].concat();
    let odd = [missing, &["Sec-WebSocket-Version: thirteen"]].concat();
    for headers in [&old, &odd] {
        let mut raw = stage.raw().await;
        let request = head("GET / HTTP/1.1", headers);
        raw.write(request.as_bytes()).await.unwrap();
        let response = raw.response().await.unwrap();
        assert_eq!(response.status(), 426, "{request}");
        assert_eq!(response.headers()["sec-websocket-version"], "13");
        // RFC 9110 sections 7.8 and 15.5.22.
        assert_eq!(response.headers()["upgrade"], "websocket");
        let connection = response.headers()["connection"].to_str().unwrap();
        assert!(connection.to_ascii_lowercase().contains("upgrade"), "{connection}");
    }
    let status = status(&stage, &head("GET / HTTP/1.1", missing)).await;
    assert!(status == 426 || status == 400, "{status}");
    stage.serves().await;
}

async fn a_missing_or_bad_key_is_400(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let others: &[&str] = &[HOST, VERSION, UPGRADE, CONNECTION];
    let keys: [&[&str]; 6] = [
        &[],
        &["Sec-WebSocket-Key:"],
        &["Sec-WebSocket-Key: dG9vIHNob3J0"],
        &["Sec-WebSocket-Key: ************************"],
        &["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZSBpcyB0b28gbG9uZw=="],
        &[KEY, KEY],
    ];
    for key in keys {
        let request = head("GET / HTTP/1.1", &[others, key].concat());
        assert_eq!(status(&stage, &request).await, 400, "{request}");
    }
    stage.serves().await;
}

/// RFC 6455 section 4.1 prints this key: the four bits after the 16 bytes are not zero, and nothing
/// depends on them.
async fn the_key_that_the_rfc_prints_is_accepted(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let printed = "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEC==";
    let request = good("a", &[UPGRADE, CONNECTION]).replace(KEY, printed);
    is_accepted(&stage, &request).await;
}

async fn what_is_not_http_is_400(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for bytes in [
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n",
        "GET / HTTP/1.1\r\nbad name: x\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{fc}\r\n\r\n",
        "G\u{0}T / HTTP/1.1\r\n\r\n",
    ] {
        assert_eq!(status(&stage, bytes).await, 400, "{bytes:?}");
    }
    stage.serves().await;
}

async fn a_missing_host_is_400(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let others: &[&str] = &[KEY, VERSION, UPGRADE, CONNECTION];
    let request = head("GET / HTTP/1.1", others);
    assert_eq!(status(&stage, &request).await, 400);
    let twice = [others, &[HOST, "Host: elsewhere"]].concat();
    assert_eq!(status(&stage, &head("GET / HTTP/1.1", &twice)).await, 400);
    stage.serves().await;
}

async fn too_many_headers_are_431(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut headers = vec![HOST, KEY, VERSION, UPGRADE, CONNECTION];
    headers.resize(300, "x: y");
    let request = head("GET / HTTP/1.1", &headers);
    assert_eq!(status(&stage, &request).await, 431);
    stage.serves().await;
}

async fn a_head_that_is_too_large_is_431(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let large = format!("x-large: {}", "x".repeat(64 << 10));
    let headers = [HOST, KEY, VERSION, UPGRADE, CONNECTION, &large];
    let request = head("GET / HTTP/1.1", &headers);
    assert_eq!(status(&stage, &request).await, 431);
    // The same without an end: the server must not wait for it.
    let endless = format!("GET / HTTP/1.1\r\n{HOST}\r\nx-large: {}", "x".repeat(64 << 10));
    assert_eq!(status(&stage, &endless).await, 431);
    stage.serves().await;
}

async fn a_target_that_is_too_long_is_414(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let line = format!("GET /{} HTTP/1.1", "x".repeat(12 << 10));
    let headers = [HOST, KEY, VERSION, UPGRADE, CONNECTION];
    assert_eq!(status(&stage, &head(&line, &headers)).await, 414);
    let endless = format!("GET /{}", "x".repeat(12 << 10));
    assert_eq!(status(&stage, &endless).await, 414);
    stage.serves().await;
}

fn hasty() -> Profile {
    Profile {
        handshake_timeout: Some(Duration::from_millis(300)),
        ..Profile::default()
    }
}

async fn a_head_that_takes_too_long_is_408(scene: Scene<'_>) {
    let stage = scene.stage_with(hasty()).await;
    let mut raw = stage.raw().await;
    let bytes = good("a", &[UPGRADE, CONNECTION]).into_bytes();
    // Occasional bytes do not prolong the time, which applies to the whole head.
    for part in bytes[..40].chunks(8) {
        raw.write(part).await.unwrap();
        stage.advance(Duration::from_millis(50)).await;
    }
    let response = raw.response().await.unwrap();
    assert_eq!(response.status(), 408);
    stage.serves().await;
}

async fn a_silent_connection_is_let_go(scene: Scene<'_>) {
    let stage = scene.stage_with(hasty()).await;
    let mut raw = stage.raw().await;
    stage.advance(Duration::from_millis(400)).await;
    if let Some(response) = raw.response().await {
        assert_eq!(response.status(), 408);
    }
    stage.serves().await;
}

async fn a_target_in_absolute_form_is_harmless(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for target in ["http://evil.example/raw", "http://localhost/raw?x=1"] {
        let line = format!("GET {target} HTTP/1.1");
        let headers = [HOST, KEY, VERSION, UPGRADE, CONNECTION];
        let status = status(&stage, &head(&line, &headers)).await;
        assert!(status == 101 || (400..500).contains(&status), "{status}");
    }
    // If it was accepted, the namespace is the path, without the authority that the client chose.
    for namespace in stage.namespaces().await {
        assert_eq!(namespace, "/raw");
    }
    stage.serves().await;
}

/// RFC 9112 section 3.2: a GET has a path, or a URL of HTTP.
async fn a_target_that_is_not_a_path_is_400(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for line in [
        "GET * HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET raw HTTP/1.1",
        "GET localhost:80 HTTP/1.1",
        "GET ftp://localhost/raw HTTP/1.1",
    ] {
        let headers = [HOST, KEY, VERSION, UPGRADE, CONNECTION];
        assert_eq!(status(&stage, &head(line, &headers)).await, 400, "{line}");
    }
    assert_eq!(stage.namespaces().await, [""; 0]);
    stage.serves().await;
}

async fn a_fragment_in_the_target_is_400(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let headers = [HOST, KEY, VERSION, UPGRADE, CONNECTION];
    for target in ["/raw#fragment", "http://localhost/raw#"] {
        let line = format!("GET {target} HTTP/1.1");
        assert_eq!(status(&stage, &head(&line, &headers)).await, 400, "{line}");
    }
    stage.serves().await;
}

/// The client's next bytes may be frames.
async fn a_refused_upgrade_ends_the_connection(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let refused = Ask {
        refuse: Some(crate::Refuse {
            status: 401,
            headers: Vec::new(),
            body: "who is it?".to_owned(),
        }),
        ..Ask::named("a")
    };
    let headers = [HOST, KEY, VERSION, UPGRADE, CONNECTION];
    let by_a_hook = head(&format!("GET {} HTTP/1.1", refused.target("/raw")), &headers);
    let by_a_rule = good("b", &[UPGRADE, CONNECTION]).replace(VERSION, "Sec-WebSocket-Version: 8");
    let page = head("GET / HTTP/1.1", &[HOST]);
    for (request, expected) in [(by_a_hook, 401), (by_a_rule, 426)] {
        // As the first request of its connection, and as a later one.
        for before in [false, true] {
            let mut raw = stage.raw().await;
            if before {
                raw.write(page.as_bytes()).await.unwrap();
                assert_eq!(raw.response().await.unwrap().status(), 200);
            }
            raw.write(request.as_bytes()).await.unwrap();
            assert_eq!(raw.response().await.unwrap().status(), expected);
            assert!(raw.response().await.is_none(), "{expected}, before: {before}");
        }
    }
    stage.serves().await;
}

async fn a_header_that_is_not_ascii_is_harmless(scene: Scene<'_>) {
    let stage = scene.stage().await;
    is_accepted(&stage, &good("a", &[UPGRADE, CONNECTION, "x-name: Zażółć"])).await;
    let odd = good("b", &[UPGRADE, CONNECTION, "Sec-WebSocket-Protocol: żółć"]);
    let status = status(&stage, &odd).await;
    assert!(status == 101 || status == 400, "{status}");
    stage.serves().await;
}

async fn half_a_head_and_gone_is_harmless(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let bytes = good("a", &[UPGRADE, CONNECTION]).into_bytes();
    for end in [0, 1, 10, bytes.len() / 2, bytes.len() - 1] {
        let mut raw = stage.raw().await;
        raw.write(&bytes[..end]).await.unwrap();
        raw.finish().await;
    }
    stage.serves().await;
    assert_eq!(stage.count("a", "open").await, 0);
}

async fn a_bad_handshake_reaches_no_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let line = format!("GET {} HTTP/1.1", Ask::named("a").target("/raw"));
    let keyless = head(&line, &[HOST, VERSION, UPGRADE, CONNECTION]);
    assert_eq!(status(&stage, &keyless).await, 400);
    assert_eq!(stage.count("a", "upgrade").await, 0);
    assert_eq!(stage.peers(None).await, []);
}
