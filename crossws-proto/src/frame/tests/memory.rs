//! The memory that a decoder owns.

use super::*;

/// The largest message that the test lets arrive.
const MANY: usize = if cfg!(miri) { 1500 } else { 300_000 };

#[test]
fn an_announced_length_allocates_nothing() {
    let limits = Limits::default();
    for first in [0x81, 0x82] {
        let mut decoder = Decoder::new(Role::Server, &limits);
        let bytes = masked(first, &vec![b'x'; MANY]);
        let mut arrived = 0;
        for piece in bytes.chunks(777) {
            arrived += piece.len();
            let mut piece = piece.to_vec();
            let event = decoder.decode(&mut &mut piece[..]).unwrap();
            assert!(
                decoder.unfinished() <= 2 * arrived + (8 << 10),
                "after {arrived}"
            );
            assert_eq!(event.is_some(), arrived == bytes.len());
        }
        assert_eq!(decoder.unfinished(), 0, "between messages it owns nothing");
    }
}

#[test]
fn a_message_is_no_larger_than_its_bytes() {
    for first in [0x81, 0x82] {
        let mut decoder = Decoder::new(Role::Server, &Limits::default());
        let bytes = masked(first, &vec![b'x'; MANY]);
        for piece in bytes.chunks(65_536) {
            let mut piece = piece.to_vec();
            if let Some(Event::Message(message)) = decoder.decode(&mut &mut piece[..]).unwrap() {
                let vec = Vec::from(message.into_bytes());
                assert_eq!((vec.len(), vec.capacity()), (MANY, MANY));
            }
        }
    }
}

#[test]
fn small_fragments_are_not_copied_over_and_over() {
    for first in [0x01, 0x02] {
        let mut decoder = Decoder::new(Role::Server, &Limits::default());
        let mut sizes = std::collections::BTreeSet::new();
        for at in 0..MANY / 30 {
            let mut frame = masked(if at == 0 { first } else { 0 }, &[b'x'; 64]);
            decoder.decode(&mut &mut frame[..]).unwrap();
            sizes.insert(decoder.unfinished());
            assert!(decoder.unfinished() <= 2 * 64 * (at + 1) + 64);
        }
        assert!(sizes.len() < 20, "{sizes:?}");
    }
}

#[test]
fn a_control_frame_in_pieces_leaves_no_memory_owned() {
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    for byte in masked(0x89, b"there?") {
        decoder.decode(&mut &mut [byte][..]).unwrap();
    }
    assert_eq!(decoder.unfinished(), 0);
}
