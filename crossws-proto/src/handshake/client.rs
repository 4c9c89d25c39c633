//! The client's side of the opening handshake (RFC 6455 section 4.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crossws_core::Deflate;
use crossws_core::adapter::is_token;
use http::header::{
    CONNECTION, HeaderMap, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::response::Parts;
use http::{StatusCode, Version};

use super::answer_error::AnswerError;
use super::extensions::answer::Offer;
use super::lookup::{has_token, only};
use super::{Agreed, accept};

/// A subprotocol whose name is not a token (RFC 6455 section 4.1).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the subprotocol {0:?} is not a token")]
#[non_exhaustive]
pub struct InvalidProtocol(pub String);

/// A client's opening handshake: its headers, and the check of the response. The connection then
/// uses a [`Decoder`](crate::frame::Decoder) in the client's role.
///
/// ```
/// use crossws_proto::handshake::{AnswerError, ClientHandshake};
///
/// let handshake = ClientHandshake::new(None)?;
/// assert_eq!(handshake.headers()["sec-websocket-version"], "13");
/// // … send them in a GET request, read the response …
/// let answer = http::Response::builder().status(404).body(())?.into_parts().0;
/// let error = handshake.check(&answer).unwrap_err();
/// assert!(matches!(error, AnswerError::Status(status) if status == 404));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ClientHandshake {
    key: String,
    protocols: Vec<String>,
    offer: Option<Offer>,
}

impl ClientHandshake {
    /// Creates a handshake with a fresh key from the system's random source.
    ///
    /// With a configuration, permessage-deflate is offered. The server is asked for what the
    /// configuration says about servers (and for no context takeover if the process has no memory
    /// for another context). What it says about clients applies whatever the server responds.
    /// `strict` refuses a server that declines.
    ///
    /// # Errors
    /// When the system's random source fails.
    pub fn new(deflate: Option<&Deflate>) -> Result<Self, getrandom::Error> {
        let mut nonce = [0; 16];
        getrandom::fill(&mut nonce)?;
        Ok(Self {
            key: STANDARD.encode(nonce),
            protocols: Vec::new(),
            offer: deflate.map(Offer::new),
        })
    }

    /// Offers these subprotocols, the preferred one first. A server need not choose any; the chosen
    /// one is in the response's `Sec-WebSocket-Protocol`.
    ///
    /// One that is named twice is offered once.
    ///
    /// # Errors
    /// [`InvalidProtocol`] if one of them cannot be offered.
    pub fn with_protocols<S: Into<String>>(
        mut self,
        protocols: impl IntoIterator<Item = S>,
    ) -> Result<Self, InvalidProtocol> {
        for protocol in protocols.into_iter().map(Into::into) {
            if !is_token(&protocol) {
                return Err(InvalidProtocol(protocol));
            }
            if !self.protocols.contains(&protocol) {
                self.protocols.push(protocol);
            }
        }
        Ok(self)
    }

    /// Returns the headers of the request, which must be a GET of HTTP/1.1. Only `Host` is missing.
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        let offer = self.offer.as_ref().map(Offer::header);
        let protocols = (!self.protocols.is_empty()).then(|| self.protocols.join(", "));
        let values = [
            (SEC_WEBSOCKET_PROTOCOL, protocols),
            (SEC_WEBSOCKET_KEY, Some(self.key.clone())),
            (SEC_WEBSOCKET_EXTENSIONS, offer),
        ];
        for (name, value) in values {
            // This crate created the value, and it is ASCII.
            if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
                headers.insert(name, value);
            }
        }
        headers
    }

    /// Checks the response. On the stream, the server's frames follow its head.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(self, answer: &Parts) -> Result<Agreed, AnswerError> {
        let headers = &answer.headers;
        if answer.status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(AnswerError::Status(answer.status));
        }
        if answer.version != Version::HTTP_11 {
            return Err(AnswerError::Version);
        }
        let upgrade = only(headers, &UPGRADE);
        if upgrade.is_none_or(|value| !value.eq_ignore_ascii_case(b"websocket")) {
            return Err(AnswerError::Upgrade);
        }
        if !has_token(headers, &CONNECTION, "upgrade") {
            return Err(AnswerError::Connection);
        }
        let expected = accept(self.key.as_bytes());
        let accept = only(headers, &SEC_WEBSOCKET_ACCEPT);
        if accept.is_none_or(|value| value != expected) {
            return Err(AnswerError::Accept);
        }
        if headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
            let chosen = only(headers, &SEC_WEBSOCKET_PROTOCOL);
            let offered = |one: &String| chosen.is_some_and(|chosen| chosen == one.as_bytes());
            if !self.protocols.iter().any(offered) {
                return Err(AnswerError::Protocol);
            }
        }
        self.check_extensions(headers)
    }

    /// Checks only the extensions of a response, for a connection without a socket, whose other headers
    /// prove nothing.
    ///
    /// # Errors
    /// The first rule that they break.
    pub fn check_extensions(self, headers: &HeaderMap) -> Result<Agreed, AnswerError> {
        let lines = headers.get_all(SEC_WEBSOCKET_EXTENSIONS);
        // A blank line names none.
        let is_blank = |line: &&[u8]| line.trim_ascii().is_empty();
        let mut lines = lines
            .iter()
            .map(HeaderValue::as_bytes)
            .filter(|line| !is_blank(line));
        let deflate = match self.offer {
            Some(offer) => offer.answered(lines)?,
            None if lines.next().is_some() => return Err(AnswerError::Extension),
            None => None,
        };
        Ok(Agreed { deflate })
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, Response};

    use super::*;
    use crate::handshake::Handshake;

    /// Returns the response to a handshake, with one header replaced.
    fn answer(handshake: &ClientHandshake, name: &'static str, values: &[&str]) -> Parts {
        let accept = accept(handshake.key.as_bytes());
        let accept = str::from_utf8(&accept).unwrap();
        let good = [
            ("upgrade", "websocket"),
            ("connection", "Upgrade"),
            ("sec-websocket-accept", accept),
        ];
        let mut response = Response::builder().status(101);
        for (name, value) in good.iter().filter(|(one, _)| *one != name) {
            response = response.header(*name, *value);
        }
        for value in values {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            response = response.header(name, value);
        }
        response.body(()).unwrap().into_parts().0
    }

    fn new(deflate: Option<&Deflate>) -> ClientHandshake {
        ClientHandshake::new(deflate).unwrap()
    }

    #[test]
    fn every_broken_rule_has_its_error() {
        use AnswerError::*;
        let cases: &[(&'static str, &[&str], Result<(), AnswerError>)] = &[
            ("x-other", &["1"], Ok(())),
            ("upgrade", &["WebSocket"], Ok(())),
            ("upgrade", &[], Err(Upgrade)),
            ("upgrade", &["websocket", "h2c"], Err(Upgrade)),
            ("upgrade", &["websocket, h2c"], Err(Upgrade)),
            ("connection", &["keep-alive, upgrade"], Ok(())),
            ("connection", &["keep-alive", "UPGRADE"], Ok(())),
            ("connection", &[], Err(Connection)),
            ("connection", &["close"], Err(Connection)),
            ("sec-websocket-accept", &[], Err(Accept)),
            (
                "sec-websocket-accept",
                &["s3pPLMBiTxaQ9kYGzzhZRbK+xOo="],
                Err(Accept),
            ),
            ("sec-websocket-protocol", &["chat"], Err(Protocol)),
            ("sec-websocket-extensions", &[""], Ok(())),
            ("sec-websocket-extensions", &["", " "], Ok(())),
            ("x-name", &["Za\u{17c}"], Ok(())),
            ("sec-websocket-extensions", &["foo"], Err(Extension)),
            ("sec-websocket-extensions", &["", "foo"], Err(Extension)),
            (
                "sec-websocket-extensions",
                &["permessage-deflate"],
                Err(Extension),
            ),
        ];
        for (name, values, expected) in cases {
            let handshake = new(None);
            let answer = answer(&handshake, name, values);
            let checked = handshake.check(&answer).map(|_| ());
            assert_eq!(checked, *expected, "{name}: {values:?}");
        }
        let status = |status| {
            let handshake = new(None);
            let mut answer = answer(&handshake, "x-other", &[]);
            answer.status = status;
            handshake.check(&answer).unwrap_err()
        };
        for code in [StatusCode::OK, StatusCode::FOUND, StatusCode::UNAUTHORIZED] {
            assert_eq!(status(code), Status(code));
        }
        let handshake = new(None);
        let mut old = answer(&handshake, "x-other", &[]);
        old.version = http::Version::HTTP_10;
        assert_eq!(handshake.check(&old).unwrap_err(), Version);
    }

    #[test]
    fn the_accept_of_another_key_is_refused() {
        let (one, other) = (new(None), new(None));
        assert_ne!(one.key, other.key);
        let answer = answer(&one, "x-other", &[]);
        assert_eq!(other.check(&answer).unwrap_err(), AnswerError::Accept);
        assert!(one.check(&answer).is_ok());
    }

    #[test]
    fn a_chosen_subprotocol_is_one_that_was_offered() {
        let cases: &[(&[&str], bool)] = &[
            (&[], true),
            (&["v2"], true),
            (&["v1"], true),
            (&["V2"], false),
            (&["v3"], false),
            (&["v1, v2"], false),
            (&["v1", "v2"], false),
            (&["not a token"], false),
        ];
        for (chosen, agreed) in cases {
            let handshake = new(None).with_protocols(["v2", "v1", "v2"]).unwrap();
            let headers = handshake.headers();
            assert_eq!(headers["sec-websocket-protocol"], "v2, v1");
            let answer = answer(&handshake, "sec-websocket-protocol", chosen);
            let expected = match agreed {
                true => Ok(()),
                false => Err(AnswerError::Protocol),
            };
            let checked = handshake.check(&answer).map(|_| ());
            assert_eq!(checked, expected, "{chosen:?}");
        }
    }

    #[test]
    fn a_subprotocol_that_is_not_a_token_is_an_error() {
        for name in ["", "not a token", "a,b", "żółć", "a\r\nb"] {
            let error = new(None).with_protocols(["v1", name]).unwrap_err();
            assert_eq!(error, InvalidProtocol(name.to_owned()));
        }
    }

    #[test]
    fn strict_is_a_server_that_compresses() {
        let config = Deflate::default();
        for (strict, expected) in [(false, None), (true, Some(AnswerError::Declined))] {
            for blank in [&[] as &[&str], &[""]] {
                let handshake = new(Some(&config.strict(strict)));
                let answer = answer(&handshake, "sec-websocket-extensions", blank);
                let checked = handshake.check(&answer);
                assert_eq!(checked.err(), expected);
            }
        }
    }

    #[test]
    fn client_and_server_of_this_crate_agree() {
        let takeover = Deflate::default()
            .server_no_context_takeover(false)
            .client_no_context_takeover(false);
        let small = takeover
            .server_max_window_bits(10)
            .client_max_window_bits(11);
        let configs = [None, Some(Deflate::default()), Some(takeover), Some(small)];
        for client in &configs {
            for server in &configs {
                let handshake = new(client.as_ref());
                let mut request = Request::get("/").header("host", "a").body(()).unwrap();
                request.headers_mut().extend(handshake.headers());
                let (parts, ()) = request.into_parts();
                let theirs = Handshake::check(&parts).unwrap();
                let agreed = theirs.agree(server.as_ref()).unwrap();
                let (answer, _) = theirs.response(&HeaderMap::new(), &agreed).into_parts();
                let ours = handshake.check(&answer).unwrap();
                assert_eq!(ours.extensions(), agreed.extensions());
                assert_eq!(
                    ours.deflate().is_some(),
                    client.is_some() && server.is_some()
                );
                if let (Some(ours), Some(theirs)) = (ours.deflate(), agreed.deflate()) {
                    let they_take_over = theirs.outgoing.takes_context_over();
                    assert_eq!(ours.incoming_takeover, they_take_over);
                    assert!(theirs.incoming_takeover || !ours.outgoing.takes_context_over());
                }
            }
        }
    }
}
