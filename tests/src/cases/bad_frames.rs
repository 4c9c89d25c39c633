//! Frames that no client may send. For each, the server closes with the right code, the close frame
//! really arrives, and the server continues to serve.

use crate::{Ask, Event, Profile, Raw, Scene, Stage};

group! {
    an_unmasked_frame_is_1002: [RAW_FRAMES],
    reserved_bits_are_1002: [RAW_FRAMES],
    reserved_opcodes_are_1002: [RAW_FRAMES],
    a_fragmented_control_frame_is_1002: [RAW_FRAMES],
    a_long_control_frame_is_1002: [RAW_FRAMES],
    a_continuation_of_nothing_is_1002: [RAW_FRAMES],
    a_new_message_inside_another_is_1002: [RAW_FRAMES],
    close_codes_that_must_not_be_sent_are_1002: [RAW_FRAMES],
    half_a_close_code_is_1002: [RAW_FRAMES],
    text_that_is_not_utf_8_is_1007: [RAW_FRAMES],
    a_close_reason_that_is_not_utf_8_is_1007: [RAW_FRAMES],
    utf_8_split_between_fragments_is_text: [RAW_FRAMES],
    pings_between_fragments_are_answered: [RAW_FRAMES],
    a_declared_length_over_the_limit_is_1009: [RAW_FRAMES],
    a_frame_over_its_own_limit_is_1009: [RAW_FRAMES],
    an_absurd_length_is_1009_or_1002: [RAW_FRAMES],
    fragments_over_the_limit_together_are_1009: [RAW_FRAMES],
    endless_empty_fragments_are_harmless: [RAW_FRAMES],
    frames_byte_by_byte_are_delivered: [RAW_FRAMES],
    a_half_open_socket_is_a_loss: [RAW_FRAMES],
    half_a_frame_and_gone_is_a_loss: [RAW_FRAMES],
    what_follows_a_close_frame_is_not_delivered: [RAW_FRAMES],
    the_close_frame_arrives_although_much_is_unread: [RAW_FRAMES],
}

use super::frame;

/// Opens a connection of `a` with a completed handshake.
async fn connected(stage: &Stage) -> Box<dyn Raw> {
    let target = Ask::named("a").target("/raw");
    stage.frames(target, "").await.unwrap().raw
}

/// Asserts that the server closes with this code, that TCP then ends in order, and that no message
/// hook got any of the frames.
async fn are_closed_with(scene: Scene<'_>, frames: &[&[u8]], code: u16) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    let _ = raw.write(&frames.concat()).await;
    closes(&mut *raw, code).await;
    let closed = stage.wait("a", "close").await;
    assert_eq!(closed["by"], "Server", "{closed}");
    assert_eq!(closed["code"], code);
    assert_eq!(stage.wait("a", "error").await["kind"], "Protocol");
    assert_eq!(stage.count("a", "message").await, 0);
    stage.serves().await;
}

pub(super) async fn closes(raw: &mut dyn Raw, code: u16) {
    loop {
        match raw.frame().await {
            Event::Close(Some((closed, _))) => {
                assert_eq!(closed, code);
                break;
            }
            Event::Close(None) => panic!("a close frame without a code"),
            end @ (Event::End | Event::Cut) => panic!("no close frame, but {end:?}"),
            _ => {}
        }
    }
    // The client ends its side, as clients do. The server must not have reset the connection.
    raw.finish().await;
    assert_eq!(raw.frame().await, Event::End);
}

async fn an_unmasked_frame_is_1002(scene: Scene<'_>) {
    are_closed_with(scene, &[b"\x81\x05hello"], 1002).await;
}

async fn reserved_bits_are_1002(scene: Scene<'_>) {
    for bit in [0x40, 0x20, 0x10] {
        are_closed_with(scene, &[&frame(0x81 | bit, b"hello")], 1002).await;
    }
}

async fn reserved_opcodes_are_1002(scene: Scene<'_>) {
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        are_closed_with(scene, &[&frame(0x80 | opcode, b"")], 1002).await;
    }
}

async fn a_fragmented_control_frame_is_1002(scene: Scene<'_>) {
    for opcode in [8, 9, 10] {
        are_closed_with(scene, &[&frame(opcode, b""), &frame(0x80, b"")], 1002).await;
    }
}

async fn a_long_control_frame_is_1002(scene: Scene<'_>) {
    for opcode in [9, 10] {
        are_closed_with(scene, &[&frame(0x80 | opcode, &[b'x'; 126])], 1002).await;
    }
    let close = [&[0x03, 0xe8], &[b'x'; 124][..]].concat();
    are_closed_with(scene, &[&frame(0x88, &close)], 1002).await;
}

async fn a_continuation_of_nothing_is_1002(scene: Scene<'_>) {
    are_closed_with(scene, &[&frame(0x80, b"more")], 1002).await;
}

async fn a_new_message_inside_another_is_1002(scene: Scene<'_>) {
    are_closed_with(scene, &[&frame(0x01, b"one"), &frame(0x81, b"two")], 1002).await;
}

async fn close_codes_that_must_not_be_sent_are_1002(scene: Scene<'_>) {
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let stage = scene.stage().await;
        let mut raw = connected(&stage).await;
        raw.write(&frame(0x88, &code.to_be_bytes())).await.unwrap();
        closes(&mut *raw, 1002).await;
        stage.wait("a", "close").await;
        stage.serves().await;
    }
}

async fn half_a_close_code_is_1002(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    raw.write(&frame(0x88, b"\x03")).await.unwrap();
    closes(&mut *raw, 1002).await;
    stage.serves().await;
}

async fn text_that_is_not_utf_8_is_1007(scene: Scene<'_>) {
    let bad: [&[u8]; 5] = [
        b"\xff",
        b"half \xe2\x82",
        b"surrogate \xed\xa0\x80",
        b"overlong \xc0\xaf",
        b"beyond \xf4\x90\x80\x80",
    ];
    for text in bad {
        are_closed_with(scene, &[&frame(0x81, text)], 1007).await;
    }
    are_closed_with(scene, &[&frame(0x01, b"ok \xe2"), &frame(0x80, b"\xff")], 1007).await;
}

async fn a_close_reason_that_is_not_utf_8_is_1007(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    raw.write(&frame(0x88, b"\x03\xe8\xff\xfe")).await.unwrap();
    closes(&mut *raw, 1007).await;
    stage.serves().await;
}

async fn utf_8_split_between_fragments_is_text(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    let text = "zażółć 🦀".as_bytes();
    for (index, byte) in text.iter().enumerate() {
        let first = if index == 0 { 0x01 } else { 0x00 };
        let last = if index + 1 == text.len() { 0x80 } else { 0 };
        raw.write(&frame(first | last, &[*byte])).await.unwrap();
    }
    assert_eq!(raw.frame().await, Event::Text("zażółć 🦀".to_owned()));
}

async fn pings_between_fragments_are_answered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    raw.write(&frame(0x01, b"one ")).await.unwrap();
    raw.write(&frame(0x89, b"there?")).await.unwrap();
    assert_eq!(raw.frame().await, Event::Pong(b"there?".to_vec()));
    raw.write(&frame(0x80, b"two")).await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("one two".to_owned()));
}

fn small_messages() -> Profile {
    Profile {
        max_message_size: Some(1000),
        ..Profile::default()
    }
}

async fn a_declared_length_over_the_limit_is_1009(scene: Scene<'_>) {
    let stage = scene.stage_with(small_messages()).await;
    let mut raw = connected(&stage).await;
    // Only the header: the server must not wait for the announced payload.
    raw.write(b"\x82\xfe\x03\xe9\0\0\0\0").await.unwrap();
    closes(&mut *raw, 1009).await;
    assert_eq!(stage.wait("a", "close").await["code"], 1009);
    stage.serves().await;
}

async fn a_frame_over_its_own_limit_is_1009(scene: Scene<'_>) {
    let profile = Profile {
        max_frame_size: Some(1000),
        ..Profile::default()
    };
    let stage = scene.stage_with(profile).await;
    let mut raw = connected(&stage).await;
    let pieces = [frame(0x01, &[b'x'; 1000]), frame(0x80, &[b'x'; 1000])];
    raw.write(&pieces.concat()).await.unwrap();
    assert_eq!(raw.frame().await, Event::Text("x".repeat(2000)));
    raw.write(&frame(0x81, &[b'x'; 1001])).await.unwrap();
    closes(&mut *raw, 1009).await;
    assert_eq!(stage.count("a", "message").await, 1);
}

async fn an_absurd_length_is_1009_or_1002(scene: Scene<'_>) {
    for length in [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 40] {
        let stage = scene.stage().await;
        let mut raw = connected(&stage).await;
        let header = [&b"\x82\xff"[..], &length.to_be_bytes(), &[0; 4]].concat();
        raw.write(&header).await.unwrap();
        let Event::Close(Some((code, _))) = raw.frame().await else {
            panic!("no close frame");
        };
        assert!(code == 1009 || code == 1002, "{code}");
        stage.serves().await;
    }
}

async fn fragments_over_the_limit_together_are_1009(scene: Scene<'_>) {
    let stage = scene.stage_with(small_messages()).await;
    let mut raw = connected(&stage).await;
    raw.write(&frame(0x02, &[0; 600])).await.unwrap();
    raw.write(&frame(0x00, &[0; 600])).await.unwrap();
    closes(&mut *raw, 1009).await;
    stage.serves().await;
}

async fn endless_empty_fragments_are_harmless(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    raw.write(&frame(0x01, b"")).await.unwrap();
    // The write fails once a server that counts fragments has closed.
    let many = frame(0x00, b"").repeat(1000);
    for _ in 0..100 {
        if raw.write(&many).await.is_err() {
            break;
        }
    }
    let _ = raw.write(&frame(0x80, b"end")).await;
    let end = raw.frame().await;
    let fine = match &end {
        Event::Text(text) => text == "end",
        Event::Close(Some((code, _))) => *code == 1008 || *code == 1009,
        // Bytes still in flight may destroy the close frame.
        Event::Cut => true,
        _ => false,
    };
    assert!(fine, "{end:?}");
    stage.serves().await;
}

async fn frames_byte_by_byte_are_delivered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    let long = "x".repeat(300);
    for byte in frame(0x81, long.as_bytes()) {
        raw.write(&[byte]).await.unwrap();
    }
    assert_eq!(raw.frame().await, Event::Text(long));
}

async fn a_half_open_socket_is_a_loss(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    raw.finish().await;
    let closed = stage.wait("a", "close").await;
    assert_eq!((&closed["code"], &closed["by"]), (&1006.into(), &"Network".into()));
    assert_eq!(stage.peers(None).await, []);
    stage.serves().await;
}

async fn half_a_frame_and_gone_is_a_loss(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    let whole = frame(0x81, b"hello");
    raw.write(&whole[..8]).await.unwrap();
    drop(raw);
    let closed = stage.wait("a", "close").await;
    assert_eq!((&closed["code"], &closed["by"]), (&1006.into(), &"Network".into()));
    assert_eq!(stage.count("a", "message").await, 0);
    stage.serves().await;
}

async fn what_follows_a_close_frame_is_not_delivered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    let bytes = [frame(0x88, b"\x03\xe8"), frame(0x81, b"too late")].concat();
    raw.write(&bytes).await.unwrap();
    assert!(matches!(raw.frame().await, Event::Close(_)));
    stage.wait("a", "close.end").await;
    assert_eq!(stage.count("a", "message").await, 0);
    stage.serves().await;
}

async fn the_close_frame_arrives_although_much_is_unread(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut raw = connected(&stage).await;
    // The violation comes first, followed by many bytes that the server does not read.
    let mut bytes = b"\x81\x05hello".to_vec();
    for _ in 0..40 {
        bytes.extend(frame(0x82, &[0; 1000]));
    }
    let _ = raw.write(&bytes).await;
    closes(&mut *raw, 1002).await;
    stage.serves().await;
}
