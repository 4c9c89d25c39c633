//! What a client sends, as a server's decoder reads it.

use bytes::BytesMut;
use crossws_core::{CloseFrame, Deflate};

use super::compressed::messages;
use super::stream::Random;
use super::*;
use crate::deflate::Deflater;
use crate::frame::put_masked_close;
use crate::handshake::{ClientHandshake, Handshake};

/// Returns the two ends of a connection whose sides agreed on these configurations.
fn ends(client: &Deflate, server: &Deflate) -> (Deflater, Decoder) {
    let handshake = ClientHandshake::new(Some(client)).unwrap();
    let mut request = http::Request::get("/")
        .header("host", "a")
        .body(())
        .unwrap();
    request.headers_mut().extend(handshake.headers());
    let theirs = Handshake::check(&request.into_parts().0).unwrap();
    let agreed = theirs.agree(Some(server)).unwrap();
    let answer = theirs.response(&http::HeaderMap::new(), &agreed);
    let ours = handshake.check(&answer.into_parts().0).unwrap();
    (
        Deflater::new(ours.deflate().unwrap()),
        agreed.into_decoder(Role::Server, &Limits::default()),
    )
}

#[test]
fn a_server_reads_what_a_client_compresses_and_masks() {
    let most = usize::MAX >> 1;
    let mut random = Random(5);
    for takeover in [true, false] {
        for bits in 9..=15 {
            let config = Deflate::default()
                .threshold(1_usize)
                .max_context_memory(most)
                .client_no_context_takeover(!takeover);
            let (mut deflater, mut decoder) = ends(&config, &config.client_max_window_bits(bits));
            let mut frames = BytesMut::new();
            let mut compressed = 0;
            let sent = messages(&mut random);
            for message in &sent {
                let (opcode, payload) = (Opcode::from(message), message.as_bytes());
                let before = frames.len();
                match deflater.put_masked_frame(opcode, payload, &mut frames) {
                    Ok(true) => {
                        compressed += 1;
                        assert_eq!(frames[before] & 0x40, 0x40);
                    }
                    Ok(false) => {
                        assert_eq!(frames.len(), before);
                        put_masked_frame(&mut frames, opcode, payload).unwrap();
                    }
                    Err(error) => panic!("{error}"),
                }
                assert_eq!(frames[before + 1] & 0x80, 0x80);
            }
            assert!(compressed > 0);
            assert_eq!(deflater.has_context(), takeover);
            let mut input = &mut frames[..];
            for message in sent {
                let event = decoder.decode(&mut input);
                assert_eq!(event, Ok(Some(Event::Message(message))), "{bits}");
            }
            assert_eq!(decoder.decode(&mut input), Ok(None));
        }
    }
}

#[test]
fn each_compressed_frame_has_a_key_of_its_own() {
    let config = Deflate::default().threshold(1_usize);
    let (mut deflater, _) = ends(&config, &config);
    let mut keys = std::collections::HashSet::new();
    for _ in 0..100 {
        let mut frame = BytesMut::new();
        assert_eq!(
            deflater.put_masked_frame(Opcode::Text, &[b'a'; 100], &mut frame),
            Ok(true)
        );
        keys.insert(frame[2..6].to_vec());
    }
    // Of 2^32 keys.
    assert!(keys.len() >= 99);
}

#[test]
fn a_client_closes_with_a_code_and_a_reason_or_without() {
    for close in [None, Some(CloseFrame::new(CloseCode::NORMAL, "bye"))] {
        let mut frame = BytesMut::new();
        put_masked_close(&mut frame, close.as_ref()).unwrap();
        let mut decoder = Decoder::new(Role::Server, &Limits::default());
        let event = decoder.decode(&mut &mut frame[..]);
        assert_eq!(event, Ok(Some(Event::Close(close))));
    }
}
