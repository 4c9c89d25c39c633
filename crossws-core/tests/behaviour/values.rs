//! Small values: messages, close codes and frames, ids, liveness at its edges.

use std::time::Duration;

use crossws_core::adapter::Liveness;
use crossws_core::{
    Bytes, CloseCode, CloseFrame, Closed, ClosedBy, Limit, Limits, Message, PeerId, Utf8Bytes,
};

#[test]
fn messages_share_and_convert() {
    let bytes = Bytes::from(b"{\"a\":[1,2]}".to_vec());
    let message = Message::from(bytes.clone());
    assert_eq!(message.bytes().as_ptr(), bytes.as_ptr(), "no copy");
    assert_eq!(message.text().unwrap(), "{\"a\":[1,2]}");
    let json: std::collections::HashMap<&str, Vec<u8>> = message.json().unwrap();
    assert_eq!(json["a"], [1, 2]);
    assert!(message.is_binary() && !message.is_text() && !message.is_empty());

    let broken = Message::from(vec![0xff, b'a']);
    assert!(broken.text().is_err());
    assert_eq!(broken.to_string(), "\u{fffd}a");
    assert!(broken.json::<u8>().is_err());
    assert_eq!(broken.clone().into_bytes(), &[0xff, b'a'][..]);
    assert!(Utf8Bytes::try_from(broken.bytes()).is_err());
    assert_ne!(Message::from("a"), Message::from(vec![b'a']));
    let long = format!("{:?}", Message::from("s".repeat(1000)));
    assert!(long.len() < 100 && long.contains("1000 bytes"), "{long}");
}

#[test]
fn close_codes_are_those_that_may_be_sent() {
    let allowed = |code: &u16| CloseCode::new(*code).is_some();
    let codes: Vec<u16> = (0..3000).filter(allowed).collect();
    let known: Vec<u16> = (1000..=1003).chain(1007..=1014).collect();
    assert_eq!(codes, known);
    assert_eq!((3000..=u16::MAX).filter(allowed).count(), 2000);
    assert!(
        CloseCode::try_from(1006)
            .unwrap_err()
            .to_string()
            .contains("1006")
    );
    assert_eq!(u16::from(CloseCode::TIMEOUT), 3008);
}

#[test]
fn reasons_are_cut_at_a_character() {
    let cut = |reason: &str| CloseFrame::new(CloseCode::NORMAL, reason).reason().len();
    assert_eq!(cut(&"x".repeat(123)), 123);
    assert_eq!(cut(&"x".repeat(124)), 123);
    assert_eq!(cut(&"é".repeat(62)), 122, "two bytes each");
    assert_eq!(cut(&"😀".repeat(31)), 120, "four bytes each");
    assert_eq!(cut(""), 0);
}

#[test]
fn closes_say_what_was_seen() {
    let none = Closed::by_client(None);
    assert_eq!(
        (none.code, none.clean, none.by),
        (1005, true, ClosedBy::Client)
    );
    let lost = Closed::lost(ClosedBy::Timeout);
    assert_eq!(
        (lost.code, lost.clean, lost.by),
        (1006, false, ClosedBy::Timeout)
    );
}

#[test]
fn ids_are_uuids() {
    let id = PeerId::from_u128(0x0123_4567_89ab_4def_8123_4567_89ab_cdef);
    assert_eq!(id.to_string(), "01234567-89ab-4def-8123-456789abcdef");
    assert_eq!(id.to_string().parse::<PeerId>().unwrap(), id);
    assert!("nonsense".parse::<PeerId>().is_err());
    let json = serde_json::to_string(&id).unwrap();
    assert_eq!(serde_json::from_str::<PeerId>(&json).unwrap(), id);
    assert_ne!(PeerId::random(), PeerId::random());
}

#[test]
fn limits_are_numbers_or_none() {
    assert!(Limit::At(3).allows(3) && !Limit::At(3).allows(4));
    assert!(Limit::Unlimited.allows(usize::MAX));
}

#[test]
fn no_duration_in_a_config_panics() {
    let max = Duration::MAX;
    let limits = Limits::default()
        .ping_interval(max)
        .pong_timeout(max)
        .idle_timeout(max)
        .max_lifetime(max);
    for limits in [limits.clone(), limits.clone().ping_interval(None)] {
        let mut live = Liveness::new(&limits, PeerId::from_u128(0xffff), Duration::from_secs(9));
        live.heard(Duration::from_secs(10));
        assert_eq!(live.poll(Duration::from_secs(11)), None);
        assert!(live.next_due().is_some());
    }
    let limits = limits.ping_interval(Duration::from_secs(1));
    let mut live = Liveness::new(&limits, PeerId::random(), Duration::ZERO);
    assert!(live.poll(Duration::from_secs(2)).is_some());
    assert_eq!(live.poll(Duration::from_secs(2)), None);
    assert!(live.next_due().is_some());
}
