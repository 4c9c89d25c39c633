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

#[test]
fn a_frame_is_taken_out_by_its_key() {
    let (mut batch, lens) = batch();
    let all = contents(&batch);
    let frame = |text: &'static [u8]| {
        let mut frame = BytesMut::new();
        frame::put_frame(&mut frame, Opcode::Text, text);
        frame.freeze()
    };
    batch.push_keyed("a".into(), frame(b"first"));
    batch.push(Opcode::Text, &Bytes::from_static(b"between"));
    batch.push_keyed("b".into(), frame(b"other"));
    assert_eq!(batch.take_out("c"), None);
    assert_eq!(batch.take_out("a"), Some((lens.iter().sum(), 7)));
    assert_eq!(batch.take_out("a"), None);
    let rest = [&all[..], b"\x81\x07between\x81\x05other"].concat();
    assert!(contents(&batch) == rest);
    assert_eq!((batch.bytes(), batch.frames()), (rest.len(), 6));
    // A partly written frame stays.
    batch.advance(rest.len() - 3);
    assert_eq!(batch.take_out("b"), None);
    assert_eq!(contents(&batch), b"her");
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
