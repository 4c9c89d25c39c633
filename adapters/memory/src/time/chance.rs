use std::sync::Arc;

use crossws_core::PeerId;
use crossws_core::adapter::sync::Mutex;

/// What is left to chance, decided by a seed: the same seed decides the same. Without one everything
/// runs in the order in which it became ready.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chance(Option<Arc<Mutex<u64>>>);

impl Chance {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Some(Arc::new(Mutex::new(seed))))
    }

    /// Returns which of `of` is next; the first without a seed. There is at least one.
    pub(crate) fn pick(&self, of: usize) -> usize {
        match self.draw() {
            Some(drawn) => (drawn % of.max(1) as u64) as usize,
            None => 0,
        }
    }

    /// How many turns a hook leaves to others before it begins.
    pub(crate) fn pauses(&self) -> usize {
        self.pick(3)
    }

    /// How many connections have a turn before the test has one, if that is bounded.
    pub(crate) fn turns(&self) -> Option<usize> {
        self.0.is_some().then(|| self.pick(6))
    }

    /// The id of the next peer, if that is not random.
    pub(crate) fn peer_id(&self) -> Option<PeerId> {
        /// Version 4 and the variant of RFC 9562.
        const FIXED: u128 = 0x4000_8000_0000_0000_0000;
        const FREE: u128 = !0xf000_c000_0000_0000_0000;

        let (high, low) = (self.draw()?, self.draw()?);
        let bits = (u128::from(high) << 64) | u128::from(low);
        Some(PeerId::from_u128((bits & FREE) | FIXED))
    }

    /// SplitMix64.
    fn draw(&self) -> Option<u64> {
        let mut state = self.0.as_ref()?.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut drawn = *state;
        drawn = (drawn ^ (drawn >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        drawn = (drawn ^ (drawn >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Some(drawn ^ (drawn >> 31))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_same_each_time_and_another_does_not() {
        let drawn = |seed| {
            let chance = Chance::seeded(seed);
            (0..8).map(|_| chance.pick(1000)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_eq!(Chance::default().pick(1000), 0);
    }

    #[test]
    fn ids_are_uuids_of_version_4() {
        let id = Chance::seeded(1).peer_id().unwrap().to_string();
        assert_eq!(&id[14..15], "4");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert_eq!(Chance::default().peer_id(), None);
    }
}
