use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::frame::{self, ServerFrame};

fn contents(batch: &Batch<ServerFrame>) -> Vec<u8> {
    let mut slices = [IoSlice::new(&[]); 16];
    let count = batch.slices(&mut slices);
    let slices: Vec<&[u8]> = slices[..count].iter().map(|slice| &**slice).collect();
    slices.concat()
}

/// Returns a batch with every kind of chunk: small, large, small, published.
fn batch() -> (Batch<ServerFrame>, Vec<usize>) {
    let mut batch = Batch::default();
    batch.push(Opcode::Text, &Bytes::from_static(b"one"));
    batch.push(Opcode::Binary, &vec![2; 5000].into());
    batch.push(Opcode::Text, &Bytes::from_static(b"three"));
    let mut encoded = BytesMut::new();
    frame::put_frame(&mut encoded, Opcode::Text, &[b'4'; 3000]);
    batch.push_encoded(encoded.freeze(), 1);
    (batch, vec![5, 5004, 7, 3004])
}

#[test]
fn advancing_by_any_steps_gives_the_same_bytes_and_counts_frames() {
    let (whole, lens) = batch();
    let all = contents(&whole);
    assert_eq!(all.len(), lens.iter().sum::<usize>());
    let steps = [1, 2, 3, 7, 100, 4096, 5009];
    // Byte by byte takes Miri minutes.
    for step in steps.into_iter().skip(if cfg!(miri) { 4 } else { 0 }) {
        let (mut batch, _) = batch();
        let mut seen = Vec::new();
        while !batch.is_empty() {
            let step = step.min(batch.bytes());
            seen.extend_from_slice(&contents(&batch)[..step]);
            batch.advance(step);
            let mut ends = 0;
            let gone = lens.iter().filter(|len| {
                ends += **len;
                ends <= seen.len()
            });
            assert_eq!(batch.frames(), lens.len() - gone.count());
        }
        assert!(seen == all, "step {step}");
    }
}

#[test]
fn only_a_begun_frame_is_kept() {
    let (mut batch, _) = batch();
    let all = contents(&batch);
    batch.advance(5 + 10);
    assert_eq!(batch.keep_begun(), 2);
    assert_eq!(contents(&batch), all[15..5009]);
    assert_eq!((batch.bytes(), batch.frames()), (4994, 1));
    batch.advance(4994);
    assert!(batch.is_empty());
}

#[test]
fn between_frames_nothing_is_kept() {
    let (mut batch, _) = batch();
    batch.advance(5);
    assert_eq!(batch.keep_begun(), 3);
    assert!(batch.is_empty());
    assert_eq!(batch.frames(), 0);
}

fn text_frame(text: &[u8]) -> Bytes {
    let mut frame = BytesMut::new();
    frame::put_frame(&mut frame, Opcode::Text, text);
    frame.freeze()
}

#[test]
fn a_frame_is_taken_out_by_its_key() {
    let (mut batch, _) = batch();
    let all = contents(&batch);
    batch.push_keyed("a".into(), text_frame(b"first"));
    batch.push(Opcode::Text, &Bytes::from_static(b"between"));
    batch.push_keyed("b".into(), text_frame(b"other"));
    assert_eq!(batch.take_out("c"), None);
    assert_eq!(batch.take_out("a"), Some((0, 7)));
    assert_eq!(batch.take_out("a"), None);
    let rest = [&all[..], b"\x81\x07between\x81\x05other"].concat();
    assert!(contents(&batch) == rest);
    assert_eq!((batch.bytes(), batch.frames()), (rest.len(), 6));
    // A partly written frame stays.
    batch.advance(rest.len() - 3);
    assert_eq!(batch.take_out("b"), None);
    assert_eq!(contents(&batch), b"her");
}

/// What happens to a batch, and to a list of frames with their keys.
#[derive(Debug, Clone)]
enum Change {
    Push(u8),
    Replace(u8, u8),
    PopFirst,
    PushFront(u8),
    Move(usize),
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => any::<u8>().prop_map(Change::Push),
        4 => (0..12_u8, any::<u8>()).prop_map(|(key, text)| Change::Replace(key, text)),
        1 => Just(Change::PopFirst),
        1 => any::<u8>().prop_map(Change::PushFront),
        1 => (0..4_usize).prop_map(Change::Move),
    ]
}

proptest! {
    #[test]
    fn keys_find_their_frames_whatever_else_happens(changes in vec(change(), 0..200)) {
        let mut batch = Batch::<ServerFrame>::default();
        let mut model: Vec<(Option<u8>, Bytes)> = Vec::new();
        for change in changes {
            match change {
                Change::Push(text) => {
                    batch.push(Opcode::Text, &vec![text].into());
                    model.push((None, text_frame(&[text])));
                }
                Change::Replace(key, text) => {
                    let (name, frame) = (format!("{key}"), text_frame(&[text; 3]));
                    let old = model.iter().position(|(one, _)| *one == Some(key));
                    let old = old.map(|at| model.remove(at).1.len());
                    prop_assert_eq!(batch.len_of(&name), old);
                    prop_assert_eq!(batch.take_out(&name).map(|(_, len)| len), old);
                    batch.push_keyed(name.into(), frame.clone());
                    model.push((Some(key), frame));
                }
                Change::PopFirst => {
                    prop_assert_eq!(batch.drop_first(), !model.is_empty());
                    model.drain(..1.min(model.len()));
                }
                Change::PushFront(text) => {
                    let frame = text_frame(&[text; 2]);
                    batch.push_front(BytesMut::from(&frame[..]), 1);
                    model.insert(0, (None, frame));
                }
                Change::Move(count) => {
                    let moved: Vec<_> = model.drain(..count.min(model.len())).collect();
                    let bytes = moved.iter().map(|(_, frame)| frame.len()).sum();
                    let mut front = Batch::default();
                    batch.move_front(&mut front, QueueSize::new(bytes, moved.len()));
                    let frames: Vec<_> = moved.into_iter().map(|(_, frame)| frame).collect();
                    prop_assert_eq!(whole(&mut front), frames.concat());
                }
            }
            prop_assert_eq!(batch.frames(), model.len());
        }
        let frames: Vec<_> = model.into_iter().map(|(_, frame)| frame).collect();
        prop_assert_eq!(whole(&mut batch), frames.concat());
    }
}

/// Takes everything.
fn whole(batch: &mut Batch<ServerFrame>) -> Vec<u8> {
    let mut all = Vec::new();
    while !batch.is_empty() {
        let some = contents(batch);
        batch.advance(some.len());
        all.extend(some);
    }
    all
}

#[test]
fn frames_that_are_replaced_again_and_again_keep_no_memory() {
    let mut batch = Batch::<ServerFrame>::default();
    for round in 0..2000 {
        let key = format!("{}", round % 10);
        batch.take_out(&key);
        batch.push_keyed(key.into(), text_frame(b"price"));
    }
    assert_eq!((batch.frames(), batch.bytes()), (10, 70));
    assert!(batch.chunks.places() <= 30, "{}", batch.chunks.places());
}

#[test]
fn the_oldest_frames_go_first() {
    let (mut batch, lens) = batch();
    for (gone, len) in lens.iter().enumerate() {
        let before = batch.bytes();
        assert!(batch.drop_first());
        assert_eq!(batch.bytes(), before - len);
        assert_eq!(batch.frames(), lens.len() - gone - 1);
    }
    assert!(!batch.drop_first());
}
