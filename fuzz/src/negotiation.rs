use crossws_core::Deflate;
use crossws_proto::handshake::Handshake;
use http::{HeaderValue, Request};

/// Negotiates offers of extensions. The response accepts one of the offers, within the
/// configuration.
pub fn negotiation(data: &[u8]) {
    let [server, client, how, offers @ ..] = data else {
        return;
    };
    let config = Deflate::default()
        .server_max_window_bits(*server)
        .client_max_window_bits(*client)
        .server_no_context_takeover(how & 1 != 0)
        .client_no_context_takeover(how & 2 != 0)
        .strict(how & 4 != 0);
    let mut request = Request::get("/")
        .header("host", "a")
        .header("upgrade", "websocket")
        .header("connection", "upgrade")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())
        .expect("a request");
    for line in offers.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        request
            .headers_mut()
            .append("sec-websocket-extensions", value);
    }
    let handshake = Handshake::check(&request.into_parts().0).expect("a handshake");
    let agreed = match handshake.agree(Some(&config)) {
        Ok(agreed) => agreed,
        Err(rejection) => return assert_eq!(rejection.status(), 400),
    };
    let mut answer = agreed.extensions().split("; ");
    let name = answer.next().unwrap_or_default();
    assert_eq!(name.is_empty(), agreed.deflate().is_none());
    if name.is_empty() {
        return;
    }
    assert_eq!(name, "permessage-deflate");
    let offered = |word: &[u8]| offers.windows(word.len()).any(|window| window == word);
    assert!(offered(b"permessage-deflate"));
    for parameter in answer {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let bits = value.parse().unwrap_or(0_u8);
        match name {
            "server_no_context_takeover" => {
                assert!(config.server_no_context_takeover || offered(name.as_bytes()));
            }
            "client_no_context_takeover" => {
                assert!(config.client_no_context_takeover || offered(name.as_bytes()));
            }
            "server_max_window_bits" => assert!((9..=15).contains(&bits)),
            // Only a client that offers this parameter understands it.
            "client_max_window_bits" => {
                assert!((8..=15).contains(&bits) && offered(name.as_bytes()));
            }
            other => panic!("{other}"),
        }
    }
}
