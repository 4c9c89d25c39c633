use crate::hub::Hub;
use crate::hub::settings::limits::Limit;

/// One connection's share of its hub's
/// [`Limits::max_unfinished`](field@crate::Limits::max_unfinished), for adapters that own their
/// sockets. Dropping it returns the share.
pub struct Unfinished {
    hub: Hub,
    bytes: usize,
}

impl Unfinished {
    /// Creates an empty share.
    pub fn new(hub: Hub) -> Self {
        Self { hub, bytes: 0 }
    }

    /// Returns the hub of the limit.
    pub fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Returns how many bytes the connection holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the share to `bytes`, for input that may last as long as the client likes: a part of
    /// a message, a connection that speaks plain HTTP. Less is always granted. More leaves the last
    /// quarter of the limit to handshakes, so that lasting input does not keep new clients out.
    ///
    /// # Errors
    /// [`Overloaded`] if there is no room; the share then stays unchanged.
    pub fn hold(&mut self, bytes: usize) -> Result<(), Overloaded> {
        let most = match self.hub.limits().max_unfinished {
            Limit::At(most) => Limit::At(most - most / 4),
            Limit::Unlimited => Limit::Unlimited,
        };
        self.change(bytes, most)
    }

    /// As [`hold`](Self::hold), for input that ends within a deadline, as a handshake does: from
    /// the whole limit.
    ///
    /// # Errors
    /// As [`hold`](Self::hold).
    pub fn hold_briefly(&mut self, bytes: usize) -> Result<(), Overloaded> {
        self.change(bytes, self.hub.limits().max_unfinished)
    }

    fn change(&mut self, bytes: usize, most: Limit) -> Result<(), Overloaded> {
        if bytes == self.bytes {
            return Ok(());
        }
        let budget = self.hub.unfinished();
        match bytes.checked_sub(self.bytes) {
            Some(more) if !budget.take(more, most) => return Err(Overloaded),
            Some(_) => {}
            None => budget.give_back(self.bytes - bytes),
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.hub.unfinished().give_back(self.bytes);
        }
    }
}

crate::opaque_debug!([] Unfinished, self => (self.bytes));

/// All connections of a hub together hold as much unfinished input as
/// [`Limits::max_unfinished`](field@crate::Limits::max_unfinished) allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is overloaded: its connections hold too much that is unfinished")]
#[non_exhaustive]
pub struct Overloaded;

#[cfg(all(test, not(crossws_shuttle)))]
mod tests {
    use super::*;
    use crate::hub::settings::limits::Limits;

    #[test]
    fn what_lasts_leaves_the_last_quarter_to_handshakes() {
        let hub = Hub::builder()
            .limits(Limits::default().max_unfinished(100))
            .build();
        let share = || Unfinished::new(hub.clone());
        let (mut message, mut page, mut handshake) = (share(), share(), share());
        assert_eq!(message.hold(60), Ok(()));
        assert_eq!(page.hold(16), Err(Overloaded));
        assert_eq!(page.bytes(), 0, "a refusal holds nothing");
        assert_eq!(page.hold(15), Ok(()));
        assert_eq!(message.hold(61), Err(Overloaded));
        assert_eq!(message.bytes(), 60, "nor does it take away what was held");
        assert_eq!(handshake.hold_briefly(26), Err(Overloaded));
        assert_eq!(handshake.hold_briefly(25), Ok(()));
        assert_eq!(hub.stats().unfinished, 100);
        // Above three quarters, less is granted.
        assert_eq!(message.hold(59), Ok(()));
        drop((message, handshake));
        assert_eq!(hub.stats().unfinished, 15);
        drop(page);
        assert_eq!(hub.stats().unfinished, 0);
    }

    #[test]
    fn without_a_limit_everything_is_granted_and_counted() {
        let limits = Limits::default().max_unfinished(Limit::Unlimited);
        let hub = Hub::builder().limits(limits).build();
        let mut share = Unfinished::new(hub.clone());
        assert_eq!(share.hold(usize::MAX / 2), Ok(()));
        assert_eq!(hub.stats().unfinished, usize::MAX / 2);
    }
}
