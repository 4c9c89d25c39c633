//! What a message is to the hooks inside: an event, a call, an answer, or theirs.

use std::collections::HashMap;
use std::sync::Arc;

use crossws_core::{
    BoxError, BoxFuture, DecodeError, HookResult, Hooks, Hub, Message, Peer, Wrap, hook_table,
};
use serde_json::Value;

use crate::calls::batch::Answers;
use crate::calls::connection::{Connection, Settings, started};
use crate::calls::error::Failure;
use crate::calls::handler::{AnyHandler, Event, EventHandler};
use crate::calls::running::{Run, Running};
use crate::calls::wire::{CallMessage, WireForm};
use crate::codec::Decode;
use crate::codec::json::{JsonCodec, parse};
use crate::codec::limits::{DecodeLimits, LimitExceeded};
use crate::codec::parsed::take;
use crate::description::AboutCalls;
use crate::messages::malformed::{Malformed, OnMalformed};

type Method = Box<AnyHandler<Result<Value, BoxError>>>;

pub(super) struct Inner<H> {
    pub(super) hooks: H,
    pub(super) methods: HashMap<String, Method>,
    pub(super) events: HashMap<String, Box<AnyHandler<HookResult>>>,
    pub(super) any_event: Option<Box<dyn EventHandler<Event>>>,
    pub(super) form: WireForm,
    pub(super) unknown: OnMalformed,
    pub(super) limits: DecodeLimits,
    pub(super) max_running: usize,
    pub(super) max_pending: usize,
    pub(super) max_batch: usize,
    pub(super) about: AboutCalls,
}

/// The hooks of a peer. One that has slept has no extensions until the first of them runs.
macro_rules! connected_hooks {
    ({} $($kind:ident $name:ident $name_dyn:ident $setter:ident $arguments:tt as $given:tt -> $output:ty;)*) => {
        $(connected_hooks!(@ $name $arguments $output);)*
    };
    (@ start $($row:tt)*) => {};
    (@ message $($row:tt)*) => {};
    (@ upgrade $($row:tt)*) => {};
    (@ $name:ident (&$peer:ident: $peer_type:ty $(, &$lent:ident: $lent_type:ty)* $(; $own:ident: $own_type:ty)?) $output:ty) => {
        async fn $name(&self, $peer: &$peer_type $(, $lent: &$lent_type)* $(, $own: $own_type)?) -> $output {
            self.connection($peer);
            self.hooks.$name($peer $(, $lent)* $(, $own)?).await
        }
    };
}

impl<H: Hooks> Wrap for Inner<H> {
    type Inner = H;

    fn inner(&self) -> &H {
        &self.hooks
    }

    hook_table!(connected_hooks, Peer, Message,);

    async fn start(&self, hub: &Hub) -> HookResult {
        started(hub, self.settings());
        self.hooks.start(hub).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        self.connection(peer);
        if self.form == WireForm::Plain && message.is_binary() {
            return self.hooks.message(peer, message).await;
        }
        let value = parse(&message, &self.limits);
        if self.form == WireForm::Plain && !value.as_ref().is_ok_and(|it| self.form.knows(it)) {
            return self.hooks.message(peer, message).await;
        }
        match value.map(|value| take(message, value)) {
            Ok(Value::Array(batch)) if self.form == WireForm::JsonRpc => {
                self.batch(peer, batch).await
            }
            Ok(value) => self.incoming(peer, value, &Answers::Single).await,
            Err(error) => {
                let failure = match LimitExceeded::of(&error) {
                    Some(limit) => Failure::new(Failure::INVALID_REQUEST, limit.to_string()),
                    None => Failure::new(Failure::PARSE, "parse error"),
                };
                self.fail(peer, Value::Null, failure, &Answers::Single)
            }
        }
    }
}

impl<H: Hooks> Inner<H> {
    fn connection(&self, peer: &Peer) -> Arc<Connection> {
        Connection::of(peer, self.settings())
    }

    fn settings(&self) -> Settings {
        let (form, max_pending) = (self.form, self.max_pending);
        Settings { form, max_pending }
    }

    /// Handles a batch (JSON-RPC 2.0, section 6).
    async fn batch(&self, peer: &Peer, batch: Vec<Value>) -> HookResult {
        let text = match batch.len() {
            0 => "an empty batch".to_owned(),
            count if count > self.max_batch => format!("more than {} in a batch", self.max_batch),
            _ => {
                let answers = Answers::batch(peer);
                let mut result = Ok(());
                for value in batch {
                    // A failed event does not prevent the answer to a call.
                    result = result.and(self.incoming(peer, value, &answers).await);
                }
                return result;
            }
        };
        let failure = Failure::new(Failure::INVALID_REQUEST, text);
        self.fail(peer, Value::Null, failure, &Answers::Single)
    }

    async fn incoming(&self, peer: &Peer, value: Value, answers: &Answers) -> HookResult {
        match self.form.read(value) {
            CallMessage::Event { name, payload } => self.event(peer, name, payload).await,
            CallMessage::Call { id, method, args } => self.call(peer, id, &method, args, answers),
            CallMessage::Answer { id, result } => {
                if !self.connection(peer).pending.answered(&id, result) {
                    tracing::debug!(%peer, "an answer that no call waits for");
                }
                Ok(())
            }
            CallMessage::Cancel { id } => {
                peer.extensions()
                    .get_or_default::<Arc<Running>>()
                    .cancel(&id);
                Ok(())
            }
            CallMessage::Invalid { id } => {
                let failure = Failure::new(Failure::INVALID_REQUEST, "invalid request");
                self.fail(peer, id, failure, answers)
            }
            // Such a message has reached the hooks inside.
            CallMessage::Other => Ok(()),
        }
    }

    async fn event(&self, peer: &Peer, name: String, payload: Value) -> HookResult {
        let method = match self.form {
            WireForm::Plain => None,
            WireForm::JsonRpc => self.methods.get(&name),
        };
        let malformed = match (self.events.get(&name), method, &self.any_event) {
            (Some(hearer), ..) => match hearer.apply((peer, payload)) {
                Ok(heard) => return heard.await,
                Err(error) => error.into(),
            },
            (None, Some(method), _) => match self.notified(peer, &name, method, payload) {
                Ok(()) => return Ok(()),
                Err(error) => error.into(),
            },
            (None, None, Some(any)) => {
                let event = Event { name, payload };
                return any.hear(peer.clone(), event).await;
            }
            (None, None, None) => Malformed::Unknown(name),
        };
        self.unknown.apply(peer, malformed, |text| {
            // Notifications of JSON-RPC are never answered.
            if self.form == WireForm::Plain {
                peer.send(Decode::<()>::encode_error(&JsonCodec, text)?)?;
            }
            Ok(())
        })
    }

    /// Runs a method for a notification of JSON-RPC, which is a request without an id and gets no
    /// answer.
    fn notified(
        &self,
        peer: &Peer,
        name: &str,
        method: &Method,
        args: Value,
    ) -> Result<(), DecodeError> {
        let running = peer.extensions().get_or_default::<Arc<Running>>();
        let Ok(run) = running.begin(None, self.max_running) else {
            tracing::warn!(%peer, method = name, "a notification is dropped: too many calls at a time");
            return Ok(());
        };
        let future = method.apply((peer, args))?;
        let peer = peer.clone();
        peer.clone().spawn(async move {
            if let Some(Err(error)) = run.until_cancelled(future).await {
                // A notification's failure is only logged: the client gets no answer.
                let failure = failure_of(&peer, error);
                tracing::debug!(%peer, %failure, "a notification failed");
            }
        });
        Ok(())
    }

    fn call(
        &self,
        peer: &Peer,
        id: Value,
        method: &str,
        args: Value,
        answers: &Answers,
    ) -> HookResult {
        let failure = match self.begin(peer, &id, method, args) {
            Ok((run, future)) => {
                let (peer, answers, form) = (peer.clone(), answers.clone(), self.form);
                peer.clone().spawn(async move {
                    let result = match run.until_cancelled(future).await {
                        Some(result) => result.map_err(|error| failure_of(&peer, error)),
                        // Every request is answered.
                        None if form == WireForm::JsonRpc => {
                            Err(Failure::new(Failure::CANCELLED, "cancelled"))
                        }
                        None => return Ok(()),
                    };
                    // Before the answer, because its id may be used again from then on.
                    drop(run);
                    answers.give(&peer, form.answer(id, result))
                });
                return Ok(());
            }
            Err(failure) => failure,
        };
        self.fail(peer, id, failure, answers)
    }

    /// Returns the method's future, and the slot that it holds while it runs.
    fn begin(
        &self,
        peer: &Peer,
        id: &Value,
        method: &str,
        args: Value,
    ) -> Result<(Run, BoxFuture<'static, Result<Value, BoxError>>), Failure> {
        let Some(method) = self.methods.get(method) else {
            return Err(Failure::new(Failure::METHOD_NOT_FOUND, "method not found"));
        };
        let running = peer.extensions().get_or_default::<Arc<Running>>();
        let run = running.begin(Some(id), self.max_running)?;
        let future = method.apply((peer, args)).map_err(|error| {
            let data = error.to_string();
            Failure::new(Failure::INVALID_PARAMS, "invalid params").data(data)
        })?;
        Ok((run, future))
    }

    fn fail(&self, peer: &Peer, id: Value, failure: Failure, answers: &Answers) -> HookResult {
        answers.give(peer, self.form.answer(id, Err(failure)))
    }
}

/// Returns the error that the client gets for a method's error.
fn failure_of(peer: &Peer, error: BoxError) -> Failure {
    Failure::of(error).unwrap_or_else(|error| {
        tracing::error!(%peer, %error, "a method failed");
        Failure::new(Failure::INTERNAL, "internal error")
    })
}
