//! The JSON of a message, parsed once for all layers and the typed hooks inside of them.

use std::sync::Arc;

use crossws_core::{DecodeError, Message};
use serde_json::Value;

use crate::codec::limits::{DecodeLimits, LimitExceeded};

/// What a text message was parsed as. The message keeps it.
struct Parsed {
    limits: DecodeLimits,
    json: Result<Arc<Value>, NoJson>,
}

/// Why there is no value.
enum NoJson {
    Exceeds(LimitExceeded),
    /// The parser's text.
    Malformed(String),
}

impl Parsed {
    fn new(limits: DecodeLimits, json: Result<Value, DecodeError>) -> Self {
        let json = json.map(Arc::new);
        let json = json.map_err(|error| match LimitExceeded::of(&error) {
            Some(limit) => NoJson::Exceeds(limit),
            None => NoJson::Malformed(match std::error::Error::source(&error) {
                Some(source) => source.to_string(),
                None => error.to_string(),
            }),
        });
        Self { limits, json }
    }

    /// Whether parsing within these limits has the same outcome.
    fn holds_within(&self, limits: &DecodeLimits) -> bool {
        let Self { limits: own, json } = self;
        let are_no_stricter =
            limits.max_depth >= own.max_depth && limits.max_items >= own.max_items;
        limits == own || (are_no_stricter && json.is_ok())
    }

    fn outcome(&self) -> Result<Arc<Value>, DecodeError> {
        match &self.json {
            Ok(value) => Ok(Arc::clone(value)),
            Err(NoJson::Exceeds(limit)) => Err(DecodeError::new(*limit)),
            Err(NoJson::Malformed(text)) => Err(DecodeError::new(text.as_str())),
        }
    }
}

/// Returns the outcome that a layer outside has had, if it is that within these limits too.
pub(super) fn outcome(
    message: &Message,
    limits: &DecodeLimits,
) -> Option<Result<Arc<Value>, DecodeError>> {
    let known = message.decoded::<Parsed>();
    let known = known.filter(|known| known.holds_within(limits))?;
    Some(known.outcome())
}

/// Keeps an outcome in the message, and returns it.
pub(super) fn keep(
    message: &mut Message,
    limits: &DecodeLimits,
    json: Result<Value, DecodeError>,
) -> Result<Arc<Value>, DecodeError> {
    let parsed = Parsed::new(*limits, json);
    let outcome = parsed.outcome();
    message.set_decoded(parsed);
    outcome
}

/// Returns the JSON that a layer outside has parsed, if it is JSON.
#[inline]
pub(super) fn json(message: &Message) -> Option<&Value> {
    message.decoded::<Parsed>()?.json.as_deref().ok()
}

/// Returns whether a layer outside has found out that the message is not JSON.
pub(super) fn is_no_json(message: &Message) -> bool {
    let parsed = message.decoded::<Parsed>();
    parsed.is_some_and(|parsed| matches!(parsed.json, Err(NoJson::Malformed(_))))
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use crossws_core::{Hooks, IntoMessage, handler, hooks, ok};
    use crossws_memory::TestServer;
    use futures_lite::future::block_on;

    use super::*;
    use crate::calls::calls;
    use crate::codec::Decode;
    use crate::codec::json::{JsonCodec, parse};
    use crate::messages::closures::messages;
    use crate::messages::message_loop::message_loop;
    use crate::messages::peer::TypedPeer;
    use crate::messages::typed_hooks::{typed, typed_as};
    use crate::messages::typed_incoming::IncomingExt;
    use crate::rooms::rooms;
    use crate::rules::{kind, reply, rules};
    use crate::{AutoCodec, Payload};

    thread_local! {
        /// How many messages this thread has parsed.
        pub(crate) static PARSED: Cell<usize> = const { Cell::new(0) };
    }

    /// Sends a message through all layers, and returns the answer and how many times it was parsed.
    fn through_all_layers(inside: impl Hooks, message: &str) -> (String, usize) {
        let app = rules(calls(rooms(inside))).on(kind("ping"), reply("pong"));
        let server = TestServer::new(app);
        block_on(async {
            let mut client = server.connect("/").await.unwrap();
            client.send(message).unwrap();
            PARSED.set(0);
            let answer = client.next().await.unwrap();
            (answer.text().unwrap().to_owned(), PARSED.get())
        })
    }

    #[derive(serde::Deserialize)]
    struct Sum {
        a: u8,
        b: u8,
    }

    #[test]
    fn all_layers_and_typed_hooks_parse_a_message_once() {
        let sum = |peer: TypedPeer<u8>, sum: Sum| async move { peer.send(sum.a + sum.b) };
        let seven = ("7".to_owned(), 1);
        let inside = typed(messages().on_message(sum));
        assert_eq!(through_all_layers(inside, r#"{"a":3,"b":4}"#), seven);

        let inside = handler(|peer, incoming| async move {
            let mut sums = incoming.json::<Sum>();
            while let Some(sum) = sums.next().await {
                peer.send((sum.a + sum.b).to_string())?;
            }
            Ok(())
        });
        assert_eq!(through_all_layers(inside, r#"{"a":3,"b":4}"#), seven);

        let inside = message_loop(
            |peer: TypedPeer<u8>, mut sums: crossws_core::Incoming<Sum>| async move {
                while let Some(sum) = sums.next().await {
                    peer.send(sum.a + sum.b)?;
                }
                Ok(())
            },
        );
        assert_eq!(through_all_layers(typed(inside), r#"{"a":3,"b":4}"#), seven);
    }

    #[test]
    fn a_message_that_one_layer_answers_is_parsed_once() {
        let ping = through_all_layers(hooks(), r#"{"type":"ping"}"#);
        assert_eq!(ping, ("pong".to_owned(), 1));
        let (refused, parsed) = through_all_layers(hooks(), r#"{"subscribe":"x"}"#);
        assert!(refused.contains("forbidden"), "{refused}");
        assert_eq!(parsed, 1);
        let (unknown, parsed) = through_all_layers(hooks(), r#"{"call":"x","id":1}"#);
        assert!(unknown.contains("method not found"), "{unknown}");
        assert_eq!(parsed, 1);
    }

    #[test]
    fn a_text_that_is_no_json_is_parsed_once() {
        let app = messages().on_message(|peer: TypedPeer<bool>, payload: Payload| async move {
            peer.send(matches!(payload, Payload::Text(_)))
        });
        let answer = through_all_layers(typed_as(AutoCodec, app), "{\"a\":");
        assert_eq!(answer, ("true".to_owned(), 1));
    }

    #[test]
    fn what_only_the_text_tells_is_read_from_it() {
        // No value of JSON has so many digits.
        let digits = "340282366920938463463374607431768211455";
        let app = messages().on_message(|peer: TypedPeer<String>, number: u128| async move {
            peer.send(number.to_string())
        });
        let (answer, _) = through_all_layers(typed(app), digits);
        assert_eq!(answer, format!("{digits:?}"));
    }

    #[test]
    fn a_stricter_limit_inside_holds() {
        let mut message = Message::from("[[1],[2]]");
        assert!(parse(&mut message, &DecodeLimits::new()).is_ok());
        let flat = DecodeLimits::new().max_depth(1);
        let error = parse(&mut message, &flat).unwrap_err();
        assert_eq!(LimitExceeded::of(&error), Some(LimitExceeded::Depth(1)));
        let mut message = Message::from("[[1],[2]]");
        assert!(parse(&mut message, &DecodeLimits::new()).is_ok());
        let few = DecodeLimits::new().max_items(3);
        let read: Result<Vec<Vec<u8>>, _> = JsonCodec.decode(&message, &few);
        let error = read.unwrap_err();
        assert_eq!(LimitExceeded::of(&error), Some(LimitExceeded::Items(3)));
        // And a wider one, after a stricter one has refused it.
        let mut message = Message::from("[[1],[2]]");
        assert!(parse(&mut message, &flat).is_err());
        assert!(parse(&mut message, &DecodeLimits::new()).is_ok());
    }

    #[test]
    fn what_was_parsed_is_not_sent_along() {
        let mut message = Message::from("[1]");
        assert!(parse(&mut message, &DecodeLimits::new()).is_ok());
        assert!(json(&message).is_some());
        let sent = message.clone().into_message().unwrap();
        assert!(json(&sent).is_none());
        let Message::Text(text) = message else {
            unreachable!("it is a text");
        };
        assert!(json(&text.into_message().unwrap()).is_none());
    }

    #[test]
    fn an_error_has_its_place_in_the_text() {
        let app = messages().on_message(|_: TypedPeer<u8>, _: Sum| async { ok() });
        let app = typed(app).on_malformed(crate::OnMalformed::Reply);
        let (answer, _) = through_all_layers(app, r#"{"a":3,"b":"x"}"#);
        assert!(answer.contains("line 1 column"), "{answer}");
    }
}
