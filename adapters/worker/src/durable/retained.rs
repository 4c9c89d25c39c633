//! The retained messages of an object, in its storage.

use std::sync::Arc;

use crossws_core::adapter::{RetainedBy, RetainedMessage, RetainedStore};
use crossws_core::{Hub, HubBuilder, Message};
use worker::State;
use worker::js_sys::{Array, ArrayBuffer, Map, Object, Promise, Reflect, Uint8Array};
use worker::wasm_bindgen::{JsCast, JsValue};
use worker::wasm_bindgen_futures::{JsFuture, future_to_promise};
use worker::worker_sys::DurableObjectStorage;

use crate::error::{report, report_failure};

/// What the keys of retained messages begin with.
const PREFIX: &str = "__crossws/retained/";

/// The longest message that fits into a value of the storage, which may have 128 KiB, together with its
/// names.
const MAX_LEN: usize = 120 << 10;

/// The longest names of a namespace and a topic together: a key of the storage may have 2 KiB.
const MAX_NAMES_LEN: usize = 2048 - PREFIX.len() - "2048//".len();

/// Returns how an object retains messages, unless it has no storage.
pub(crate) type RetainingOf = fn(&State) -> Option<Box<dyn Retaining>>;

/// How an object retains messages. A trait, so that a Worker that retains none has no code for it:
/// [`Options::retained`](crate::Options::retained) alone names the type.
pub(crate) trait Retaining {
    /// Sets the hub's store.
    fn set(&self, hub: HubBuilder) -> HubBuilder;

    /// Loads the retained messages, before which the platform delivers no event to the object. Sockets
    /// were restored before: what their peers retain needs them.
    fn load(&self, state: &State, hub: &Hub) -> Promise;
}

/// An object's storage.
#[derive(Clone)]
pub(crate) struct Retained(Arc<DurableObjectStorage>);

impl Retaining for Retained {
    fn set(&self, hub: HubBuilder) -> HubBuilder {
        hub.retained_store(self.clone())
    }

    fn load(&self, state: &State, hub: &Hub) -> Promise {
        let (retained, hub) = (self.clone(), hub.clone());
        let loading = state.block_concurrency_while(async move {
            match retained.stored().await {
                Ok(messages) => messages
                    .into_iter()
                    .for_each(|message| hub.restore_retained(message)),
                Err(error) => report("the retained messages cannot be read", error),
            }
            Ok(())
        });
        future_to_promise(async move {
            if let Err(error) = loading.await {
                report("the retained messages cannot be loaded", error);
            }
            Ok(JsValue::UNDEFINED)
        })
    }
}

impl Retained {
    /// Returns the storage of an object.
    pub(crate) fn boxed(state: &State) -> Option<Box<dyn Retaining>> {
        let storage = state.as_raw().storage();
        let storage = storage.map_err(|error| report("no storage", worker::Error::from(error)));
        Some(Box::new(Self(Arc::new(storage.ok()?))))
    }

    /// Returns what is stored.
    async fn stored(&self) -> Result<Vec<RetainedMessage>, worker::Error> {
        let options = Object::new();
        Reflect::set(&options, &"prefix".into(), &PREFIX.into())?;
        let found = JsFuture::from(self.0.list_with_options(options)?).await?;
        let found: Map = found.dyn_into()?;
        let mut messages = Vec::new();
        found.for_each(&mut |value, _| messages.extend(decode(&value)));
        Ok(messages)
    }
}

impl RetainedStore for Retained {
    fn max_len(&self) -> usize {
        MAX_LEN
    }

    fn max_names_len(&self) -> usize {
        MAX_NAMES_LEN
    }

    fn put(&self, message: RetainedMessage) {
        let key = key(&message.namespace, &message.topic);
        log(self.0.put(&key, encode(message)));
    }

    fn remove(&self, namespace: &str, topic: &str) {
        log(self.0.delete(&key(namespace, topic)));
    }
}

/// Returns the key of a topic's message. The length separates the names, which may have any character.
fn key(namespace: &str, topic: &str) -> String {
    format!("{PREFIX}{}/{namespace}/{topic}", namespace.len())
}

fn encode(message: RetainedMessage) -> JsValue {
    let by_hub = message.by == RetainedBy::Hub;
    let (is_text, data) = encode_data(&message.message);
    let parts = Array::of5(
        &message.namespace.into(),
        &message.topic.into(),
        &by_hub.into(),
        &is_text,
        &data,
    );
    for (protocol, other) in message.others.iter() {
        let (is_text, data) = encode_data(other);
        parts.push(&Array::of3(&protocol.into(), &is_text, &data));
    }
    parts.into()
}

/// Returns whether the message is text, and its bytes: a string may take twice as many in the storage.
fn encode_data(message: &Message) -> (JsValue, JsValue) {
    let (bytes, is_text) = match message {
        Message::Text(text) => (&text.as_bytes()[..], true),
        Message::Binary(bytes) => (&bytes[..], false),
    };
    (is_text.into(), Uint8Array::from(bytes).buffer().into())
}

fn decode_data(is_text: &JsValue, data: &JsValue) -> Option<Message> {
    let data = Uint8Array::new(data.dyn_ref::<ArrayBuffer>()?).to_vec();
    Some(match is_text.as_bool()? {
        true => Message::from(String::from_utf8(data).ok()?),
        false => Message::from(data),
    })
}

fn decode(value: &JsValue) -> Option<RetainedMessage> {
    let parts: &Array = value.dyn_ref()?;
    let message = decode_data(&parts.get(3), &parts.get(4))?;
    let by = match parts.get(2).as_bool()? {
        true => RetainedBy::Hub,
        false => RetainedBy::Peer,
    };
    let (namespace, topic) = (parts.get(0).as_string()?, parts.get(1).as_string()?);
    let mut stored = RetainedMessage::new(namespace, topic, message, by);
    let others = parts.iter().skip(5).map(|other| {
        let other: Array = other.dyn_into().ok()?;
        let protocol = other.get(0).as_string()?;
        Some((protocol.into(), decode_data(&other.get(1), &other.get(2))?))
    });
    stored.others = others.collect::<Option<_>>()?;
    Some(stored)
}

/// Logs a change that fails. The platform holds messages to clients back until it has stored it.
fn log(change: Result<Promise, JsValue>) {
    report_failure(change, |error| {
        report(
            "a retained message is not stored",
            worker::Error::from(error),
        );
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_names_fit_into_a_key() {
        for namespace in [0, 1, 9, 10, 999, 1000, MAX_NAMES_LEN] {
            let names = "é".repeat(MAX_NAMES_LEN);
            let (namespace, topic) = names.split_at(namespace / 2 * 2);
            let topic = &topic[..(MAX_NAMES_LEN - namespace.len()) / 2 * 2];
            let len = key(namespace, topic).len();
            assert!((2040..=2048).contains(&len), "{len} bytes");
        }
    }

    #[test]
    fn names_with_slashes_have_keys_of_their_own() {
        let keys = [key("/a", "b/c"), key("/a/b", "c"), key("", "/a/b/c")];
        assert_ne!(keys[0], keys[1]);
        assert_ne!(keys[1], keys[2]);
        assert_ne!(keys[0], keys[2]);
    }
}
