//! Volatile messages and keys, while the client is slow.

use super::*;

/// Returns a peer with a short queue, for whom a write has to wait.
fn slow_with_little() -> (OpeningPeer<HooksBuilder>, Arc<Outbox>) {
    let (joined, outbox) = peer::join(&Hub::default());
    joined.peer().send("first").unwrap();
    outbox.must_wait();
    (joined, outbox)
}

#[test]
fn a_volatile_message_is_discarded_for_a_slow_client_however_little_waits() {
    let (joined, outbox) = slow_with_little();
    let options = SendOptions::new().volatile();
    let sent = joined.peer().send_with("late", options).unwrap();
    assert_eq!(sent, Sent::Dropped);
    assert_eq!(outbox.dropped(), 1);
}

#[test]
fn a_newer_message_with_a_key_takes_the_place_of_the_older_however_little_waits() {
    let (joined, outbox) = slow_with_little();
    let options = SendOptions::new().key("price");
    let before = outbox.buffered();
    for price in ["10", "20"] {
        joined.peer().send_with(price, options.clone()).unwrap();
    }
    assert_eq!(outbox.buffered(), before + 4);
}

#[test]
fn a_message_with_a_key_that_comes_after_the_close_takes_no_other_out() {
    let (joined, outbox) = slow_with_little();
    let key: Arc<str> = "price".into();
    joined
        .peer()
        .send_with("10", SendOptions::new().key(Arc::clone(&key)))
        .unwrap();
    outbox.close_with(None);
    let before = outbox.buffered();
    let receipt = outbox
        .replace(&key, || Bytes::from_static(b"\x81\x0220"))
        .unwrap();
    assert!(!receipt.queued);
    assert_eq!(
        outbox.buffered(),
        before,
        "what was queued before is still sent"
    );
}

#[test]
fn under_drop_newest_a_keyed_message_that_does_not_fit_leaves_the_older() {
    let limits = Limits::default()
        .overflow(Overflow::DropNewest)
        .max_buffered(40);
    let hub = Hub::builder().limits(limits).build();
    let (joined, outbox) = peer::join(&hub);
    let send = |text: &str| {
        joined
            .peer()
            .send_with(text, SendOptions::new().key("price"))
    };
    joined.peer().send("first").unwrap();
    outbox.must_wait();
    send("10").unwrap();
    let long = "2".repeat(60);
    assert!(matches!(send(&long), Err(SendError::Full(_))));
    assert_eq!((outbox.buffered(), outbox.dropped()), (7 + 4, 1));
    // What fits in place of the older replaces it.
    let fits = "3".repeat(29);
    send(&fits).unwrap();
    assert_eq!((outbox.buffered(), outbox.dropped()), (7 + 31, 1));
}
