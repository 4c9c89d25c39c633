use std::collections::VecDeque;

use super::Step;

/// Most messages for which room is made at once.
const BURST: usize = 16;

/// The steps that were decoded while a hook ran. An idle connection owns no queue.
#[derive(Debug, Default)]
pub(super) struct Inbound(Option<Box<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    steps: VecDeque<Step>,
    /// How many bytes of the client's data the steps hold.
    bytes: usize,
}

impl Inbound {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Returns how many steps wait, and how many bytes of the client's data they hold.
    pub(super) fn len(&self) -> (usize, usize) {
        let waiting = self.0.as_ref();
        waiting.map_or((0, 0), |waiting| (waiting.steps.len(), waiting.bytes))
    }

    pub(super) fn front(&self) -> Option<&Step> {
        self.0.as_ref()?.steps.front()
    }

    /// Appends a step. At most `most` steps may wait.
    #[cold]
    pub(super) fn push(&mut self, step: Step, most: usize) {
        let waiting = self.0.get_or_insert_with(|| {
            let steps = VecDeque::with_capacity(most.min(BURST));
            Box::new(Waiting { steps, bytes: 0 })
        });
        waiting.bytes += step.len();
        waiting.steps.push_back(step);
    }

    pub(super) fn pop(&mut self) -> Option<Step> {
        let waiting = self.0.as_mut()?;
        let step = waiting.steps.pop_front()?;
        waiting.bytes -= step.len();
        if waiting.steps.is_empty() {
            self.clear();
        }
        Some(step)
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }
}
