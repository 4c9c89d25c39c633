use crate::hub::settings::limits::Limit;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// An amount that many connections share, and that a limit bounds.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    used: AtomicUsize,
}

impl Budget {
    /// Takes `amount` if the sum then stays within `most`. Returns whether it was taken.
    pub(crate) fn take(&self, amount: usize, most: Limit) -> bool {
        let more = |used: usize| used.checked_add(amount).filter(|used| most.allows(*used));
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .is_ok()
    }

    /// Returns an amount to the budget.
    pub(crate) fn give_back(&self, amount: usize) {
        self.used.fetch_sub(amount, Ordering::Relaxed);
    }

    /// Returns the sum of the taken amounts.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

#[cfg(all(test, not(crossws_shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_to_its_bound_and_not_beyond() {
        let budget = Budget::default();
        assert!(budget.take(7, Limit::At(10)));
        assert!(!budget.take(4, Limit::At(10)));
        assert_eq!(budget.used(), 7, "a refusal takes nothing");
        assert!(budget.take(3, Limit::At(10)));
        budget.give_back(7);
        assert!(budget.take(7, Limit::At(10)));
        assert!(budget.take(usize::MAX - 10, Limit::Unlimited));
        assert!(!budget.take(1, Limit::Unlimited), "no sum overflows");
    }
}
