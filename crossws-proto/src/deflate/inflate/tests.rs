use flate2::{Compress, Compression, FlushCompress};

use super::*;

/// More than all contexts of the tests use.
const ENOUGH: usize = 1 << 30;

/// Returns messages of which each is like the one before, and unlike all that are further back than
/// `distance` bytes.
fn messages(distance: usize, count: usize, len: usize) -> Vec<Vec<u8>> {
    let mut state = 7_u64;
    let period: Vec<u8> = (0..distance)
        .map(|_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 56) as u8
        })
        .collect();
    let bytes: Vec<u8> = period.iter().copied().cycle().take(count * len).collect();
    bytes.chunks(len).map(<[u8]>::to_vec).collect()
}

/// Compresses the messages as a sender with context takeover does.
fn compressed(bits: u8, messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut state = Compress::new_with_window_bits(Compression::new(9), false, bits);
    let one = |message: &Vec<u8>| {
        let mut bytes = Vec::with_capacity(message.len() * 2 + 100);
        state
            .compress_vec(message, &mut bytes, FlushCompress::Sync)
            .unwrap();
        bytes.truncate(bytes.len() - TAIL.len());
        bytes
    };
    messages.iter().map(one).collect()
}

fn read(inflater: &mut Inflater, payload: &[u8]) -> Result<Vec<u8>, u16> {
    match inflater.message(Kind::Binary, payload, 1 << 20) {
        Ok(message) => Ok(message.as_bytes().to_vec()),
        Err(violation) => Err(violation.code().get()),
    }
}

#[test]
fn a_message_refers_as_far_back_as_its_window_goes() {
    for bits in 9..=15 {
        // zlib uses 262 bytes less than its window.
        let distance = (1 << bits) - 262;
        for len in [distance / 3 + 1, 40_000] {
            let plain = messages(distance, 20, len);
            let payloads = compressed(bits, &plain);
            let mut inflater = Inflater::with_context(bits, ENOUGH).unwrap();
            let mut last = 0;
            for (payload, plain) in payloads.iter().zip(&plain) {
                assert_eq!(read(&mut inflater, payload), Ok(plain.clone()));
                assert!(inflater.owned() <= 1 << bits);
                last = payload.len();
            }
            assert!(last < len / 2, "it did refer to those before it");
        }
    }
}

#[test]
fn data_further_back_than_the_window_is_dropped() {
    let plain = messages(20_000, 3, 10_000);
    let payloads = compressed(15, &plain);
    let outcomes = |bits| {
        let mut inflater = Inflater::with_context(bits, ENOUGH).unwrap();
        let read = |payload: &Vec<u8>| read(&mut inflater, payload).map(|bytes| bytes.len());
        payloads.iter().map(read).collect::<Vec<_>>()
    };
    assert_eq!(outcomes(15), [Ok(10_000), Ok(10_000), Ok(10_000)]);
    assert_eq!(outcomes(14), [Ok(10_000), Ok(10_000), Err(1007)]);
    // Numbers out of range mean the nearest in range.
    assert_eq!(outcomes(99), outcomes(15));
    let mut inflater = Inflater::with_context(0, ENOUGH).unwrap();
    assert_eq!(read(&mut inflater, &payloads[0]), Ok(plain[0].clone()));
    assert_eq!(inflater.owned(), 512);
}

#[test]
fn a_context_owns_no_more_than_what_has_arrived() {
    let plain = messages(300, 40, 100);
    let payloads = compressed(15, &plain);
    let mut inflater = Inflater::with_context(15, ENOUGH).unwrap();
    assert_eq!(inflater.owned(), 0);
    for (at, payload) in payloads.iter().enumerate() {
        read(&mut inflater, payload).unwrap();
        let arrived = (at + 1) * 100;
        assert!((arrived..=2 * arrived).contains(&inflater.owned()));
    }
}

#[test]
fn connections_share_a_state_and_no_context() {
    let plains = [
        messages(300, 8, 200),
        messages(500, 8, 333),
        messages(70, 8, 50),
    ];
    let payloads = plains.each_ref().map(|plain| compressed(15, plain));
    let contexts = [(); 3].map(|()| Inflater::with_context(15, ENOUGH));
    let mut inflaters = contexts.map(Option::unwrap);
    for at in 0..8 {
        for (one, inflater) in inflaters.iter_mut().enumerate() {
            let read = read(inflater, &payloads[one][at]);
            assert_eq!(read, Ok(plains[one][at].clone()));
        }
        let without = read(&mut Inflater::per_message(), &payloads[0][at]);
        assert_eq!(without.is_ok(), at == 0, "{at}");
    }
}

#[test]
fn a_last_block_ends_no_context() {
    let text = b"what the second message refers to, in a block that says it is the last";
    let mut first = Vec::with_capacity(200);
    let mut state = Compress::new(Compression::new(9), false);
    state
        .compress_vec(text, &mut first, FlushCompress::Finish)
        .unwrap();
    first.push(0);
    let mut state = Compress::new(Compression::new(9), false);
    state.set_dictionary(text).unwrap();
    let mut second = Vec::with_capacity(200);
    state
        .compress_vec(text, &mut second, FlushCompress::Sync)
        .unwrap();
    second.truncate(second.len() - TAIL.len());
    assert!(second.len() < 10);
    let mut inflater = Inflater::with_context(15, ENOUGH).unwrap();
    assert_eq!(read(&mut inflater, &first), Ok(text.to_vec()));
    assert_eq!(read(&mut inflater, &second), Ok(text.to_vec()));
}

#[test]
fn the_memory_is_that_of_the_window() {
    // None of the tests that run concurrently reserves as much.
    const MOST: usize = usize::MAX >> 1;
    let room = |bits, most| Inflater::with_context(bits, most).is_some();
    assert!(!room(15, (32 << 10) - 1) && !room(9, 511));
    assert!(room(15, MOST) && room(9, MOST));
}
