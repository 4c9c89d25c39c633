use crossws_core::Deflate;
use crossws_proto::handshake::{AnswerError, ClientHandshake, Handshake};
use http::{HeaderMap, HeaderValue, Request};

fn config(server: u8, client: u8, how: u8) -> Deflate {
    Deflate::default()
        .server_max_window_bits(server)
        .client_max_window_bits(client)
        .server_no_context_takeover(how & 1 != 0)
        .client_no_context_takeover(how & 2 != 0)
        .max_context_memory(if how & 4 != 0 { 0 } else { usize::MAX >> 1 })
}

/// Responses to a client's offer. The client accepts a response only if it keeps what the offer
/// asked of the server, and it never refuses a response of our own server.
pub fn answer(data: &[u8]) {
    let [
        server,
        client,
        how,
        their_server,
        their_client,
        answers @ ..,
    ] = data
    else {
        return;
    };
    let ours = config(*server, *client, *how);
    let theirs = config(*their_server, *their_client, how >> 3);

    let (handshake, served) = pair(&ours);
    let agreed = served
        .agree(Some(&theirs))
        .expect("an agreement");
    let (parts, ()) = served
        .response(&HeaderMap::new(), &agreed)
        .map(drop)
        .into_parts();
    let checked = handshake.check(&parts).expect("a response that fits");
    assert_eq!(checked.extensions(), agreed.extensions());
    let (here, there) = (
        checked.deflate().expect("both"),
        agreed.deflate().expect("both"),
    );
    assert_eq!(here.incoming_takeover, there.outgoing.takes_context_over());
    assert!(there.incoming_takeover || !here.outgoing.takes_context_over());

    let (handshake, served) = pair(&ours.strict(how & 64 != 0));
    let none = served.agree(None).expect("no agreement");
    let (mut parts, ()) = served
        .response(&HeaderMap::new(), &none)
        .map(drop)
        .into_parts();
    for line in answers.split(|byte| *byte == b'\n') {
        let Ok(value) = HeaderValue::from_bytes(line) else {
            return;
        };
        parts.headers.append("sec-websocket-extensions", value);
    }
    // Blank lines name no extension.
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b',' | b'\n');
    let blank = answers.iter().all(blank);
    let checked = match handshake.check(&parts) {
        Ok(checked) => checked,
        Err(AnswerError::Declined) if blank => return,
        Err(AnswerError::Malformed(_) | AnswerError::Extension | AnswerError::Parameters) => return,
        Err(error) => panic!("{error}"),
    };
    let Some(deflate) = checked.deflate() else {
        assert!(blank, "an extension");
        return;
    };
    let said: Vec<_> = checked.extensions().split("; ").collect();
    assert_eq!(said[0], "permessage-deflate");
    let server_forgets = said.contains(&"server_no_context_takeover");
    assert!(server_forgets || !ours.server_no_context_takeover);
    assert_eq!(deflate.incoming_takeover, !server_forgets);
    assert!(!deflate.outgoing.takes_context_over() || !ours.client_no_context_takeover);
    let bits = said
        .iter()
        .find_map(|said| said.strip_prefix("server_max_window_bits="));
    let bits = bits.map_or(15, |bits| bits.parse().expect("a number"));
    assert!(bits <= ours.server_max_window_bits.clamp(9, 15));
}

/// Returns a client's handshake, and the server's check of it.
fn pair(config: &Deflate) -> (ClientHandshake, Handshake) {
    let handshake = ClientHandshake::new(Some(config)).expect("randomness");
    let mut request = Request::get("/")
        .header("host", "a")
        .body(())
        .expect("a request");
    request.headers_mut().extend(handshake.headers());
    let served = Handshake::check(&request.into_parts().0).expect("a handshake");
    (handshake, served)
}
