//! Clients that try to make a decoder work, allocate or recurse.

use crossws_app::{
    Decode, DecodeLimits, JsonCodec, LimitExceeded, OnMalformed, TypedPeer, messages, typed,
};
use crossws_core::{DecodeError, Message};
use crossws_memory::TestServer;
use futures_lite::future::block_on;
use serde::Deserialize;
use serde_json::Value;

use crate::typed::next_json;

/// A type that nests as deep as its message does.
#[derive(Debug, Deserialize)]
struct Tree(#[allow(dead_code)] Vec<Tree>);

/// An element that is much larger than its message.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Large {
    #[allow(dead_code)]
    values: [u64; 32],
}

fn exceeds<T>(result: Result<T, DecodeError>) -> LimitExceeded {
    match result {
        Ok(_) => panic!("the message was decoded"),
        Err(error) => LimitExceeded::of(&error).unwrap_or_else(|| panic!("{error}")),
    }
}

/// Returns the decoders' errors for a message that is read as two types.
fn verdicts<C>(codec: &C, message: &Message) -> [LimitExceeded; 2]
where
    C: Decode<Tree> + Decode<Value>,
{
    let limits = DecodeLimits::new();
    [
        exceeds(Decode::<Tree>::decode(codec, message, &limits)),
        exceeds(Decode::<Value>::decode(codec, message, &limits)),
    ]
}

const DEEP: usize = 10_000;
const MIB: usize = 1 << 20;

#[test]
fn json_of_depth_10_000_and_arrays_of_empties_exceed_the_limits() {
    let deep = Message::from("[".repeat(DEEP) + &"]".repeat(DEEP));
    assert_eq!(verdicts(&JsonCodec, &deep), [LimitExceeded::Depth(64); 2]);
    let wide = Message::from(format!("[{}[]]", "[],".repeat(MIB / 3 - 2)));
    assert_eq!(
        verdicts(&JsonCodec, &wide),
        [LimitExceeded::Items(65_536); 2]
    );
    let map = "{\"a\":".repeat(DEEP) + "1" + &"}".repeat(DEEP);
    let value: Result<Value, _> = JsonCodec.decode(&map.into(), &DecodeLimits::new());
    assert_eq!(exceeds(value), LimitExceeded::Depth(64));
}

#[cfg(feature = "message-pack")]
#[test]
fn message_pack_of_depth_10_000_and_arrays_of_empties_exceed_the_limits() {
    use crossws_app::MessagePackCodec;
    let deep = Message::from([&[0x91; DEEP][..], &[0x90]].concat());
    assert_eq!(
        verdicts(&MessagePackCodec, &deep),
        [LimitExceeded::Depth(64); 2]
    );
    // An array of as many as the message has room for, each an empty array.
    let mut wide = vec![0xdd];
    wide.extend((MIB as u32 - 5).to_be_bytes());
    wide.resize(MIB, 0x90);
    assert_eq!(
        verdicts(&MessagePackCodec, &wide.into()),
        [LimitExceeded::Items(65_536); 2]
    );
    // An array that claims four billion elements and has none.
    let lie = Message::from(vec![0xdd, 0xff, 0xff, 0xff, 0xff]);
    Decode::<Vec<u64>>::decode(&MessagePackCodec, &lie, &DecodeLimits::new()).unwrap_err();
}

#[cfg(feature = "cbor")]
#[test]
fn cbor_of_depth_10_000_and_arrays_of_empties_exceed_the_limits() {
    use crossws_app::CborCodec;
    let deep = Message::from([&[0x81; DEEP][..], &[0x80]].concat());
    assert_eq!(verdicts(&CborCodec, &deep), [LimitExceeded::Depth(64); 2]);
    // An array of no stated length, whose elements are.
    let endless = Message::from(vec![0x9f; DEEP]);
    assert_eq!(
        verdicts(&CborCodec, &endless),
        [LimitExceeded::Depth(64); 2]
    );
    let mut wide = vec![0x9a];
    wide.extend((MIB as u32 - 5).to_be_bytes());
    wide.resize(MIB, 0x80);
    assert_eq!(
        verdicts(&CborCodec, &wide.into()),
        [LimitExceeded::Items(65_536); 2]
    );
    // Tags around tags.
    let tags = Message::from([&[0xc6; DEEP][..], &[0x80]].concat());
    Decode::<Value>::decode(&CborCodec, &tags, &DecodeLimits::new()).unwrap_err();
    Decode::<Tree>::decode(&CborCodec, &tags, &DecodeLimits::new()).unwrap_err();
    let lie = Message::from(vec![0x9b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    Decode::<Vec<u64>>::decode(&CborCodec, &lie, &DecodeLimits::new()).unwrap_err();
}

#[test]
fn the_limits_are_the_routes() {
    let limits = DecodeLimits::new().max_depth(2).max_items(3);
    let read = |text: &str| -> Result<Value, _> { JsonCodec.decode(&text.into(), &limits) };
    read("[[1],2]").unwrap();
    assert_eq!(exceeds(read("[[[]]]")), LimitExceeded::Depth(2));
    assert_eq!(exceeds(read("[1,2,3,4]")), LimitExceeded::Items(3));
    assert_eq!(exceeds(read("{\"a\":[1,2,3]}")), LimitExceeded::Items(3));
}

#[test]
fn large_elements_are_bounded_by_their_count() {
    let read = |count: usize| -> Result<Vec<Large>, _> {
        let text = format!("[{}{{}}]", "{},".repeat(count - 1));
        JsonCodec.decode(&text.into(), &DecodeLimits::new())
    };
    assert_eq!(read(1_000).unwrap().len(), 1_000);
    assert_eq!(exceeds(read(200_000)), LimitExceeded::Items(65_536));
}

#[test]
fn a_connection_stays_after_hostile_messages_where_the_policy_says_so() {
    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum In {
        Count(u8),
        #[allow(dead_code)]
        Tree(Value),
    }
    let app = messages().on_message(|peer: TypedPeer<u8>, message: In| async move {
        match message {
            In::Count(count) => peer.send(count).map(drop),
            In::Tree(_) => Ok(()),
        }
    });
    let server = TestServer::new(typed(app).on_malformed(OnMalformed::Reply));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        let deep = format!("{{\"tree\":{}{}}}", "[".repeat(DEEP), "]".repeat(DEEP));
        let wide = format!("{{\"tree\":[{}[]]}}", "[],".repeat(MIB / 3 - 8));
        let cases = [
            (&*deep, "deeper than 64 levels"),
            (&wide, "more than 65536 elements"),
            ("{\"shout\":1}", "unknown variant `shout`"),
            ("{\"count\":256}", "256"),
            ("{\"count\":1e400}", "number out of range"),
            ("{\"count\":-1}", "-1"),
        ];
        for (text, reason) in cases {
            client.send(text).unwrap();
            let reply = next_json(&mut client).await;
            let message = reply["message"].as_str().unwrap();
            assert!(message.contains(reason), "{message} should say {reason}");
        }
        client.send("{\"count\":7}").unwrap();
        assert_eq!(next_json(&mut client).await, 7);
    });
}
