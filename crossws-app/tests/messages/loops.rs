//! Loops over values, and the policy for malformed messages.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossws_app::{
    DecodeLimits, IncomingExt, Malformed, MessageLoop, OnMalformed, TypedIncoming, TypedPeer,
    message_loop, typed,
};
use crossws_core::{
    BoxError, CloseCode, Handler, Incoming, Json, OnError, Peer, handler, hooks, keep_open,
};
use crossws_memory::TestServer;
use futures_lite::StreamExt;
use futures_lite::future::{self, block_on};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::typed::next_json;

#[derive(Debug, Deserialize, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Input {
    Data { data: String },
    Exit,
}

/// Echoes data, and ends with `exit`.
fn echo(read: fn(Incoming) -> TypedIncoming<Input>) -> Handler {
    handler(move |peer: Peer, incoming| async move {
        let mut inputs = read(incoming);
        while let Some(input) = inputs.next().await {
            match input {
                Input::Data { .. } => peer.send(Json(input))?,
                Input::Exit => break,
            };
        }
        Ok(())
    })
}

#[test]
fn a_loop_over_json_skips_what_is_none_and_goes_on() {
    let server = TestServer::new(echo(|incoming| incoming.json()));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        for text in [
            "{",
            "[]",
            "{\"type\":\"shout\"}",
            "{\"type\":\"data\",\"data\":1}",
        ] {
            client.send(text).unwrap();
        }
        client.send(vec![0xff]).unwrap();
        let data = json!({"type": "data", "data": "hello"});
        client.send(Json(&data)).unwrap();
        assert_eq!(next_json(&mut client).await, data);
        client.send("{\"type\":\"exit\"}").unwrap();
        assert_eq!(client.closed().await.code, 1000);
    });
}

#[test]
fn a_loops_malformed_messages_are_answered_where_the_policy_says_so() {
    let server = TestServer::new(echo(|incoming| {
        incoming
            .json()
            .on_malformed(OnMalformed::Reply)
            .validate(|input: &Input| match input {
                Input::Data { data } if data.is_empty() => Err("no data"),
                _ => Ok(()),
            })
    }));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("{").unwrap();
        assert_eq!(next_json(&mut client).await["type"], "error");
        client.send("{\"type\":\"data\",\"data\":\"\"}").unwrap();
        let reply = next_json(&mut client).await;
        assert_eq!(reply["message"], "the message is invalid: no data");
        client.send("{\"type\":\"data\",\"data\":\"x\"}").unwrap();
        assert_eq!(next_json(&mut client).await["data"], "x");
    });
}

#[test]
fn a_loops_malformed_message_closes_where_the_policy_says_so() {
    let server = TestServer::new(echo(|incoming| {
        let inputs = incoming
            .json()
            .on_malformed(OnMalformed::Close(CloseCode::POLICY));
        inputs.decode_limits(DecodeLimits::new().max_depth(2))
    }));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("{\"type\":\"data\",\"data\":[[[]]]}").unwrap();
        let closed = client.closed().await;
        assert_eq!(closed.code, 1008);
        assert!(closed.reason.contains("deeper than 2 levels"), "{closed:?}");
    });
}

#[test]
fn a_loops_malformed_message_reaches_error_where_the_policy_says_so() {
    let errors = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&errors);
    let looped = echo(|incoming| incoming.json().on_malformed(OnMalformed::Fail));
    let server = TestServer::new(looped.on_error(move |_, error| {
        let malformed = error.downcast_ref::<Malformed>().is_some();
        seen.lock().unwrap().push(malformed);
        async { OnError::Keep }
    }));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("{").unwrap();
        client.send("{\"type\":\"data\",\"data\":\"x\"}").unwrap();
        assert_eq!(next_json(&mut client).await["data"], "x");
        client.close(CloseCode::NORMAL, "");
        client.closed().await;
    });
    assert_eq!(*errors.lock().unwrap(), [true]);
}

#[test]
fn a_loop_may_look_at_what_is_malformed_itself() {
    let server = TestServer::new(handler(|peer: Peer, incoming: Incoming| async move {
        let mut inputs = incoming
            .json::<u32>()
            .transform(|message| Ok::<_, BoxError>(message.text()?.replace('_', "").into()));
        loop {
            match inputs.try_next().await {
                Ok(Some(number)) => peer.send(number.to_string())?,
                Ok(None) => return Ok(()),
                Err(Malformed::Decode(_)) => peer.send("no number")?,
                Err(other) => return Err(other.into()),
            };
        }
    }));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("1_000").unwrap();
        client.send("one").unwrap();
        assert_eq!(client.next().await.unwrap().text().unwrap(), "1000");
        assert_eq!(client.next().await.unwrap().text().unwrap(), "no number");
    });
}

#[test]
fn a_loop_waits_for_messages_and_ticks_at_the_same_time() {
    let server = TestServer::new(handler(|peer: Peer, incoming: Incoming| async move {
        let mut numbers = incoming.json::<u32>();
        let mut ticks = peer.interval(Duration::from_secs(1));
        let mut sum = 0;
        loop {
            // What `select!` does with two branches that may both be dropped.
            let next = async { numbers.next().await.map(Some) };
            let tick = async { ticks.tick().await.then_some(None) };
            match future::or(next, tick).await {
                Some(Some(number)) => sum += number,
                Some(None) => drop(peer.send(sum.to_string())?),
                None => return Ok(()),
            }
        }
    }));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        for number in ["1", "2", "4"] {
            client.send(number).unwrap();
        }
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(client.next().await.unwrap().text().unwrap(), "7");
        client.send("8").unwrap();
        server.advance(Duration::from_secs(1)).await;
        assert_eq!(client.next().await.unwrap().text().unwrap(), "15");
        client.close(CloseCode::NORMAL, "");
        assert_eq!(client.closed().await.code, 1000);
    });
}

#[test]
fn an_interval_keeps_its_period_and_ends_with_the_connection() {
    let server = TestServer::new(hooks().on_open(|peer| async move {
        let mut ticks = peer.interval(Duration::from_secs(10));
        let mut count = 0;
        while ticks.tick().await {
            count += 1;
            peer.send(count.to_string())?;
            // Longer than a period: of the ticks meanwhile one is late, and the next is in step.
            peer.sleep(Duration::from_secs(if count == 1 { 25 } else { 1 }))
                .await;
        }
        crossws_core::ok()
    }));
    let start = server.now();
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        let mut times = Vec::new();
        while times.len() < 4 {
            server.advance(Duration::from_secs(1)).await;
            if client.try_next().is_some() {
                times.push((server.now() - start).as_secs());
            }
        }
        assert_eq!(times, [10, 35, 40, 50]);
        client.close(CloseCode::NORMAL, "");
        client.closed().await;
    });
}

#[test]
fn a_stream_of_values_ends_with_the_connection() {
    let sums = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sums);
    let server = TestServer::new(handler(move |_, incoming: Incoming| {
        let seen = Arc::clone(&seen);
        async move {
            let numbers: Vec<u32> = incoming.json::<u32>().collect().await;
            seen.lock().unwrap().push(numbers.into_iter().sum::<u32>());
            Ok(keep_open(()))
        }
    }));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        client.send("1").unwrap();
        client.send("x").unwrap();
        client.send("2").unwrap();
        client.close(CloseCode::NORMAL, "");
        client.closed().await;
    });
    block_on(server.settle());
    assert_eq!(*sums.lock().unwrap(), [3]);
}

#[test]
#[cfg(feature = "cbor")]
fn a_loop_reads_the_format_of_the_negotiated_subprotocol() {
    use crossws_app::{CborCodec, Encode, route};

    let sums = handler(|peer: Peer, incoming: Incoming| async move {
        let incoming = incoming.json::<u32>().protocol("sum.cbor", CborCodec);
        let mut numbers = incoming.protocol("sum.other", CborCodec);
        while let Some(number) = numbers.next().await {
            peer.send((number + 1).to_string())?;
        }
        Ok(())
    });
    let server = TestServer::new(
        crossws_app::Router::new().route("/", route(sums).protocols(["sum.cbor", "sum.json"])),
    );
    block_on(async {
        let number = Encode::encode(&CborCodec, &41_u32).unwrap();
        let mut cbor = server.connect("/").protocols(["sum.cbor"]).await.unwrap();
        cbor.send("7").unwrap();
        cbor.send(number.clone()).unwrap();
        assert_eq!(cbor.next().await.unwrap().text().unwrap(), "42");
        for protocols in [&[][..], &["sum.json"]] {
            let client = server.connect("/").protocols(protocols);
            let mut json = client.await.unwrap();
            json.send(number.clone()).unwrap();
            json.send("7").unwrap();
            assert_eq!(json.next().await.unwrap().text().unwrap(), "8");
        }
    });
}

/// Sends the sum of the numbers so far.
fn sums() -> MessageLoop<u32, u32> {
    message_loop(
        |peer: TypedPeer<u32>, mut numbers: Incoming<u32>| async move {
            let mut sum = 0;
            while let Some(number) = numbers.next().await {
                sum += number;
                peer.send(sum)?;
            }
            Ok(CloseCode::AWAY)
        },
    )
}

#[test]
fn a_typed_loop_gets_values_and_sends_its_own_type() {
    let hooks = typed(sums()).validate(|number| match number {
        0 => Err("0 is no number here"),
        _ => Ok(()),
    });
    let server = TestServer::new(hooks.on_malformed(OnMalformed::Reply));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        for (text, sum) in [("3", 3), ("4", 7)] {
            client.send(text).unwrap();
            assert_eq!(next_json(&mut client).await, sum);
        }
        for text in ["\"x\"", "0"] {
            client.send(text).unwrap();
            assert_eq!(next_json(&mut client).await["type"], "error");
        }
        client.send("1").unwrap();
        assert_eq!(next_json(&mut client).await, 8);
    });
}

#[test]
fn a_typed_loop_ends_with_its_connection_and_is_closed_by_its_return() {
    let (log, ended) = (Arc::new(Mutex::new(Vec::new())), CloseCode::AWAY);
    let told = Arc::clone(&log);
    let app = message_loop(move |peer: TypedPeer<u32>, mut numbers: Incoming<u32>| {
        let told = Arc::clone(&told);
        async move {
            while let Some(number) = numbers.next().await {
                if number == 0 {
                    return Ok(ended);
                }
            }
            let code = numbers.closed().await.code;
            told.lock().unwrap().push((peer.id(), code));
            Ok(ended)
        }
    });
    let server = TestServer::new(typed(app));
    block_on(async {
        let mut ann = server.connect("/").await.unwrap();
        ann.send("0").unwrap();
        assert_eq!(ann.closed().await.code, 1001);
        let mut bob = server.connect("/").await.unwrap();
        let id = server.hub().peers().remove(0).id();
        bob.close(CloseCode::NORMAL, "");
        bob.closed().await;
        server.settle().await;
        assert_eq!(*log.lock().unwrap(), [(id, 1000)]);
    });
}

#[test]
fn a_typed_loop_fails_into_its_error_hook_and_has_timers() {
    let app = message_loop(
        |peer: TypedPeer<String>, mut orders: Incoming<bool>| async move {
            peer.set_timer("early", Duration::from_secs(1))?;
            peer.set_timer("late", Duration::from_secs(3))?;
            assert!(peer.clear_timer("early") && !peer.clear_timer("early"));
            while let Some(order) = orders.next().await {
                if !order {
                    return Err(BoxError::from("refused"));
                }
            }
            Ok(())
        },
    )
    .on_timer(|peer: TypedPeer<String>, name| async move { peer.send(name) })
    .on_error(|peer: TypedPeer<String>, error| async move {
        let _ = peer.send(error.to_string());
        OnError::Keep
    });
    let server = TestServer::new(typed(app));
    block_on(async {
        let mut client = server.connect("/").await.unwrap();
        server.advance(Duration::from_secs(3)).await;
        assert_eq!(next_json(&mut client).await, "late");
        client.send("false").unwrap();
        let said = next_json(&mut client).await;
        assert!(said.as_str().unwrap().contains("refused"), "{said}");
    });
}
