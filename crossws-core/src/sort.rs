use std::cmp::Ordering;

/// Sorts in place; the order of equal items is unspecified. Off the hot path, where a Worker gains more
/// from little code: every use of the standard library's sort adds some 10 KiB of Wasm.
pub(crate) fn sort_by<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    if cfg!(target_arch = "wasm32") {
        heap_sort(items, compare);
    } else {
        items.sort_unstable_by(compare);
    }
}

/// Takes time in proportion to `n log n`, whatever the order of the items.
fn heap_sort<T>(items: &mut [T], compare: impl Fn(&T, &T) -> Ordering) {
    let is_less = |items: &[T], one: usize, other: usize| match (items.get(one), items.get(other)) {
        (Some(one), Some(other)) => compare(one, other).is_lt(),
        _ => false,
    };
    // Moves the item at `at` down until none of its children is larger.
    let sift = |items: &mut [T], mut at: usize| {
        loop {
            let mut child = 2 * at + 1;
            if is_less(items, child, child + 1) {
                child += 1;
            }
            if !is_less(items, at, child) {
                return;
            }
            items.swap(at, child);
            at = child;
        }
    };
    let mut heap = items;
    for at in (0..heap.len() / 2).rev() {
        sift(heap, at);
    }
    while let Some(last) = heap.len().checked_sub(1) {
        heap.swap(0, last);
        let (rest, _) = heap.split_at_mut(last);
        heap = rest;
        sift(heap, 0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_heap_sort_sorts(mut items: Vec<u8>) {
            let mut sorted = items.clone();
            sorted.sort_unstable();
            heap_sort(&mut items, u8::cmp);
            prop_assert_eq!(items, sorted);
        }
    }
}
