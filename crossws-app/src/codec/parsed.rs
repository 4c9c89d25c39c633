//! The JSON of a message, parsed once for all layers and the typed hooks inside of them.

use std::cell::RefCell;
use std::ptr;
use std::sync::Arc;

use crossws_core::{DecodeError, Message, Utf8Bytes};
use serde_json::Value;

use crate::codec::limits::{DecodeLimits, LimitExceeded};

/// Longer texts are parsed by each layer that reads them: a thread keeps the latest one until the next.
const LONGEST: usize = 16 << 10;

thread_local! {
    /// The text that was parsed last here. The hooks inside get it in the same turn, so that one is
    /// enough; a task that goes on in another thread parses again. A pointer in each message instead
    /// would cost every message, parsed or not, 4 to 6 % (`instructions`: echo-64, chat).
    static LATEST: RefCell<Option<(Utf8Bytes, Arc<Parsed>)>> = const { RefCell::new(None) };
}

/// What a text message was parsed as.
pub(super) struct Parsed {
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

    /// Returns the value, if the message is JSON.
    pub(super) fn json(&self) -> Option<&Value> {
        self.json.as_deref().ok()
    }

    fn outcome(&self) -> Result<Arc<Value>, DecodeError> {
        match &self.json {
            Ok(value) => Ok(Arc::clone(value)),
            Err(NoJson::Exceeds(limit)) => Err(DecodeError::new(*limit)),
            Err(NoJson::Malformed(text)) => Err(DecodeError::new(text.as_str())),
        }
    }
}

/// Returns what a layer outside has parsed the message as.
pub(super) fn known(message: &Message) -> Option<Arc<Parsed>> {
    let Message::Text(text) = message else {
        return None;
    };
    let known = LATEST.try_with(|latest| {
        let latest = latest.borrow();
        let (parsed_text, parsed) = latest.as_ref()?;
        // The same memory, which is not used anew while the text is kept.
        let is_same = ptr::eq(parsed_text.as_str(), text.as_str());
        is_same.then(|| Arc::clone(parsed))
    });
    known.ok().flatten()
}

/// Returns the outcome that a layer outside has had, if it is that within these limits too.
pub(super) fn outcome(
    message: &Message,
    limits: &DecodeLimits,
) -> Option<Result<Arc<Value>, DecodeError>> {
    let known = known(message).filter(|known| known.holds_within(limits))?;
    Some(known.outcome())
}

/// Keeps an outcome for the layers and hooks inside, and returns it.
pub(super) fn keep(
    message: &Message,
    limits: &DecodeLimits,
    json: Result<Value, DecodeError>,
) -> Result<Arc<Value>, DecodeError> {
    let parsed = Parsed::new(*limits, json);
    let outcome = parsed.outcome();
    if let Message::Text(text) = message
        && text.len() <= LONGEST
    {
        replace(Some((text.clone(), Arc::new(parsed))));
    }
    outcome
}

/// Takes the value of a message that reaches no hooks inside, without a copy if it has no other
/// handle.
pub(crate) fn take(message: Message, value: Arc<Value>) -> Value {
    if known(&message).is_some() {
        replace(None);
    }
    Arc::unwrap_or_clone(value)
}

fn replace(latest: Option<(Utf8Bytes, Arc<Parsed>)>) {
    // Dropped outside of the borrow. A thread that ends keeps nothing.
    drop(LATEST.try_with(|it| it.replace(latest)));
}

/// Returns whether a layer outside has found out that the message is not JSON.
pub(super) fn is_no_json(message: &Message) -> bool {
    known(message).is_some_and(|parsed| matches!(parsed.json, Err(NoJson::Malformed(_))))
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use crossws_core::{Hooks, handler, hooks, ok};
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
        // More digits than a value of JSON has.
        let digits = "340282366920938463463374607431768211455";
        let app = messages().on_message(|peer: TypedPeer<String>, number: u128| async move {
            peer.send(number.to_string())
        });
        let (answer, _) = through_all_layers(typed(app), digits);
        assert_eq!(answer, format!("{digits:?}"));
    }

    #[test]
    fn a_stricter_limit_inside_holds() {
        let message = Message::from("[[1],[2]]");
        assert!(parse(&message, &DecodeLimits::new()).is_ok());
        let flat = DecodeLimits::new().max_depth(1);
        let error = parse(&message, &flat).unwrap_err();
        assert_eq!(LimitExceeded::of(&error), Some(LimitExceeded::Depth(1)));
        let message = Message::from("[[1],[2]]");
        assert!(parse(&message, &DecodeLimits::new()).is_ok());
        let few = DecodeLimits::new().max_items(3);
        let read: Result<Vec<Vec<u8>>, _> = JsonCodec.decode(&message, &few);
        let error = read.unwrap_err();
        assert_eq!(LimitExceeded::of(&error), Some(LimitExceeded::Items(3)));
        // And a wider one, after a stricter one has refused it.
        let message = Message::from("[[1],[2]]");
        assert!(parse(&message, &flat).is_err());
        assert!(parse(&message, &DecodeLimits::new()).is_ok());
    }

    #[test]
    fn only_the_latest_short_text_is_kept() {
        let message = Message::from("[1]");
        assert!(parse(&message, &DecodeLimits::new()).is_ok());
        assert!(known(&message).is_some());
        // Of the same content, and another message.
        assert!(known(&Message::from("[1]".to_owned())).is_none());
        let long = Message::from(format!("{:>LONGEST$} ", 1));
        assert!(parse(&long, &DecodeLimits::new()).is_ok());
        assert!(known(&long).is_none());
        let value = parse(&message, &DecodeLimits::new()).unwrap();
        assert_eq!(take(message.clone(), value), serde_json::json!([1]));
        assert!(known(&message).is_none());
    }

    #[test]
    fn an_error_has_its_place_in_the_text() {
        let app = messages().on_message(|_: TypedPeer<u8>, _: Sum| async { ok() });
        let app = typed(app).on_malformed(crate::OnMalformed::Reply);
        let (answer, _) = through_all_layers(app, r#"{"a":3,"b":"x"}"#);
        assert!(answer.contains("line 1 column"), "{answer}");
    }
}
