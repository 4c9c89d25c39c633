//! Clients that try to make a decoder work, allocate or recurse.

use crossws_app::calls::calls;
use crossws_app::rooms::{Allow, rooms};
use crossws_app::rules::{kind, reply, rules};
use crossws_app::{
    Decode, DecodeLimits, JsonCodec, LimitExceeded, OnMalformed, TypedPeer, messages, typed,
};
use crossws_core::{BoxError, DecodeError, Message, Peer};
use crossws_memory::TestServer;
use futures_lite::future::block_on;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::typed::next_json;

/// A type that nests as deep as its message does.
#[derive(Debug, Deserialize)]
struct Tree(#[allow(dead_code)] Vec<Tree>);

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum In {
    Count(u8),
    #[allow(dead_code)]
    Tree(Value),
}

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

/// What a client may send, in the shapes that are wrong for an app that reads [`In`].
#[cfg(any(feature = "message-pack", feature = "cbor"))]
#[derive(serde::Serialize)]
#[serde(rename_all = "lowercase")]
enum Wrong {
    Shout(u8),
    Count(Number),
}

#[cfg(any(feature = "message-pack", feature = "cbor"))]
#[derive(serde::Serialize)]
#[serde(untagged)]
enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'static str),
    None,
}

/// Each is an error, and the value after them is read.
#[cfg(any(feature = "message-pack", feature = "cbor"))]
fn refuses_wrong_values<C: Decode<In>>(codec: &C, encode: impl Fn(&Wrong) -> Vec<u8>) {
    let read = |wrong| codec.decode(&Message::from(encode(&wrong)), &DecodeLimits::new());
    let error = read(Wrong::Shout(1)).unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("shout"), "{reason}");
    for number in [
        Number::Signed(-1),
        Number::Signed(i64::MIN),
        Number::Unsigned(256),
        Number::Unsigned(u64::MAX),
        Number::Float(1e300),
        Number::Float(f64::NAN),
        Number::Text("7"),
        Number::None,
    ] {
        read(Wrong::Count(number)).unwrap_err();
    }
    let count = read(Wrong::Count(Number::Unsigned(255))).unwrap();
    assert!(matches!(count, In::Count(255)));
}

#[cfg(feature = "message-pack")]
#[test]
fn unknown_variants_and_numbers_out_of_range_are_errors_in_message_pack() {
    let encode = |wrong: &Wrong| rmp_serde::to_vec_named(wrong).unwrap();
    refuses_wrong_values(&crossws_app::MessagePackCodec, encode);
}

#[cfg(feature = "cbor")]
#[test]
fn unknown_variants_and_numbers_out_of_range_are_errors_in_cbor() {
    let encode = |wrong: &Wrong| cbor4ii::serde::to_vec(Vec::new(), wrong).unwrap();
    refuses_wrong_values(&crossws_app::CborCodec, encode);
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

/// What layers cannot parse is for the hooks inside, whose policy answers.
#[test]
fn a_connection_stays_after_hostile_messages_through_every_layer() {
    let app = messages().on_message(|peer: TypedPeer<u8>, _: Value| async move { peer.send(7) });
    let app = calls(typed(app).on_malformed(OnMalformed::Reply))
        .method("add", |_: Peer, (a, b): (i64, i64)| async move {
            Ok::<_, BoxError>(a + b)
        })
        .event("say", |_: Peer, _: Value| async {});
    let app = rooms(app).allow("lobby", Allow::Both);
    let app = rules(app).on(kind("ping"), reply(json!({"type": "pong"})));
    let server = TestServer::new(app);
    let deep = "[".repeat(DEEP) + &"]".repeat(DEEP);
    let wide = format!("[{}[]]", "[],".repeat(MIB / 3 - 20));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        for (hostile, reason) in [
            (&deep, "deeper than 64 levels"),
            (&wide, "more than 65536 elements"),
        ] {
            for text in [
                format!(r#"{{"type":"ping","x":{hostile}}}"#),
                format!(r#"{{"subscribe":"lobby","id":{hostile}}}"#),
                format!(r#"{{"subscribe":{hostile}}}"#),
                format!(r#"{{"publish":"lobby","data":{hostile}}}"#),
                format!(r#"{{"call":"add","id":1,"args":{hostile}}}"#),
                format!(r#"{{"event":"say","payload":{hostile}}}"#),
                format!(r#"{{"id":1,"result":{hostile}}}"#),
                format!(r#"{{"cancel":{hostile}}}"#),
            ] {
                client.send(text.as_str()).unwrap();
                let reply = next_json(&mut client).await.to_string();
                assert!(reply.contains(reason), "{} {reply}", &text[..30]);
            }
        }
        client.send("{}").unwrap();
        assert_eq!(next_json(&mut client).await, 7);
    });
}

#[test]
fn a_connection_stays_after_hostile_messages_where_the_policy_says_so() {
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
