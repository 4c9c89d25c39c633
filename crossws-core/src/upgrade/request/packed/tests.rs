use std::net::SocketAddr;

use super::super::UpgradeRequest;
use super::*;

type Pairs<'a> = &'a [(&'a str, &'a [u8])];

fn request(target: &str, headers: Pairs<'_>) -> UpgradeRequest {
    let mut request = Request::get(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut parts = request.body(()).unwrap().into_parts().0;
    parts.extensions.insert(7_u8);
    UpgradeRequest::new(parts)
}

/// Returns everything that is observable of a request.
fn seen(request: &UpgradeRequest) -> String {
    let header = |name| request.header(name);
    let protocols: Vec<_> = request.protocols().collect();
    let few = (
        request.method(),
        request.path(),
        request.query(),
        header("Host"),
        header("x-twice"),
        header("x-latin"),
        header("not a name"),
        protocols,
        (request.url(), request.websocket_url()),
        (request.remote_addr(), request.is_secure()),
    );
    let extension: Option<&u8> = request.parts().extensions.get();
    let clone = request.clone().into_parts();
    format!("{few:?} {extension:?} {:?} {clone:?}", request.parts())
}

#[test]
fn bytes_above_ascii_hide_neither_a_header_nor_what_else_is_in_it() {
    let headers: Pairs<'_> = &[
        ("x-name", "Zażółć".as_bytes()),
        ("x-latin", b"caf\xe9"),
        ("sec-websocket-protocol", b"caf\xe9, chat, \xc5\xbc"),
        ("sec-websocket-protocol", b",, v2"),
    ];
    let packed = UpgradeRequest::from_head("/", headers.iter().copied()).unwrap();
    for request in [packed, request("/", headers)] {
        assert_eq!(request.header("x-name"), Some("Zażółć"));
        assert_eq!(request.header("x-latin"), None, "no text");
        assert_eq!(request.headers()["x-latin"].as_bytes(), b"caf\xe9");
        assert!(request.protocols().eq(["chat", "v2"]));
        assert_eq!(request.choose_protocol(&["chat"]), Some("chat"));
    }
}

#[test]
fn what_is_packed_looks_as_before() {
    let headers: Pairs<'_> = &[
        ("host", b"example.org"),
        ("x-twice", b"1"),
        ("sec-websocket-protocol", b"a, b"),
        ("x-latin", b"\xe4"),
        ("x-empty", b""),
        ("x-twice", b"2"),
        ("sec-websocket-protocol", b"c"),
    ];
    for target in ["/", "/a%20b", "/?", "/a?b=c?d", "//a/b?"] {
        for headers in [headers, &headers[..1], &[]] {
            for addr in ADDRS.map(|addr| addr.map(|addr| addr.parse().unwrap())) {
                let secure = addr.is_some_and(|addr: SocketAddr| addr.port() == 443);
                let mut parts = request(target, headers).into_parts();
                // Either version is packed.
                let is_2 = headers.len() == 1;
                parts.version = if is_2 {
                    Version::HTTP_2
                } else {
                    Version::HTTP_11
                };
                let request = UpgradeRequest::new(parts);
                let mut packed = request.with_remote_addr(addr).with_secure(secure);
                let before = seen(&packed);
                packed.pack();
                assert!(matches!(packed.head, super::super::Head::Packed(_)));
                assert_eq!(seen(&packed), before);
                assert_eq!(seen(&packed.clone()), before);
                assert_eq!(seen(&packed.clone().with_secure(secure)), before);
            }
        }
    }
}

const ADDRS: [Option<&str>; 4] = [
    None,
    Some("127.0.0.1:0"),
    Some("255.1.2.3:443"),
    Some("[fe80::1%7]:65535"),
];

#[test]
fn what_is_made_of_a_head_looks_as_what_is_made_of_its_parts() {
    let headers: Pairs<'_> = &[
        ("Host", b"example.org"),
        ("X-Twice", b"1"),
        ("SEC-WebSocket-Protocol", b"a, b"),
        ("x-latin", b"\xe4\t"),
        ("x-twice", b"2"),
        ("sec-websocket-protocol", b"c"),
        ("Cookie", b""),
    ];
    for target in [
        "/",
        "/a%20b",
        "/?",
        "/a?b=c?d",
        "//a/b?",
        "/~a@b:c;d=(e)!$&'*+,",
    ] {
        for headers in [headers, &headers[..1], &[]] {
            let mut head = UpgradeRequest::from_head(target, headers.iter().copied()).unwrap();
            let mut parts = request(target, headers).into_parts();
            parts.extensions.clear();
            let parts = seen(&UpgradeRequest::new(parts));
            assert_eq!(seen(&head), parts);
            head.pack();
            let super::super::Head::Packed(packed) = &head.head else {
                panic!("not packed");
            };
            assert!(packed.parts.get().is_none(), "what a hook asked for stays");
            assert_eq!(seen(&head), parts);
        }
    }
}

#[test]
fn a_head_that_needs_a_second_look_is_not_packed() {
    let long = vec![b'x'; 1 << 16];
    let path = format!("/{}", "x".repeat(u16::MAX as usize));
    let name = "x".repeat(200);
    let many = vec![("a", &b"b"[..]); MOST_HEADERS + 1];
    let cases: &[(&str, Pairs<'_>)] = &[
        ("*", &[]),
        ("", &[]),
        ("http://example.org/a", &[]),
        ("/a b", &[]),
        ("/a#b", &[]),
        ("/\u{e4}", &[]),
        ("/\"", &[]),
        (&path, &[]),
        ("/", &[("x-long", &long)]),
        ("/", &[(&name, b"")]),
        ("/", &[("", b"")]),
        ("/", &[("a b", b"")]),
        ("/", &[("a", b"\n")]),
        ("/", &[("a", b"\x7f")]),
        ("/", &many),
    ];
    for (target, headers) in cases {
        let made = UpgradeRequest::from_head(target, headers.iter().copied());
        assert!(made.is_none(), "{target:?}");
    }
}

#[test]
fn an_unusual_request_stays_as_it_is() {
    let long = vec![b'x'; 1 << 16];
    let secret = {
        let mut value = HeaderValue::from_static("secret");
        value.set_sensitive(true);
        value
    };
    let mut sensitive = request("/", &[]).into_parts();
    sensitive.headers.insert("cookie", secret);
    let mut old = request("/", &[]).into_parts();
    old.version = Version::HTTP_10;
    let name = "x".repeat(200);
    let mut post = request("/", &[]).into_parts();
    post.method = Method::POST;
    for mut request in [
        request("http://example.org/a", &[]),
        request("*", &[]),
        request("/", &[("x-long", &long)]),
        request("/", &[(&name, b"")]),
        UpgradeRequest::new(sensitive),
        UpgradeRequest::new(old),
        UpgradeRequest::new(post),
    ] {
        let before = seen(&request);
        request.pack();
        assert!(matches!(request.head, super::super::Head::Whole(_)));
        assert_eq!(seen(&request), before);
    }
}

#[test]
fn a_settled_request_drops_the_largest_headers_first_and_whole() {
    let (large, larger) = (vec![b'l'; 300], vec![b'm'; 200]);
    let headers: Pairs<'_> = &[
        ("host", b"example.org"),
        ("x-large", &large),
        ("x-twice", &larger),
        ("x-small", b"s"),
        ("origin", &[b'o'; 150]),
        ("x-kept", &[b'k'; 400]),
        ("x-twice", &larger),
    ];
    let kept = [HeaderName::from_static("x-kept")];
    let left = |mut request: UpgradeRequest, most| {
        request.settle(most, &kept);
        let names = request.headers().keys();
        names.map(|name| name.to_string()).collect::<Vec<_>>()
    };
    let all = ["host", "x-large", "x-twice", "x-small", "origin", "x-kept"];
    // Two lines of one header are 400 bytes, and go first.
    let rounds: [(usize, &[&str]); 6] = [
        (4096, &all),
        (1200, &["host", "x-large", "x-small", "origin", "x-kept"]),
        (800, &["host", "x-small", "origin", "x-kept"]),
        (590, &["host", "origin", "x-kept"]),
        (400, &["host", "origin"]),
        (1, &[]),
    ];
    for (most, names) in rounds {
        let packed = UpgradeRequest::from_head("/a?b", headers.iter().copied()).unwrap();
        assert_eq!(left(packed.clone(), most), names, "{most}");
        let mut request = packed;
        request.settle(most, &kept);
        assert_eq!((request.path(), request.query()), ("/a", Some("b")));
        let super::super::Head::Packed(packed) = &request.head else {
            panic!("not packed");
        };
        assert!(packed.bytes.len() <= most.max(1 + 2 + 4), "{most}");
    }
    // Which does not fit the packed form, so that each line takes a map's entry too.
    let whole = || request("http://example.org/a", headers);
    assert_eq!(left(whole(), 4096), all);
    assert_eq!(
        left(whole(), 1500),
        ["host", "x-large", "x-small", "origin", "x-kept"]
    );
    assert!(left(whole(), 1).is_empty());
    // Which fits once the name that is too long is gone.
    let long = "x".repeat(200);
    let mut request = request("/", &[("host", b"a"), (&long, &large)]);
    request.settle(400, &kept);
    assert!(matches!(request.head, super::super::Head::Packed(_)));
    assert_eq!(request.header("host"), Some("a"));
}

#[test]
fn a_packed_head_is_shorter_than_it_was_sent() {
    let mut packed = request("/idle", &[("host", b"example.org"), ("x-a", b"1")]);
    packed.pack();
    let super::super::Head::Packed(packed) = &packed.head else {
        panic!("not packed");
    };
    assert_eq!(packed.bytes.len(), 1 + 2 + 5 + 3 + 11 + 3 + 3 + 1);
    assert!(packed.parts.get().is_none());
}

#[test]
fn a_usual_line_takes_two_bytes_and_looks_as_it_was_sent() {
    let usual = NAMES
        .iter()
        .flat_map(|(name, values)| values.iter().map(move |it| (*name, *it)));
    let other_case = [("upgrade", "WebSocket"), ("connection", "upgrade")];
    for (name, value) in usual.clone().chain(other_case) {
        let headers: Pairs<'_> = &[(name, value.as_bytes()), ("x-a", b"1")];
        let head = UpgradeRequest::from_head("/", headers.iter().copied()).unwrap();
        let mut parts = request("/", headers).into_parts();
        parts.extensions.clear();
        assert_eq!(seen(&head), seen(&UpgradeRequest::new(parts)));
        let super::super::Head::Packed(packed) = &head.head else {
            panic!("not packed");
        };
        let line = match other_case.contains(&(name, value)) {
            true => 3 + value.len(),
            false => 2,
        };
        assert_eq!(
            packed.bytes.len(),
            1 + 2 + 1 + line + 3 + 3 + 1,
            "{name}: {value}"
        );
    }
}
