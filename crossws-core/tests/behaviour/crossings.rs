//! What a publication calls in an adapter: the table of ARCHITECTURE, "Sending".

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crossws_core::adapter::{
    Allowance, Cursor, Encoding, LogReader, OpeningPeer, PeerEvents, Publication, Receipt, Settled,
    Transport, Wire as Format,
};
use crossws_core::{
    Bytes, Capabilities, CloseFrame, HooksBuilder, Hub, Message, SendError, SendOptions, Sent,
    hooks,
};

use crate::common::accept;

/// The calls, except for look-ups of what never changes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Calls {
    encodings: usize,
    offers: usize,
    news: usize,
    lags: usize,
    wakes: usize,
    others: usize,
}

static ENCODINGS: AtomicUsize = AtomicUsize::new(0);

struct Plain;

impl Encoding for Plain {
    fn append(_: u64, publication: &Publication, to: &mut Vec<u8>) {
        ENCODINGS.fetch_add(1, Ordering::Relaxed);
        to.extend_from_slice(publication.message().as_bytes());
    }
}

/// A reader of logs, whose writer sleeps or is busy.
struct Reader {
    busy: bool,
    calls: Arc<Mutex<Calls>>,
    feeds: Mutex<Vec<Cursor>>,
}

impl Reader {
    fn count(&self, count: impl FnOnce(&mut Calls) -> &mut usize) {
        *count(&mut self.calls.lock().unwrap()) += 1;
    }
}

impl Transport for Reader {
    fn capabilities(&self) -> Capabilities {
        Capabilities::PUBSUB
    }

    fn send(&self, _: Message, _: &SendOptions) -> Result<Sent, SendError> {
        self.count(|calls| &mut calls.others);
        Ok(Sent::Written)
    }

    fn publish(&self, _: &Publication) -> Receipt {
        self.count(|calls| &mut calls.others);
        Receipt::queued(false)
    }

    fn settle(&self) -> Settled {
        self.count(|calls| &mut calls.others);
        Settled::default()
    }

    fn wake(&self) {
        self.count(|calls| &mut calls.others);
    }

    fn wake_with(&self, _: &PeerEvents, others: &mut Vec<PeerEvents>) {
        self.count(|calls| &mut calls.wakes);
        others.clear();
    }

    fn log_reader(&self) -> Option<&dyn LogReader> {
        Some(self)
    }

    fn close(&self, _: CloseFrame) {}

    fn terminate(&self) {}
}

impl LogReader for Reader {
    fn wire(&self) -> Option<Format> {
        Some(Format::new::<Plain>(0))
    }

    fn offer(&self, encoded: &Bytes) -> Option<Receipt> {
        assert_eq!(encoded, "hello");
        self.count(|calls| &mut calls.offers);
        (!self.busy).then(|| Receipt::queued(true))
    }

    fn news(&self, feed: Cursor) -> Result<Allowance, Cursor> {
        self.count(|calls| &mut calls.news);
        self.feeds.lock().unwrap().push(feed);
        Ok(Allowance::new(1 << 10, 1 << 10))
    }

    fn lags(&self) -> Allowance {
        self.count(|calls| &mut calls.lags);
        Allowance::new(1 << 10, 1 << 10)
    }

    fn left(&self) -> Settled {
        Settled::default()
    }
}

/// Publishes to this many subscribers. Returns the calls of each of the publications.
fn publish(subscribers: usize, busy: bool, publications: usize) -> Vec<Calls> {
    let (hub, calls) = (Hub::default(), Arc::<Mutex<Calls>>::default());
    let join = || -> OpeningPeer<HooksBuilder> {
        let reader = Reader {
            busy,
            calls: Arc::clone(&calls),
            feeds: Mutex::default(),
        };
        let joined = accept(&hub, &Arc::new(hooks()), "/").join(reader).unwrap();
        joined.peer().subscribe("t").unwrap();
        joined
    };
    let peers: Vec<_> = (0..subscribers).map(|_| join()).collect();
    let each = (0..publications).map(|_| {
        *calls.lock().unwrap() = Calls::default();
        let before = ENCODINGS.load(Ordering::Relaxed);
        let published = hub.in_namespace("/").publish("t", "hello").unwrap();
        assert_eq!(published.queued, subscribers);
        let encodings = ENCODINGS.load(Ordering::Relaxed) - before;
        Calls {
            encodings,
            ..*calls.lock().unwrap()
        }
    });
    let each = each.collect();
    drop(peers);
    each
}

// One test, because the encodings of the process are counted.
#[test]
fn a_publication_is_encoded_once_and_offered_once_to_each_that_sleeps() {
    let one = Calls {
        encodings: 1,
        offers: 1,
        wakes: 1,
        ..Calls::default()
    };
    assert_eq!(publish(1, false, 2), [one, one]);
    let many = Calls { offers: 100, ..one };
    assert_eq!(publish(100, false, 1), [many]);
    // Busy: it is told once. Later publications are in the log.
    let first = Calls {
        encodings: 1,
        offers: 1,
        news: 1,
        ..Calls::default()
    };
    let later = Calls {
        encodings: 1,
        ..Calls::default()
    };
    assert_eq!(publish(1, true, 3), [first, later, later]);
}
