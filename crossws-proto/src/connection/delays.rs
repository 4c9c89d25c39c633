use std::time::Duration;

/// The delays that a connection is timing. Boxed, because an idle connection has none, unless its last deadline was
/// excused.
#[derive(Debug, Default)]
pub(super) struct Delays(Option<Box<Late>>);

#[derive(Debug, Default, PartialEq)]
pub(super) struct Late {
    /// Since when no write has succeeded although bytes wait.
    pub(super) stalled: Option<Duration>,
    /// The queue was reported as too old; it is reported again only after a write.
    pub(super) age_said: bool,
    /// Since when a message has been arriving.
    pub(super) begun: Option<Duration>,
    /// A write has had to wait for the client since its last pong.
    pub(super) slow: bool,
    /// Until when a deadline that was found late is excused.
    pub(super) excused_until: Option<Duration>,
}

impl Delays {
    /// Returns the running delays, if there are any.
    #[inline]
    pub(super) fn get(&self) -> Option<&Late> {
        self.0.as_deref()
    }

    /// Returns the delays, to begin one.
    pub(super) fn begin(&mut self) -> &mut Late {
        self.0.get_or_insert_default()
    }

    /// Stops timing a delay.
    #[inline]
    pub(super) fn end(&mut self, forget: impl FnOnce(&mut Late)) {
        if let Some(late) = &mut self.0 {
            forget(late);
            if **late == Late::default() {
                self.0 = None;
            }
        }
    }
}
