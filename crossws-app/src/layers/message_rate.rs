use std::sync::Arc;
use std::time::Duration;

use crossws_core::adapter::sync::Mutex;
use crossws_core::{
    CloseCode, HookResult, Hooks, Hub, Message, Peer, PeerState, SharedHooks, Wrap, wrap,
};

use crate::layers::clock::Clock;
use crate::layers::layer::Layer;
use crate::layers::pace::Pace;

/// Limits how many messages, and how many bytes of them, each client may send in a time. By default
/// a client that sends more is closed with 1008; see [`on_excess`](Self::on_excess).
///
/// Messages are judged by when they can have been sent: those that waited while a hook was busy may be
/// as many as the rate allows in that time.
///
/// Control frames have a limit of their own, [`Limits::max_control_rate`]. Where connections sleep,
/// a client's counts begin anew when it wakes. The layer has no effect on a server whose adapter
/// lends no time to its hub.
///
/// [`Limits::max_control_rate`]: field@crossws_core::Limits::max_control_rate
///
/// ```
/// use std::time::Duration;
/// use crossws_app::{MessageRate, OnExcess, Router};
/// # use crossws_core::hooks;
///
/// let second = Duration::from_secs(1);
/// let app = Router::new()
///     .layer(MessageRate::new().messages(20, second).bytes(64 << 10, second))
///     .route("/chat", hooks())
///     .nest(
///         "/sensors",
///         Router::new()
///             .layer(MessageRate::new().messages(1, second).on_excess(OnExcess::Skip))
///             .route("/{id}", hooks()),
///     );
/// ```
#[doc(alias = "throttle")]
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct MessageRate {
    messages: Option<Pace>,
    bytes: Option<Pace>,
    on_excess: OnExcess,
}

/// What happens when a client exceeds its rate: see [`MessageRate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnExcess {
    /// The connection is closed with this code.
    Close(CloseCode),
    /// The message does not reach the hooks. The connection stays.
    Skip,
    /// The message waits until it is within the rate, and those that follow wait for it: the client is
    /// slowed down, because its connection is not read meanwhile.
    Wait,
}

impl Default for OnExcess {
    /// Returns `Close` with 1008.
    fn default() -> Self {
        Self::Close(CloseCode::POLICY)
    }
}

impl MessageRate {
    /// Creates a layer without limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many messages a client may send `per` this time: this many at once, and then one
    /// after each equal part of the time. With 0 every message is one too many, whatever the time: a
    /// client that [must wait](OnExcess::Wait) does so until its connection ends.
    pub fn messages(mut self, most: u32, per: Duration) -> Self {
        self.messages = Some(Pace::new(most, per));
        self
    }

    /// Sets how many bytes a client's messages may have `per` this time, inflated. A longer message
    /// counts as this many. 0 is as in [`messages`](Self::messages).
    pub fn bytes(mut self, most: u32, per: Duration) -> Self {
        self.bytes = Some(Pace::new(most, per));
        self
    }

    /// Sets what happens to a client that sends more.
    pub fn on_excess(mut self, on_excess: OnExcess) -> Self {
        self.on_excess = on_excess;
        self
    }
}

impl Layer for MessageRate {
    fn decides_who(&self) -> bool {
        false
    }

    fn wrap(&self, hooks: SharedHooks) -> SharedHooks {
        SharedHooks::new(wrap(Paced {
            hooks,
            rate: self.clone(),
            clock: Arc::default(),
        }))
    }
}

struct Paced {
    hooks: SharedHooks,
    rate: MessageRate,
    /// Its address is the key of the layer's counts.
    clock: Arc<Clock>,
}

/// The counts of one client, for each layer of this kind around its route.
#[derive(Default)]
struct RateCounts(Mutex<Vec<(usize, Count)>>);

#[derive(Clone, Copy, Default)]
struct Count {
    busy: Busy,
    /// How long before the end of the last hook the messages that waited may have come.
    waited: Duration,
    /// When the last hook ended.
    ended: Duration,
}

/// Until when what was taken counts.
#[derive(Clone, Copy, Default)]
struct Busy {
    messages: Duration,
    bytes: Duration,
}

impl Count {
    /// Returns since when a message that is judged now may have waited. Time without a hook pays for as
    /// much time in hooks: a client that is mostly idle saves up nothing.
    fn since(&self, now: Duration) -> Duration {
        let idle = now.saturating_sub(self.ended);
        now.saturating_sub(self.waited.saturating_sub(idle))
    }

    /// Notes that a hook has run in this time.
    fn hook_ran(&mut self, from: Duration, to: Duration) {
        self.waited = to.saturating_sub(self.since(from));
        self.ended = to;
    }
}

impl Paced {
    /// Counts a message, or returns how long until it is within the rate.
    fn take(&self, peer: &Peer, bytes: usize) -> Result<(), Duration> {
        let Some(now) = self.clock.now() else {
            return Ok(());
        };
        self.counted(peer, |count| {
            let since = count.since(now);
            // Neither counts unless both do.
            let mut busy = count.busy;
            if let Some(rate) = self.rate.messages {
                rate.take_since(&mut busy.messages, since, now, 1)?;
            }
            if let Some(rate) = self.rate.bytes {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                rate.take_since(&mut busy.bytes, since, now, bytes)?;
            }
            count.busy = busy;
            Ok(())
        })
    }

    /// Calls `work` with the count of this layer.
    fn counted<T>(&self, peer: &Peer, work: impl FnOnce(&mut Count) -> T) -> T {
        let counts = peer.extensions().get_or_default::<RateCounts>();
        let mut counts = counts.0.lock();
        let layer = Arc::as_ptr(&self.clock).addr();
        let at = counts.iter().position(|(key, _)| *key == layer);
        let at = at.unwrap_or_else(|| {
            counts.push((layer, Count::default()));
            counts.len() - 1
        });
        work(&mut counts[at].1)
    }
}

impl Wrap for Paced {
    type Inner = SharedHooks;

    fn inner(&self) -> &SharedHooks {
        &self.hooks
    }

    async fn start(&self, hub: &Hub) -> HookResult {
        self.clock.start(hub);
        self.hooks.start(hub).await
    }

    async fn message(&self, peer: &Peer, message: Message) -> HookResult {
        while let Err(wait) = self.take(peer, message.len()) {
            match self.rate.on_excess {
                OnExcess::Close(code) => {
                    tracing::debug!(%peer, "closing a peer that sends too much");
                    peer.close(code, "too many messages");
                    return Ok(());
                }
                OnExcess::Skip => {
                    tracing::debug!(%peer, "a message over the rate is skipped");
                    return Ok(());
                }
                OnExcess::Wait => {
                    peer.sleep(wait).await;
                    if peer.state() != PeerState::Open {
                        break;
                    }
                }
            }
        }
        let from = self.clock.now();
        let result = self.hooks.message(peer, message).await;
        if let (Some(from), Some(to)) = (from, self.clock.now()) {
            self.counted(peer, |count| count.hook_ran(from, to));
        }
        result
    }
}
