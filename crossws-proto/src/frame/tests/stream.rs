//! Generated streams of frames, valid and broken.

use super::{Role, frame};

/// Returns how many streams a test tries: `CROSSWS_STREAMS`, or the test's own number.
pub(super) fn count(default: u64) -> u64 {
    let said = std::env::var("CROSSWS_STREAMS").ok();
    said.and_then(|count| count.parse().ok()).unwrap_or(default)
}

/// SplitMix64: small, fast, and the same on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, most: usize) -> usize {
        (self.next() % most as u64) as usize
    }

    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.next() as u8).collect()
    }
}

/// Returns a stream that keeps every rule of RFC 6455.
pub(super) fn valid(random: &mut Random, role: Role) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(6) {
        match random.below(12) {
            0..9 => message(random, role, &mut bytes),
            9..11 => control(random, role, &mut bytes),
            _ => close(random, role, &mut bytes),
        }
    }
    bytes
}

/// Returns a stream that may break a rule: a valid one with bytes changed, removed or inserted.
pub(super) fn broken(random: &mut Random, role: Role) -> Vec<u8> {
    let mut bytes = valid(random, role);
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        // Mostly near the front, where short streams have their headers.
        let near = if random.once_in(2) { 20 } else { usize::MAX };
        let at = random.below(bytes.len().min(near));
        match random.below(5) {
            0 => bytes[at] = random.next() as u8,
            1 | 2 => bytes[at] ^= 1 << random.below(8),
            3 => {
                bytes.remove(at);
            }
            _ => bytes.insert(at, random.next() as u8),
        }
    }
    bytes
}

/// Cuts a stream into pieces.
pub(super) fn pieces<'a>(random: &mut Random, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
    let most = [1, 3, 20, 500, 100_000][random.below(5)];
    let mut pieces = Vec::new();
    while !bytes.is_empty() {
        let size = 1 + random.below(most);
        let (piece, rest) = bytes.split_at(bytes.len().min(size));
        pieces.push(piece);
        bytes = rest;
    }
    pieces
}

/// Appends one message, in one or more frames with control frames between them.
fn message(random: &mut Random, role: Role, bytes: &mut Vec<u8>) {
    let (mut first, payload) = if random.once_in(2) {
        (0x1, text(random).into_bytes())
    } else {
        (0x2, payload(random))
    };
    let mut rest = &payload[..];
    if random.once_in(2) {
        for _ in 0..random.below(5) {
            let (piece, more) = rest.split_at(random.below(rest.len() + 1));
            bytes.extend(frame(role, first, piece));
            if random.once_in(3) {
                control(random, role, bytes);
            }
            (rest, first) = (more, 0x0);
        }
    }
    bytes.extend(frame(role, 0x80 | first, rest));
}

fn control(random: &mut Random, role: Role, bytes: &mut Vec<u8>) {
    let first = 0x89 + random.below(2) as u8;
    let len = if random.once_in(10) {
        125
    } else {
        random.below(9)
    };
    let data = random.bytes(len);
    bytes.extend(frame(role, first, &data));
}

fn close(random: &mut Random, role: Role, bytes: &mut Vec<u8>) {
    let codes = [1000, 1001, 1002, 1003, 1007, 1011, 1013, 3000, 4999];
    let payload = if random.once_in(4) {
        Vec::new()
    } else {
        let code: u16 = codes[random.below(codes.len())];
        [&code.to_be_bytes()[..], "wohl denn".as_bytes()].concat()
    };
    bytes.extend(frame(role, 0x88, &payload));
}

fn text(random: &mut Random) -> String {
    const PARTS: [&str; 8] = [
        "a",
        "hello ",
        "ż",
        "é€",
        "测试",
        "🦀",
        "\u{7ff}\u{800}",
        "\u{10ffff}",
    ];
    let parts = if random.once_in(20) {
        300
    } else {
        random.below(12)
    };
    (0..parts)
        .map(|_| PARTS[random.below(PARTS.len())])
        .collect()
}

fn payload(random: &mut Random) -> Vec<u8> {
    let len = match random.below(100) {
        0 => 65_530 + random.below(10),
        1..10 => 120 + random.below(10),
        10..20 => random.below(1000),
        _ => random.below(20),
    };
    vec![random.next() as u8; len]
}
