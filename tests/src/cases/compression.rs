//! permessage-deflate (RFC 7692): off unless the server enables it, then as the client's offer
//! allows.

use serde_json::Value;

use crate::{Ask, Do, Event, Framed, Profile, Raw, Scene, Stage};

group! {
    by_default_an_offer_is_not_answered: [RAW_FRAMES],
    by_default_a_compressed_message_is_1002: [RAW_FRAMES],
    an_offer_is_answered_where_it_is_wanted: [RAW_FRAMES, COMPRESSION],
    without_an_offer_nothing_is_answered: [RAW_FRAMES, COMPRESSION],
    a_blank_offer_is_none: [RAW_FRAMES, COMPRESSION],
    the_first_acceptable_offer_counts: [RAW_FRAMES, COMPRESSION],
    an_offer_in_vain_connects_without_unless_strict: [RAW_FRAMES, COMPRESSION],
    a_peer_knows_what_was_negotiated: [RAW_FRAMES, COMPRESSION],
    a_compressed_message_is_read: [RAW_FRAMES, COMPRESSION],
    a_compressed_message_in_fragments_is_read: [RAW_FRAMES, COMPRESSION],
    a_message_that_is_not_compressed_is_read_too: [RAW_FRAMES, COMPRESSION],
    a_long_answer_is_compressed: [RAW_FRAMES, COMPRESSION],
    what_is_published_is_compressed: [RAW_FRAMES, COMPRESSION],
    context_is_taken_over_if_agreed: [RAW_FRAMES, COMPRESSION],
    rsv1_in_the_wrong_place_is_1002: [RAW_FRAMES, COMPRESSION],
    what_does_not_decompress_is_1007: [RAW_FRAMES, COMPRESSION],
    compressed_text_that_is_not_utf_8_is_1007: [RAW_FRAMES, COMPRESSION],
    a_message_that_grows_over_the_limit_is_1009: [RAW_FRAMES, COMPRESSION],
}

use super::bad_frames::closes;
use super::frame;

const OFFER: &str = "permessage-deflate; client_max_window_bits";

/// "Hello", compressed: RFC 7692 section 7.2.3.1.
const HELLO: &[u8] = b"\xf2\x48\xcd\xc9\xc9\x07\x00";

fn wanted(how: &str) -> Profile {
    Profile {
        deflate: Some(how.to_owned()),
        ..Profile::default()
    }
}

/// Returns the result of a handshake with this offer: a connection and its extensions, or a status
/// other than 101.
async fn offer(stage: &Stage, offer: &str) -> Result<(Box<dyn Raw>, String), u16> {
    let target = Ask::named("a").target("/raw");
    let Framed { raw, extensions } = stage.frames(target, offer).await?;
    Ok((raw, extensions))
}

/// Opens a connection with permessage-deflate.
async fn connected(stage: &Stage) -> Box<dyn Raw> {
    let (raw, extensions) = offer(stage, OFFER).await.unwrap();
    assert!(extensions.starts_with("permessage-deflate"));
    raw
}

async fn by_default_an_offer_is_not_answered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let (_, extensions) = offer(&stage, OFFER).await.unwrap();
    assert_eq!(extensions, "");
}

async fn by_default_a_compressed_message_is_1002(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let (mut raw, _) = offer(&stage, OFFER).await.unwrap();
    raw.write(&frame(0xc1, HELLO)).await.unwrap();
    closes(&mut *raw, 1002).await;
    stage.serves().await;
}

async fn an_offer_is_answered_where_it_is_wanted(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let (_, extensions) = offer(&stage, OFFER).await.unwrap();
    let expected = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(extensions, expected);
}

async fn without_an_offer_nothing_is_answered(scene: Scene<'_>) {
    for how in ["on", "strict"] {
        let stage = scene.stage_with(wanted(how)).await;
        let (mut raw, extensions) = offer(&stage, "").await.unwrap();
        assert_eq!(extensions, "");
        raw.write(&frame(0x81, b"Hello")).await.unwrap();
        assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
    }
}

async fn a_blank_offer_is_none(scene: Scene<'_>) {
    for how in ["on", "strict"] {
        let stage = scene.stage_with(wanted(how)).await;
        for blank in [" ", ",", " , ,"] {
            let (mut raw, extensions) = offer(&stage, blank).await.unwrap();
            assert_eq!(extensions, "");
            raw.write(&frame(0x81, b"Hello")).await.unwrap();
            assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
        }
    }
}

async fn the_first_acceptable_offer_counts(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("takeover")).await;
    let offers = "permessage-deflate; server_max_window_bits=7, foo, \
                  permessage-deflate; server_max_window_bits=\"10\", permessage-deflate";
    let (_, extensions) = offer(&stage, offers).await.unwrap();
    assert_eq!(extensions, "permessage-deflate; server_max_window_bits=10");
}

async fn an_offer_in_vain_connects_without_unless_strict(scene: Scene<'_>) {
    let vain = "permessage-deflate; server_max_window_bits=77";
    let stage = scene.stage_with(wanted("on")).await;
    let (mut raw, extensions) = offer(&stage, vain).await.unwrap();
    assert_eq!(extensions, "");
    raw.write(&frame(0x81, b"Hello")).await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
    let stage = scene.stage_with(wanted("strict")).await;
    assert_eq!(offer(&stage, vain).await.err(), Some(400));
    assert!(offer(&stage, OFFER).await.is_ok());
}

async fn a_peer_knows_what_was_negotiated(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let (mut raw, extensions) = offer(&stage, OFFER).await.unwrap();
    let order = serde_json::to_vec(&[Do::Report]).unwrap();
    raw.write(&frame(0x81, &order)).await.unwrap();
    let report = match raw.frame().await {
        Event::Text(report) => report,
        Event::Compressed(payload) => inflated(&payload),
        other => panic!("no report, but {other:?}"),
    };
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["extensions"], extensions);
}

async fn a_compressed_message_is_read(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    for _ in 0..2 {
        raw.write(&frame(0xc1, HELLO)).await.unwrap();
        assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
    }
}

async fn a_compressed_message_in_fragments_is_read(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    let (head, tail) = HELLO.split_at(3);
    raw.write(&frame(0x41, head)).await.unwrap();
    raw.write(&frame(0x89, b"there?")).await.unwrap();
    assert_eq!(raw.frame().await, Event::Pong(b"there?".to_vec()));
    raw.write(&frame(0x80, tail)).await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
}

async fn a_message_that_is_not_compressed_is_read_too(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    raw.write(&frame(0x81, b"Hello")).await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
}

/// Returns the text of a message that is compressed by itself.
fn inflated(payload: &[u8]) -> String {
    let mut text = vec![0; 1 << 16];
    let mut state = flate2::Decompress::new(false);
    let bytes = [payload, b"\0\0\xff\xff"].concat();
    let done = state.decompress(&bytes, &mut text, flate2::FlushDecompress::Sync);
    done.unwrap();
    text.truncate(state.total_out() as usize);
    String::from_utf8(text).unwrap()
}

async fn a_long_answer_is_compressed(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    let text = "long, and like itself; ".repeat(100);
    for _ in 0..2 {
        raw.write(&frame(0x81, text.as_bytes())).await.unwrap();
        let Event::Compressed(payload) = raw.frame().await else {
            panic!("it is not compressed");
        };
        assert!(payload.len() < text.len() / 4);
        assert_eq!(inflated(&payload), text);
    }
}

async fn what_is_published_is_compressed(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    let mut plain = stage.join("/raw", "b").await;
    stage.wait("a", "open").await;
    let text = "long, and like itself; ".repeat(100);
    assert_eq!(stage.broadcast(None, &text).await, 2);
    let Event::Compressed(payload) = raw.frame().await else {
        panic!("it is not compressed");
    };
    assert_eq!(inflated(&payload), text);
    // Uncompressed for a client that did not offer it.
    plain.hears(&text).await;
}

async fn context_is_taken_over_if_agreed(scene: Scene<'_>) {
    // RFC 7692 section 7.2.3.2: the second one refers to the first.
    let again = b"\xf2\x00\x11\x00\x00";
    let stage = scene.stage_with(wanted("takeover")).await;
    let mut raw = connected(&stage).await;
    for payload in [HELLO, again] {
        raw.write(&frame(0xc1, payload)).await.unwrap();
        assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
    }
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    raw.write(&frame(0xc1, HELLO)).await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("Hello".to_owned()));
    raw.write(&frame(0xc1, again)).await.unwrap();
    closes(&mut *raw, 1007).await;
}

async fn rsv1_in_the_wrong_place_is_1002(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let cases = [
        frame(0xc9, b""),
        [frame(0x41, HELLO), frame(0xc0, b"")].concat(),
        [frame(0x01, b"Hel"), frame(0xc0, b"lo")].concat(),
    ];
    for bytes in cases {
        let mut raw = connected(&stage).await;
        raw.write(&bytes).await.unwrap();
        closes(&mut *raw, 1002).await;
    }
    stage.serves().await;
}

async fn what_does_not_decompress_is_1007(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    // A kind of block that does not exist.
    raw.write(&frame(0xc1, b"\x06")).await.unwrap();
    closes(&mut *raw, 1007).await;
    stage.serves().await;
}

async fn compressed_text_that_is_not_utf_8_is_1007(scene: Scene<'_>) {
    let stage = scene.stage_with(wanted("on")).await;
    let mut raw = connected(&stage).await;
    // A stored block, without compression.
    raw.write(&frame(0xc1, b"\x00\x01\x00\xfe\xff\xff\x00")).await.unwrap();
    closes(&mut *raw, 1007).await;
    stage.serves().await;
}

async fn a_message_that_grows_over_the_limit_is_1009(scene: Scene<'_>) {
    let profile = Profile {
        max_message_size: Some(100_000),
        ..wanted("on")
    };
    let stage = scene.stage_with(profile).await;
    let mut raw = connected(&stage).await;
    // 80 KB that would become 12 MB.
    raw.write(&frame(0xc2, &zeros(50_000))).await.unwrap();
    closes(&mut *raw, 1009).await;
    stage.serves().await;
}

/// A zero, then `times` 258 more of them, in deflate's fixed code (RFC 1951 section 3.2.6).
fn zeros(times: usize) -> Vec<u8> {
    const LITERAL_0: &str = "00110000";
    const COPY_258_FROM_1_BACK: &str = "1100010100000";
    let copies = COPY_258_FROM_1_BACK.repeat(times);
    // A block that is not the last, in the fixed code; its end; and an empty block after it.
    let bits = format!("010{LITERAL_0}{copies}0000000000");
    let byte = |bits: &[u8]| {
        let bits = bits.iter().enumerate();
        bits.fold(0, |byte, (at, bit)| byte | (bit - b'0') << at)
    };
    bits.as_bytes().chunks(8).map(byte).collect()
}
