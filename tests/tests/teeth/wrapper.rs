//! Hooks around the probe's, which behave as a broken adapter would.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::Bytes;
use crossws_conformance::{Do, Group};
use crossws_core::{
    Closed, Dropped, DynHooks, Error, ErrorKind, HookResult, Hooks, Message, OnError, Peer, PeerId,
    Rejection, Subscription, Upgrade, UpgradeRequest,
};
use tokio::sync::Mutex;

use super::faults::Fault;

/// Hooks with a fault around them.
pub struct Wrapper {
    inner: Arc<dyn DynHooks>,
    fault: Fault,
    turn: Mutex<()>,
}

impl Wrapper {
    pub fn new(inner: Arc<dyn DynHooks>, fault: Fault) -> Self {
        Self {
            inner,
            fault,
            turn: Mutex::new(()),
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// Changes a script as a broken adapter would.
    fn distort(&self, peer: &Peer, message: Message) -> Message {
        let Ok(script) = message.json::<Vec<Do>>() else {
            return message;
        };
        let distorted = script.into_iter().filter_map(|command| match command {
            Do::Publish { topic, text, .. } if self.is(Fault::EchoesToThePublisher) => {
                let itself = true;
                Some(Do::Publish {
                    topic,
                    text,
                    itself,
                })
            }
            Do::Publish { topic, .. }
                if self.is(Fault::PublishesForSubscribersOnly) && !peer.is_subscribed(&topic) =>
            {
                None
            }
            Do::CountUp if self.is(Fault::ForgetsUpdates) => None,
            Do::Unsubscribe { .. } | Do::UnsubscribePattern { .. }
                if self.is(Fault::IgnoresUnsubscribe) =>
            {
                None
            }
            Do::SubscribePattern { pattern } if self.is(Fault::TakesAnyPattern) => {
                Some(Do::Subscribe { topic: pattern })
            }
            Do::Tag { .. } | Do::Untag { .. } | Do::Identify { .. }
                if self.is(Fault::ForgetsLabelsThatChange) =>
            {
                None
            }
            Do::PublishRetained {
                topics,
                except,
                text,
            } if self.is(Fault::RetainsNothing) => Some(Do::PublishToEach {
                topics: Some(topics),
                except,
                text,
                itself: false,
            }),
            Do::PublishToSome { topic, text, .. } if self.is(Fault::SelectsNobodyByLabels) => {
                let itself = false;
                Some(Do::Publish {
                    topic,
                    text,
                    itself,
                })
            }
            Do::SendToGroup { group, text, .. } if self.is(Fault::SendsToOneOfAGroup) => {
                let found = match &group {
                    Group::Identity(name) => peer.hub().identity(name),
                    Group::Tag(name) => peer.hub().tagged(name),
                };
                if let Ok(Some(one)) = found.here().peers().map(|peers| peers.first().cloned()) {
                    let _ = one.send(text);
                }
                None
            }
            Do::PublishToEach {
                topics,
                text,
                itself,
                ..
            } if self.is(Fault::LeavesNobodyOut) => Some(Do::PublishToEach {
                topics,
                except: Vec::new(),
                text,
                itself,
            }),
            other => Some(other),
        });
        let mut distorted: Vec<_> = distorted.collect();
        if self.is(Fault::DeliversForEachTopic) {
            distorted = distorted.into_iter().flat_map(for_each_topic).collect();
        }
        Message::from(Do::script(&distorted))
    }
}

/// Returns a message to several topics as one message for each.
fn for_each_topic(command: Do) -> Vec<Do> {
    match command {
        Do::PublishToEach {
            topics: Some(topics),
            except,
            text,
            itself,
        } if topics.len() > 1 => {
            let one = |topic| Do::PublishToEach {
                topics: Some(vec![topic]),
                except: except.clone(),
                text: text.clone(),
                itself,
            };
            topics.into_iter().map(one).collect()
        }
        other => vec![other],
    }
}

impl Hooks for Wrapper {
    async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
        let upgrade = self.inner.upgrade_dyn(request).await?;
        Ok(match self.fault {
            Fault::DropsTheLabels => {
                let mut without = Upgrade::new();
                for topic in upgrade.get_topics() {
                    without = without.topic(Arc::clone(topic));
                }
                without
            }
            Fault::DropsTheContext => upgrade.context(()),
            Fault::DropsTheNamespace => upgrade.namespace("everyone"),
            Fault::DropsTheId => upgrade.id(PeerId::random()),
            _ => upgrade,
        })
    }

    async fn open(&self, peer: &Peer) -> HookResult {
        if self.is(Fault::MatchesEveryPattern) {
            let script = self.inner.open_dyn(peer).await;
            if !peer.patterns().is_empty() {
                peer.subscribe_pattern("**")?;
            }
            return script;
        }
        if self.is(Fault::OpensInTheBackground) {
            let (inner, peer) = (Arc::clone(&self.inner), peer.clone());
            peer.clone()
                .spawn(async move { inner.open_dyn(&peer).await });
            return Ok(());
        }
        self.inner.open_dyn(peer).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        let message = self.distort(peer, message);
        match self.fault {
            Fault::RunsMessagesSideBySide => {
                let (inner, peer) = (Arc::clone(&self.inner), peer.clone());
                peer.clone()
                    .spawn(async move { inner.message_dyn(&peer, message).await });
                Ok(())
            }
            Fault::OneHookAtATimeForAll => {
                let _turn = self.turn.lock().await;
                self.inner.message_dyn(peer, message).await
            }
            Fault::SwallowsErrors => {
                let _ = self.inner.message_dyn(peer, message).await;
                Ok(())
            }
            Fault::CatchesPanicsItself => {
                let mut hook = pin!(self.inner.message_dyn(peer, message));
                std::future::poll_fn(|cx| {
                    let poll = AssertUnwindSafe(|| hook.as_mut().poll(cx));
                    std::panic::catch_unwind(poll).unwrap_or(Poll::Ready(Ok(())))
                })
                .await
            }
            _ => self.inner.message_dyn(peer, message).await,
        }
    }

    async fn drain(&self, peer: &Peer) -> HookResult {
        self.inner.drain_dyn(peer).await
    }

    async fn subscription(&self, peer: &Peer, event: Subscription) -> HookResult {
        if self.is(Fault::SaysNothingOfSubscriptions) {
            return Ok(());
        }
        self.inner.subscription_dyn(peer, event).await
    }

    async fn dropped(&self, peer: &Peer, dropped: Dropped) -> HookResult {
        self.inner.dropped_dyn(peer, dropped).await
    }

    async fn timer(&self, peer: &Peer, name: &str) -> HookResult {
        self.inner.timer_dyn(peer, name).await
    }

    async fn ping(&self, peer: &Peer, data: Bytes) -> HookResult {
        self.inner.ping_dyn(peer, data).await
    }

    async fn pong(&self, peer: &Peer, data: Bytes) -> HookResult {
        self.inner.pong_dyn(peer, data).await
    }

    async fn close(&self, peer: &Peer, closed: Closed) -> HookResult {
        if self.is(Fault::SwallowsClose) {
            return Ok(());
        }
        self.inner.close_dyn(peer, closed.clone()).await?;
        if self.is(Fault::ClosesTwice) {
            self.inner.close_dyn(peer, closed).await?;
        }
        if self.is(Fault::DeliversAfterClose) {
            let _ = self.inner.message_dyn(peer, Message::from("late")).await;
        }
        Ok(())
    }

    async fn error(&self, peer: &Peer, error: Error) -> OnError {
        if self.is(Fault::LetsPanicsSpread) && matches!(error.kind(), ErrorKind::Panic(_)) {
            for other in peer.hub().peers() {
                other.terminate();
            }
        }
        let answer = self.inner.error_dyn(peer, error).await;
        match self.fault {
            Fault::AnswersErrorsItself => OnError::default(),
            Fault::KeepsEveryoneAfterAnError => OnError::Keep,
            _ => answer,
        }
    }
}
