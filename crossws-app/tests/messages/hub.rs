//! Typed messages from outside of the hooks.

use crossws_app::{
    CborCodec, HubExt, MessagePackCodec, RawCodec, Router, TypedHub, TypedPeer, messages, route,
    typed, typed_as,
};
use crossws_core::{BoxError, Hub, Message, Topics, UpgradeRequest};
use crossws_memory::{Client, TestServer};
use futures_lite::future::block_on;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Serialize, Deserialize, Clone)]
#[serde(tag = "type", rename_all = "kebab-case")]
enum Told {
    Price { of: String, cents: u32 },
}

fn price() -> Told {
    let of = "tin".to_owned();
    Told::Price { of, cents: 7 }
}

fn wire() -> Value {
    json!({"type": "price", "of": "tin", "cents": 7})
}

async fn json_of(client: &mut Client) -> Value {
    client.next().await.unwrap().json().unwrap()
}

#[test]
fn a_handler_publishes_nothing_but_the_routes_type() {
    let app =
        typed(messages().on_open(|peer: TypedPeer<Told>| async move { peer.subscribe("prices") }));
    let app = app.decode_limits(Default::default());
    let app: crossws_app::TypedHooks<crossws_app::Messages<Value, Told>> = app;
    let server = TestServer::new(Router::new().route("/shop", app));
    block_on(async {
        let mut ann = server.connect("/shop").await.unwrap();
        let hub = server.hub().typed::<Told>();
        assert_eq!(hub.publish("/shop", "prices", price()).unwrap().queued, 1);
        assert_eq!(json_of(&mut ann).await, wire());
        assert_eq!(hub.broadcast("/shop", price()).unwrap().queued, 1);
        assert_eq!(json_of(&mut ann).await, wire());
        assert_eq!(hub.route("shop", price()).unwrap().queued, 1);
        assert_eq!(json_of(&mut ann).await, wire());
        hub.peer(ann.id()).unwrap().send(price()).unwrap();
        assert_eq!(json_of(&mut ann).await, wire());
        assert_eq!(
            hub.publish("/other", ["prices", "news"], price())
                .unwrap()
                .queued,
            0
        );
    });
}

#[test]
fn a_publisher_speaks_the_format_of_each_client() {
    let hub = Hub::default();
    let app = messages().on_open(|peer: TypedPeer<Told>| async move { peer.subscribe("prices") });
    let app = typed::<crossws_app::Messages<Value, Told>>(app)
        .protocol("pack", MessagePackCodec)
        .protocol("cbor", CborCodec);
    let publisher = app.publisher(&hub);
    let app = route(app).before(async |request: &mut UpgradeRequest| {
        request.set_identity("one");
    });
    let app = Router::new().route("/shop", app);
    let server = TestServer::builder(app).hub(hub).build();
    block_on(async {
        let mut ann = server.connect("/shop").await.unwrap();
        let mut bob = server.connect("/shop").protocols(["pack"]).await.unwrap();
        let mut eve = server.connect("/shop").protocols(["cbor"]).await.unwrap();
        for times in 1..=4 {
            let told = match times {
                1 => publisher.publish("/shop", "prices", price()),
                2 => publisher.broadcast("/shop", price()),
                3 => publisher.identity("one", price()),
                _ => publisher.route("shop", price()),
            };
            assert_eq!(told.unwrap().queued, 3);
            assert_eq!(json_of(&mut ann).await, wire());
            let packed = bob.next().await.unwrap();
            assert!(packed.is_binary());
            let read: Value = rmp_serde::from_slice(packed.as_bytes()).unwrap();
            assert_eq!(read, wire());
            let other = eve.next().await.unwrap();
            assert!(other.is_binary() && other != packed);
        }
    });
}

#[test]
fn a_publisher_need_not_live_as_long_as_the_topics_names() {
    fn rooms() -> Topics<'static> {
        Topics::from(["red", "blue"])
    }
    let publisher: TypedHub<Told> = Hub::default().typed();
    let namespace = String::from("/shop");
    let told = publisher.publish(&namespace, rooms(), price());
    assert_eq!(told.unwrap().queued, 0);
}

#[test]
fn raw_hooks_can_transform_messages_in_both_directions() {
    let seal = |message: Message| Ok::<Message, BoxError>(format!("<{message}>").into());
    let unseal = |message: Message| {
        let text = message.text()?;
        let inside = text
            .strip_prefix('<')
            .and_then(|text| text.strip_suffix('>'));
        Ok::<Message, BoxError>(inside.ok_or("it is not sealed")?.into())
    };
    let app = messages()
        .on_open(|peer: TypedPeer<Message>| async move { peer.subscribe("talk") })
        .on_message(|peer: TypedPeer<Message>, message: Message| async move {
            peer.publish("talk", message.clone())?;
            peer.send(message)?;
            crossws_core::ok()
        });
    let app = typed_as(RawCodec, app).incoming(unseal).outgoing(seal);
    let server = TestServer::new(app);
    block_on(async {
        let mut ann = server.connect("/").await.unwrap();
        let mut bob = server.connect("/").await.unwrap();
        ann.send("<hi>").unwrap();
        for client in [&mut ann, &mut bob] {
            assert_eq!(client.next().await.unwrap().text().unwrap(), "<hi>");
        }
        ann.send("hi").unwrap();
        assert_eq!(ann.closed().await.code, 1007);
    });
}
