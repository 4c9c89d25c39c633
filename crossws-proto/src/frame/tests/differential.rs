//! This crate's decoder and tungstenite's on the same streams, cut at random.
//!
//! `CROSSWS_STREAMS=5000000 cargo test --release -p crossws-proto differential` tries more.

use super::stream::{Random, broken, count, pieces, valid};
use super::*;

/// Small enough that broken lengths pass it.
const MOST: usize = 100_000;

/// Why two verdicts may differ. Each reason was reviewed: in all of them this crate's verdict is
/// what RFC 6455 or IANA says.
#[derive(Debug, PartialEq)]
enum Because {
    /// This crate fails a frame when the rule is broken, tungstenite when the frame is complete.
    Sooner,
    /// Section 5.2: the shortest form of length; tungstenite takes any.
    LongForm,
    /// If one frame breaks several rules, tungstenite checks its size first.
    SizeFirst,
    /// If a close frame's code and reason are both invalid, this crate names the code.
    CodeFirst,
    /// IANA has assigned 1014; tungstenite does not know it.
    BadGateway,
}

fn difference(role: Role, limits: &Limits, pieces: &[&[u8]]) -> Result<Option<Because>, String> {
    let ours = decode::<Decoder>(role, limits, pieces);
    let mut theirs = decode::<Tungstenite>(role, limits, pieces);
    if ours.events == theirs.events && ours.code() == theirs.code() {
        return Ok(None);
    }
    let text = ours
        .violation
        .as_ref()
        .map_or_else(String::new, Violation::to_string);
    if text.contains("longer form")
        || (text.contains("control frame") && control_in_long_form(&pieces.concat()))
    {
        return Ok(Some(Because::LongForm));
    }
    if let Some(Event::Close(Some(frame))) = ours.events.last()
        && frame.code() == CloseCode::BAD_GATEWAY
        && theirs.code() == Some(1002)
    {
        return Ok(Some(Because::BadGateway));
    }
    if ours.violation.is_some() && theirs.violation.is_none() {
        // When its frame is complete, tungstenite reaches a verdict too. (Zeros could complete a
        // length to one in a longer form than it needs.)
        let rest = vec![0x7f; MOST + 100];
        theirs = decode::<Tungstenite>(role, limits, &[pieces, &[&rest[..]]].concat());
    }
    let because = match (ours.code(), theirs.code()) {
        (Some(ours), Some(theirs)) if ours == theirs => Because::Sooner,
        (Some(1002), Some(1009)) => Because::SizeFirst,
        (Some(1002), Some(1007)) if text.starts_with("close code") => Because::CodeFirst,
        _ => return Err(format!("{ours:?}, but {theirs:?}")),
    };
    if ours.events != theirs.events {
        return Err(format!("{ours:?}, but {theirs:?}"));
    }
    Ok(Some(because))
}

/// Returns whether the first control frame with more than seven bits of length fits into seven.
/// This crate takes the form for a length over 125; tungstenite goes on.
fn control_in_long_form(mut bytes: &[u8]) -> bool {
    while let [first, second, rest @ ..] = bytes {
        let (form, len) = match second & 0x7f {
            126 => (
                2,
                rest.first_chunk()
                    .map(|len| u16::from_be_bytes(*len).into()),
            ),
            127 => (8, rest.first_chunk().map(|len| u64::from_be_bytes(*len))),
            len => (0, Some(len.into())),
        };
        if first & 0x08 != 0 && form > 0 {
            return len.is_some_and(|len| len <= 125);
        }
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let end = len.and_then(|len| usize::try_from(len).ok()?.checked_add(form + mask));
        bytes = end.and_then(|end| rest.get(end..)).unwrap_or_default();
    }
    false
}

#[test]
fn differential_of_generated_streams() {
    // tungstenite does not count fragments, and a changed byte can turn a payload into many.
    let limits = Limits::default()
        .max_message_size(MOST)
        .max_fragments(usize::MAX);
    let mut verdicts = [0_u64; 2];
    for seed in 0..count(100_000) {
        let mut random = Random(seed ^ 0xd1ff);
        let role = [Role::Server, Role::Client][random.below(2)];
        let bytes = match random.below(4) {
            0 => valid(&mut random, role),
            _ => broken(&mut random, role),
        };
        let pieces = pieces(&mut random, &bytes);
        match difference(role, &limits, &pieces) {
            Ok(difference) => verdicts[usize::from(difference.is_some())] += 1,
            Err(error) => panic!("seed {seed}: {error}\n{bytes:x?}"),
        }
    }
    println!(
        "{} the same, {} with a reason to differ",
        verdicts[0], verdicts[1]
    );
    assert!(verdicts[1] < verdicts[0] / 2, "most are the same");
}

#[test]
fn the_reviewed_differences_still_exist() {
    let limits = Limits::default().max_message_size(MOST);
    let because = |bytes: &[u8]| difference(Role::Server, &limits, &[bytes]).unwrap();
    assert_eq!(because(b"\x82\xfe\0\x01kkkkx"), Some(Because::LongForm));
    assert_eq!(because(b"\x89\xfe\0\x01kkkkx"), Some(Because::LongForm));
    assert_eq!(because(b"\x83\x85"), Some(Because::Sooner));
    assert_eq!(because(b"\x89\xfe\0\x7ekkkk"), Some(Because::Sooner));
    assert_eq!(
        because(b"\x88\xff\0\0\0\0\x7f\0\0\0kkkk"),
        Some(Because::SizeFirst)
    );
    assert_eq!(
        because(b"\x82\xff\xff\0\0\0\x7f\0\0\0kkkk"),
        Some(Because::SizeFirst)
    );
    assert_eq!(
        because(&masked(0x88, b"\x03\xf6")),
        Some(Because::BadGateway)
    );
    assert_eq!(
        because(&masked(0x88, b"\x03\xed\xff")),
        Some(Because::CodeFirst)
    );
    assert_eq!(because(&masked(0x81, b"fine")), None);
}
