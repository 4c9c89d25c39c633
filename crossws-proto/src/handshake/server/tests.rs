use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use http::Request;

use super::*;

const GOOD: &[(&str, &str)] = &[
    ("host", "example.org"),
    ("upgrade", "websocket"),
    ("connection", "Upgrade"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
];

fn request(method: &str, headers: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder().method(method).uri("/chat");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

fn with(name: &'static str, values: &[&'static str]) -> Parts {
    let mut headers: Vec<_> = GOOD
        .iter()
        .filter(|(one, _)| *one != name)
        .copied()
        .collect();
    headers.extend(values.iter().map(|value| (name, *value)));
    request("GET", &headers)
}

/// Checks the request both as parts and as a parsed head: the results must be equal.
fn status(parts: &Parts) -> u16 {
    let headers: Vec<_> = parts.headers.iter().collect();
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| httparse::Header {
            name: name.as_str(),
            value: value.as_bytes(),
        })
        .collect();
    let get = parts.method == Method::GET;
    let head = Handshake::check_headers(get, parts.version == Version::HTTP_11, &headers[..]);
    let version_1_1 = parts.version == Version::HTTP_11;
    assert_eq!(asks(version_1_1, &headers[..]), is_upgrade(parts));
    match (Handshake::check(parts), head) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one, other);
            101
        }
        (Err(one), Err(other)) => {
            assert_eq!(one.status(), other.status());
            one.status().as_u16()
        }
        (one, other) => panic!("{one:?} {other:?}"),
    }
}

#[test]
fn the_rfc_example_gets_the_response_that_the_rfc_prints() {
    let handshake = Handshake::check(&request("GET", GOOD)).unwrap();
    let accept = handshake.accept.unwrap();
    assert_eq!(&accept, b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

#[test]
fn an_extended_connect_has_no_key_and_gets_a_200() {
    let connect = |target: &str, headers: &[(&str, &str)]| {
        let mut parts = request("CONNECT", headers);
        parts.uri = target.parse().unwrap();
        parts.version = Version::HTTP_2;
        Handshake::check_connect(&parts)
    };
    let target = "https://example.org/chat";
    let version = ("sec-websocket-version", "13");
    let offer = ("sec-websocket-extensions", "permessage-deflate");
    let handshake = connect(target, &[version, offer]).unwrap();
    let agreed = handshake.agree(Some(&Deflate::default())).unwrap();
    let response = handshake.response(&HeaderMap::new(), &agreed);
    assert_eq!(response.status(), 200);
    let names: Vec<_> = response.headers().keys().collect();
    assert_eq!(names, [SEC_WEBSOCKET_EXTENSIONS]);
    for headers in [
        &[][..],
        &[("sec-websocket-version", "8")],
        &[version, version],
    ] {
        let rejection = connect(target, headers).unwrap_err();
        assert_eq!(rejection.status(), 400);
        let headers = rejection.response().headers();
        assert_eq!(headers["sec-websocket-version"], "13");
        assert!(!headers.contains_key("upgrade"));
    }
    let body = [version, ("content-length", "5")];
    assert_eq!(connect(target, &body).unwrap_err().status(), 400);
    for target in [
        "example.org:80",
        "ftp://example.org/",
        "https://user@example.org/",
    ] {
        assert_eq!(connect(target, &[version]).unwrap_err().status(), 400);
    }
    // Without an authority, one `Host` names it.
    let host = ("host", "example.org");
    assert!(connect("/chat", &[version, host]).is_ok());
    for hosts in [&[version][..], &[version, host, host]] {
        assert_eq!(connect("/chat", hosts).unwrap_err().status(), 400);
    }
}

#[test]
fn every_broken_rule_has_its_status() {
    let cases: &[(&'static str, &[&'static str], u16)] = &[
        ("connection", &["keep-alive, Upgrade"], 101),
        ("connection", &["keep-alive", "upgrade"], 101),
        ("connection", &["keep-alive"], 400),
        ("connection", &["xupgrade"], 400),
        ("connection", &[], 400),
        ("upgrade", &["WebSocket"], 101),
        ("host", &[], 400),
        ("host", &["a", "b"], 400),
        ("sec-websocket-version", &["12"], 426),
        ("sec-websocket-version", &["13", "8"], 426),
        ("sec-websocket-version", &["13, 8"], 426),
        ("sec-websocket-version", &[], 426),
        ("sec-websocket-key", &[], 400),
        (
            "sec-websocket-key",
            &["dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZQ=="],
            400,
        ),
        ("sec-websocket-key", &["c2hvcnQ="], 400),
        ("sec-websocket-key", &["dGhlIHNhbXBsZSBub25jZQ"], 400),
        ("sec-websocket-key", &["!!!"], 400),
        ("sec-websocket-key", &["AQIDBAUGBwgJCgsMDQ4PEC=="], 101),
        ("sec-websocket-key", &["AQIDBAUGBwgJCgsMDQ4PE==="], 400),
        ("content-length", &["0"], 101),
        ("content-length", &["5"], 400),
        ("transfer-encoding", &["chunked"], 400),
    ];
    for (name, values, expected) in cases {
        assert_eq!(status(&with(name, values)), *expected, "{name}: {values:?}");
    }
    assert_eq!(status(&request("POST", GOOD)), 405);
    let mut old = request("GET", GOOD);
    old.version = Version::HTTP_10;
    assert_eq!(status(&old), 400);
}

#[test]
fn extensions_are_negotiated_where_they_are_configured() {
    let offer = "permessage-deflate; client_max_window_bits";
    let handshake = Handshake::check(&with("sec-websocket-extensions", &[offer])).unwrap();
    let answer = |agreed: &Agreed| {
        let response = handshake.response(&HeaderMap::new(), agreed);
        let header = response.headers().get("sec-websocket-extensions").cloned();
        assert_eq!(
            header.map_or(String::new(), |value| value.to_str().unwrap().to_owned()),
            agreed.extensions()
        );
        agreed.extensions().to_owned()
    };
    let off = handshake.agree(None).unwrap();
    assert_eq!(answer(&off), "");
    assert!(off.deflate().is_none());
    let config = Deflate::default();
    let on = handshake.agree(Some(&config)).unwrap();
    assert_eq!(
        answer(&on),
        "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
    );
    assert!(!on.deflate().unwrap().outgoing.takes_context_over());
    let twice = ["foo", "permessage-deflate; foo"];
    let twice = Handshake::check(&with("sec-websocket-extensions", &twice)).unwrap();
    let strict = config.strict(true);
    assert!(twice.agree(Some(&config)).unwrap().deflate().is_none());
    assert_eq!(twice.agree(Some(&strict)).unwrap_err().status(), 400);
}

#[test]
fn the_response_to_a_wrong_version_names_the_right_one() {
    let rejection = Handshake::check(&with("sec-websocket-version", &["8"])).unwrap_err();
    let headers = rejection.response().headers();
    assert_eq!(headers["sec-websocket-version"], "13");
    assert_eq!(headers["upgrade"], "websocket");
}

#[test]
fn an_upgrade_is_recognized_by_its_token() {
    assert!(is_upgrade(&request(
        "GET",
        &[("upgrade", "h2c, websocket")]
    )));
    assert!(!is_upgrade(&request("GET", &[("upgrade", "h2c")])));
    assert!(!is_upgrade(&request("GET", &[])));
    // RFC 9110 section 7.8.
    let mut old = request("GET", GOOD);
    old.version = Version::HTTP_10;
    assert!(!is_upgrade(&old));
}

#[test]
fn a_key_decodes_to_16_bytes_and_its_last_bits_are_ignored() {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let engine = GeneralPurpose::new(&alphabet::STANDARD, config);
    let is_16 = |key: &[u8]| engine.decode(key).is_ok_and(|nonce| nonce.len() == 16);
    let good = b"dGhlIHNhbXBsZSBub25jZQ==";
    for at in 0..good.len() {
        for byte in 0..=u8::MAX {
            let mut key = *good;
            key[at] = byte;
            assert_eq!(is_key(&key), is_16(&key), "{:?}", key.escape_ascii());
        }
        assert!(!is_key(&good[..at]));
    }
    for key in [
        &b"dGhlIHNhbXBsZSBub25jZQ==="[..],
        b"dGhlIHNhbXBsZSBub25jZWE=",
        b"",
    ] {
        assert_eq!(is_key(key), is_16(key));
    }
}
