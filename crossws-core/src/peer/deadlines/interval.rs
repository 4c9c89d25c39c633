use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use futures_core::Stream;

use crate::peer::Peer;
use crate::peer::deadlines::after;
use crate::peer::deadlines::sleep::Sleep;
use crate::peer::life::PeerState;

impl Peer {
    /// Creates an interval that ticks every `period`, first after one period, for as long as the
    /// connection is open. It depends on no runtime: [`sleep`](Self::sleep) explains how time is
    /// kept, and on which transports it is not. A period is at least a millisecond.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use crossws_core::{Peer, SendError};
    /// async fn ticks(peer: Peer) -> Result<(), SendError> {
    ///     let mut ticks = peer.interval(Duration::from_secs(1));
    ///     while ticks.tick().await {
    ///         peer.send("tick")?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn interval(&self, period: Duration) -> Interval {
        /// A loop of ticks must let other tasks run.
        const SHORTEST: Duration = Duration::from_millis(1);
        let period = period.max(SHORTEST);
        Interval {
            next: after(self.transport().steady(), period),
            peer: self.clone(),
            period,
            sleep: None,
        }
    }
}

/// The ticks of one connection: see [`Peer::interval`]. It is also a [`Stream`], which ends with
/// the connection.
#[must_use = "an interval does nothing until `tick`"]
#[derive(Debug)]
pub struct Interval {
    peer: Peer,
    period: Duration,
    /// When the next tick is due.
    next: SystemTime,
    sleep: Option<Sleep>,
}

impl Interval {
    /// Waits for the next tick. Returns `true` at the tick, and `false` when the connection is
    /// ending.
    ///
    /// Ticks keep to their period, however long the work between them takes. If ticks were missed,
    /// one comes at once, and the next is a whole number of periods after the first.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # async fn example(peer: &Peer) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut seconds = peer.interval(std::time::Duration::from_secs(1));
    /// while seconds.tick().await {
    ///     peer.send("tick")?;
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Dropping the future loses no tick, so that it can be used in a `select!`.
    pub async fn tick(&mut self) -> bool {
        poll_fn(|cx| self.poll_tick(cx)).await
    }

    fn poll_tick(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let (peer, next) = (&self.peer, self.next);
        let sleep = self.sleep.get_or_insert_with(|| Sleep::until(peer, next));
        if Pin::new(sleep).poll(cx).is_pending() {
            return Poll::Pending;
        }
        self.sleep = None;
        self.advance();
        Poll::Ready(self.peer.state() == PeerState::Open)
    }

    fn advance(&mut self) {
        let late = self.peer.transport().steady().duration_since(self.next);
        let missed = late.unwrap_or_default().as_nanos() / self.period.as_nanos();
        let missed = u32::try_from(missed).unwrap_or(u32::MAX);
        let by = self.period.saturating_mul(missed.saturating_add(1));
        self.next = after(self.next, by);
    }
}

impl Stream for Interval {
    type Item = ();

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        self.poll_tick(cx).map(|ticks| ticks.then_some(()))
    }
}
