//! Policies for the messages of topics.

use std::sync::Arc;

use crossws_core::adapter::Start;
use crossws_core::{Hub, TopicOverflow, hooks};
use futures_lite::future::block_on;

use crate::common::open;

#[test]
fn a_policy_holds_however_a_message_is_sent_to_its_topic() {
    let hub = Hub::builder()
        .topic_overflow("cursor/*", TopicOverflow::DropNewest)
        .build();
    let hooks = Arc::new(hooks());
    let [ann, bob] = [(); 2].map(|()| open(&hub, &hooks, "/"));
    let (ann, reader) = (ann.0.peer(), bob.1);
    for peer in [ann, bob.0.peer()] {
        peer.subscribe("cursor/7").unwrap();
    }
    let scope = hub.in_namespace("/");
    let sent = [
        ann.publish("cursor/7", "1"),
        ann.to("cursor/7").send("2"),
        ann.to(["news", "cursor/7"]).send("3"),
        ann.to_own_topics().send("4"),
        ann.to("cursor/7").send_each(|_| Some("5")),
        ann.to_own_topics().send_each(|_| Some("6")),
        scope.publish("cursor/7", "7"),
        scope.topic("cursor/7").send_each(|_| Some("8")),
    ];
    for sent in sent {
        assert!(sent.unwrap().queued >= 1);
    }
    assert_eq!(reader.texts(), ["1", "2", "3", "4", "5", "6", "7", "8"]);
    assert_eq!(reader.volatile(), 8);
    scope.broadcast("to all").unwrap();
    assert_eq!(reader.volatile(), 8);
}

#[test]
fn a_policy_for_topics_that_cannot_be_keeps_the_server_from_starting() {
    for (topics, is_valid) in [
        ("cursor", true),
        ("cursor/*", true),
        ("cursor/**", true),
        ("cursor*", false),
        ("**/cursor", false),
    ] {
        let policy = TopicOverflow::DropNewest;
        let hub = Hub::builder().topic_overflow(topics, policy).build();
        let started = block_on(Start::default().run(&Arc::new(hooks()), &hub));
        assert_eq!(started.is_ok(), is_valid, "{topics}");
        if let Err(error) = started {
            let said = std::error::Error::source(&error).unwrap().to_string();
            assert!(said.contains(topics), "{said}");
        }
    }
}
