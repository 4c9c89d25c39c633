//! Whether bytes arrive together or apart, they mean the same.

use super::stream::{Random, broken, count, pieces, valid};
use super::*;

#[test]
fn pieces_mean_what_the_whole_means() {
    let limits = Limits::default().max_message_size(100_000);
    for seed in 0..count(30_000) {
        let mut random = Random(seed);
        let role = [Role::Server, Role::Client][random.below(2)];
        let sound = random.below(2) == 0;
        let bytes = match sound {
            true => valid(&mut random, role),
            false => broken(&mut random, role),
        };
        let together = decode::<Decoder>(role, &limits, &[&bytes]);
        let apart = decode::<Decoder>(role, &limits, &pieces(&mut random, &bytes));
        assert_eq!(together, apart, "seed {seed}");
        if sound {
            assert_eq!(together.violation, None, "seed {seed}");
        }
    }
}

#[test]
fn the_decoder_changes_only_consumed_bytes() {
    let one = masked(0x81, b"one");
    let mut bytes = [&one[..], &masked(0x81, b"two")].concat();
    let second = bytes[one.len()..].to_vec();
    let mut input = &mut bytes[..];
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    let event = decoder.decode(&mut input).unwrap();
    assert_eq!(event, Some(Event::Message(Message::from("one"))));
    assert_eq!(input, second);
}

#[test]
fn a_violation_has_a_text_and_a_close_code() {
    let mut decoder = Decoder::new(Role::Server, &Limits::default());
    let mut bytes = *b"\x81\x00";
    let violation = decoder.decode(&mut &mut bytes[..]).unwrap_err();
    assert_eq!(violation.code(), CloseCode::PROTOCOL);
    assert_eq!(violation.reason(), "protocol error");
    assert_eq!(violation.to_string(), "a client's frame is unmasked");
}
