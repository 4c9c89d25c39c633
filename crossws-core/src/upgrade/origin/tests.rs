use http::Request;

use super::*;

fn request(host: &str, origins: &[&str]) -> UpgradeRequest {
    let mut request = Request::get("/chat").header("host", host);
    for origin in origins {
        request = request.header("origin", *origin);
    }
    UpgradeRequest::new(request.body(()).unwrap().into_parts().0)
}

#[test]
fn same_origin_compares_host_and_port() {
    let cases: &[(&str, &[&str], bool)] = &[
        ("example.org", &[], true),
        ("example.org", &["http://example.org"], true),
        ("example.org", &["https://example.org"], true),
        ("EXAMPLE.org", &["https://example.ORG"], true),
        ("example.org:80", &["http://example.org"], true),
        ("example.org:443", &["https://example.org"], true),
        ("example.org", &["https://example.org:443"], true),
        ("example.org:8080", &["http://example.org:8080"], true),
        ("[::1]:3000", &["http://[::1]:3000"], true),
        ("[::1]", &["http://[::1]"], true),
        ("example.org", &["http://example.org:8080"], false),
        ("example.org:443", &["http://example.org"], false),
        ("example.org", &["http://evil.example"], false),
        ("example.org", &["http://example.org.evil.example"], false),
        ("example.org", &["http://evilexample.org"], false),
        ("example.org", &["http://example.org@evil.example"], false),
        ("example.org", &["http://evil.example/example.org"], false),
        ("example.org", &["null"], false),
        ("example.org", &[""], false),
        ("example.org", &["example.org"], false),
        ("example.org", &["file://"], false),
        ("example.org", &["chrome-extension://example.org"], false),
        (
            "example.org",
            &["http://example.org", "http://evil.example"],
            false,
        ),
        ("example.org:abc", &["http://example.org:abc"], false),
        ("", &["http://"], false),
    ];
    for (host, origins, admitted) in cases {
        assert_eq!(
            Origin::Same.admits(&request(host, origins)),
            *admitted,
            "host {host:?}, origin {origins:?}"
        );
        assert!(Origin::Any.admits(&request(host, origins)));
    }
}

#[test]
fn a_port_that_a_proxy_has_dropped_is_forgiven() {
    let page = ["http://example.org:8080"];
    let plain = || request("example.org", &page);
    let with = |name: &'static str, value: &str| {
        let mut parts = plain().into_parts();
        parts.headers.insert(name, value.parse().unwrap());
        UpgradeRequest::new(parts)
    };
    let admits = |request: &UpgradeRequest| Origin::Same.admits(request);
    assert!(!admits(&plain()), "a browser would have named the port");
    assert!(admits(&plain().with_forwarded(true)));
    for (name, value) in [
        ("forwarded", "for=192.0.2.1"),
        ("via", "1.1 proxy"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-real-ip", "192.0.2.1"),
        ("sec-fetch-site", "same-origin"),
    ] {
        assert!(admits(&with(name, value)), "{name}");
    }
    for site in ["same-site", "cross-site", "none"] {
        let request = with("sec-fetch-site", site).with_forwarded(true);
        assert!(!admits(&request), "the browser says {site}");
    }
    // Only a port that is missing, of the same host.
    for (host, origin) in [
        ("example.org:80", "http://example.org:8080"),
        ("example.org:8080", "http://example.org"),
        ("example.org", "http://evil.example:8080"),
        ("example.org", "null"),
    ] {
        let request = request(host, &[origin]).with_forwarded(true);
        assert!(!admits(&request), "{host}, {origin}");
    }
}

#[test]
fn a_refusal_names_what_was_compared_and_shows_no_control_characters() {
    let body = |request: &UpgradeRequest| {
        let rejection = Origin::Same.refusal(request);
        assert_eq!(rejection.status(), 403);
        String::from_utf8(rejection.response().body().to_vec()).unwrap()
    };
    let foreign = body(&request("127.0.0.1:3000", &["https://app.example"]));
    for part in [
        "`https://app.example`",
        "`127.0.0.1:3000`",
        "Origin::listed",
    ] {
        assert!(foreign.contains(part), "{foreign}");
    }
    let twice = body(&request("a", &["http://a", "http://b"]));
    assert!(twice.contains("`http://a`, `http://b`"), "{twice}");
    let mut parts = request("a", &[]).into_parts();
    let odd = [&b"\xff\t"[..], &[b'x'; 1000]].concat();
    let odd = http::HeaderValue::from_bytes(&odd).unwrap();
    parts.headers.insert("origin", odd);
    let odd = body(&UpgradeRequest::new(parts));
    assert!(odd.contains("`\\xff\\tx"), "{odd}");
    assert!(odd.len() < 400, "{odd}");
}

#[test]
fn a_list_admits_its_entries_and_the_same_host() {
    let list = Origin::listed(["https://app.example"]);
    assert!(list.admits(&request("api.example", &["https://app.example"])));
    assert!(list.admits(&request("api.example", &["https://api.example"])));
    assert!(list.admits(&request("api.example", &[])));
    assert!(!list.admits(&request("api.example", &["https://app.example:444"])));
    assert!(!list.admits(&request("api.example", &["null"])));
}

#[test]
fn an_entry_is_understood_or_named() {
    let admits =
        |entry: &str, page: &str| Origin::listed([entry]).admits(&request("api.example", &[page]));
    for (entry, page) in [
        ("https://app.example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://app.example:80/", "http://app.example"),
        ("HTTPS://App.Example", "https://app.example"),
        ("http://[::1]:3000/", "http://[::1]:3000"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
        ("capacitor://localhost/", "capacitor://localhost"),
        ("file://", "file://"),
        ("file:///", "file://"),
    ] {
        assert!(Origin::listed([entry]).check().is_ok(), "{entry}");
        assert!(admits(entry, page), "{entry} admits {page}");
    }
    for (entry, page) in [
        ("https://app.example", "http://app.example"),
        ("https://app.example:80", "https://app.example"),
        ("https://app.example", "https://app.example.evil.example"),
        ("https://app.example/", "null"),
        ("file://", "null"),
        ("file://", "file://host"),
    ] {
        assert!(!admits(entry, page), "{entry} does not admit {page}");
    }
    for entry in [
        "app.example",
        "*",
        "https://*.example",
        "https://app.example/chat",
        "https://bücher.example",
        "//app.example",
        "https://",
        "file:///index.html",
        "https://app.example:https",
        "https://user@app.example",
        " https://app.example",
        "null",
        "",
    ] {
        let list = Origin::listed(["https://good.example", entry]);
        let error = list.check().unwrap_err().to_string();
        assert!(error.contains(&*shown(entry.as_bytes())), "{error}");
        if entry.is_ascii() {
            assert!(!list.admits(&request("api.example", &[entry])), "{entry}");
        }
        let refused = list.refusal(&request("api.example", &["https://b.example"]));
        let source = refused.source().unwrap().to_string();
        assert!(
            source.ends_with(&error),
            "the log of a refusal names it: {source}"
        );
        let body = String::from_utf8_lossy(refused.response().body()).into_owned();
        assert!(
            body.contains("b.example") && !body.contains("no origin"),
            "{body}"
        );
    }
}
