//! Publishing and listing, from peers and from outside.

use std::collections::HashMap;
use std::sync::Arc;

use crossws_core::adapter::Session;
use crossws_core::{CloseCode, HooksBuilder, Hub, Json, PeerState, PublishError, hooks};

use crate::common::{Mode, Out, Wire, assert_empty, open};

fn peers(hub: &Hub, paths: &[&str]) -> Vec<(Session<HooksBuilder>, Wire)> {
    let hooks = Arc::new(hooks());
    paths.iter().map(|path| open(hub, &hooks, path)).collect()
}

fn texts(peers: &[(Session<HooksBuilder>, Wire)]) -> Vec<Vec<String>> {
    peers.iter().map(|(_, wire)| wire.texts()).collect()
}

#[test]
fn a_publisher_is_excluded_unless_asked_and_need_not_subscribe() {
    let hub = Hub::default();
    let peers = peers(&hub, &["/a", "/a", "/a", "/b"]);
    for (session, _) in [&peers[0], &peers[1], &peers[3]] {
        assert!(session.peer().subscribe("t").unwrap());
    }
    let (one, three) = (peers[0].0.peer(), peers[2].0.peer());
    assert_eq!(one.publish("t", "1").unwrap().queued, 1);
    assert_eq!(one.to("t").including_self().send("2").unwrap().queued, 2);
    assert_eq!(three.publish("t", "3").unwrap().queued, 2);
    assert_eq!(three.to("t").including_self().send("4").unwrap().queued, 2);
    assert_eq!(three.publish("nobody", "5").unwrap().queued, 0);
    let expected: [&[&str]; 4] = [&["2", "3", "4"], &["1", "2", "3", "4"], &[], &[]];
    assert_eq!(texts(&peers), expected);
    assert_eq!(one.broadcast("b").unwrap().queued, 2);
    assert_eq!(one.to_all().including_self().send("c").unwrap().queued, 3);
    let expected: [&[&str]; 4] = [&["c"], &["b", "c"], &["b", "c"], &[]];
    assert_eq!(texts(&peers), expected);
    drop(peers);
    assert_empty(&hub);
}

#[test]
fn the_hub_publishes_to_one_namespace_or_to_all() {
    let hub = Hub::default();
    let peers = peers(&hub, &["/a", "/b", "/b"]);
    for (session, _) in &peers[..2] {
        session.peer().subscribe("t").unwrap();
    }
    assert_eq!(hub.in_namespace("/a").publish("t", "1").unwrap().queued, 1);
    assert_eq!(
        hub.in_namespace("/none").publish("t", "2").unwrap().queued,
        0
    );
    assert_eq!(hub.in_all_namespaces().publish("t", "3").unwrap().queued, 2);
    assert_eq!(hub.in_namespace("/b").broadcast("4").unwrap().queued, 2);
    assert_eq!(hub.in_all_namespaces().broadcast("5").unwrap().queued, 3);
    let expected: [&[&str]; 3] = [&["1", "3", "5"], &["3", "4", "5"], &["4", "5"]];
    assert_eq!(texts(&peers), expected);
    let bad = HashMap::from([((1, 2), 3)]);
    let refused = hub.in_all_namespaces().broadcast(Json(&bad));
    assert!(matches!(refused, Err(PublishError::Encode(_))));
}

#[test]
fn a_hub_lists_peers_topics_and_namespaces() {
    let hub = Hub::default();
    let peers = peers(&hub, &["/b", "/a", "/b"]);
    let ids: Vec<_> = peers
        .iter()
        .map(|(session, _)| session.peer().clone())
        .collect();
    ids[0].subscribe("y").unwrap();
    ids[0].subscribe("x").unwrap();
    ids[1].subscribe("x").unwrap();
    ids[2].subscribe("x").unwrap();
    assert_eq!(hub.namespaces(), ["/a".into(), "/b".into()]);
    assert_eq!(hub.in_namespace("/b").topics(), ["x".into(), "y".into()]);
    assert_eq!(hub.in_all_namespaces().topics(), ["x".into(), "y".into()]);
    assert_eq!(hub.in_namespace("/b").count("x"), 2);
    assert_eq!(hub.in_all_namespaces().count("x"), 3);
    assert_eq!(hub.in_namespace("/none").count("x"), 0);
    ids[1].subscribe_pattern("*").unwrap();
    let subscribers = |namespace, topic| {
        let mut subscribers = hub.in_namespace(namespace).subscribers(topic);
        subscribers.sort_by_key(|peer| ids.iter().position(|known| known == peer));
        subscribers
    };
    assert_eq!(subscribers("/b", "x"), [ids[0].clone(), ids[2].clone()]);
    assert_eq!(subscribers("/b", "y"), [ids[0].clone()]);
    assert_eq!(subscribers("/a", "y"), []);
    assert_eq!(hub.in_all_namespaces().subscribers("x").len(), 3);
    assert_eq!(hub.in_namespace("/b").peer_count(), 2);
    assert_eq!(hub.in_namespace("/none").peer_count(), 0);
    assert_eq!(hub.in_all_namespaces().peer_count(), 3);
    assert_eq!(
        hub.in_namespace("/b").peers(),
        [ids[0].clone(), ids[2].clone()]
    );
    assert_eq!(
        hub.peers(),
        [ids[1].clone(), ids[0].clone(), ids[2].clone()]
    );
    assert_eq!(ids[0].peers(), [ids[0].clone(), ids[2].clone()]);
    for peer in &ids {
        assert_eq!(hub.peer(peer.id()).as_ref(), Some(peer));
    }
    drop(peers);
    assert_eq!(hub.peer(ids[0].id()), None);
    assert_empty(&hub);
}

#[test]
fn all_namespaces_are_visited_once_however_many_there_are() {
    // Around the number that one step of the visit takes.
    for many in [63, 64, 65, 128, 200] {
        let hub = Hub::default();
        let names: Vec<_> = (0..many).map(|n| format!("/{n:03}")).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let peers = peers(&hub, &names);
        for (session, _) in &peers {
            session.peer().subscribe("t").unwrap();
        }
        let all = hub.in_all_namespaces();
        assert_eq!(all.publish("t", "x").unwrap().queued, many);
        assert!(texts(&peers).iter().all(|texts| *texts == ["x"]));
        assert_eq!(all.count("t"), many);
        assert_eq!(all.peer_count(), many);
        let listed = hub.peers();
        assert!(listed.iter().eq(peers.iter().map(|(one, _)| one.peer())));
    }
}

#[test]
fn close_all_closes_one_namespace_or_all() {
    let hub = Hub::default();
    let peers = peers(&hub, &["/a", "/a", "/b"]);
    hub.in_namespace("/a").close_all(CloseCode::AWAY);
    let closes: Vec<_> = peers.iter().map(|(_, wire)| wire.take()).collect();
    let away = vec![Out::Close(1001, String::new())];
    assert_eq!(closes, [away.clone(), away, vec![]]);
    assert_eq!(hub.namespaces(), ["/b".into()]);
    hub.in_all_namespaces().close_all(CloseCode::NORMAL);
    assert_eq!(peers[2].1.closes(), [1000]);
    assert_eq!(peers[2].0.peer().state(), PeerState::Closing);
    assert_eq!((hub.stats().peers, hub.stats().sessions), (0, 3));
    drop(peers);
    assert_empty(&hub);
}

#[test]
fn stats_count_everything() {
    let hub = Hub::default();
    let peers = peers(&hub, &["/", "/", "/", "/"]);
    for (session, _) in &peers {
        session.peer().subscribe("t").unwrap();
    }
    peers[1].1.mode(Mode::Full);
    peers[2].1.mode(Mode::Replace);
    peers[3].1.mode(Mode::Closed);
    let told = hub.in_namespace("/").publish("t", "x").unwrap();
    assert_eq!((told.queued, told.dropped), (2, 3));
    peers[0].0.peer().publish("t", "y").unwrap();
    let stats = hub.stats();
    assert_eq!((stats.peers, stats.sessions, stats.accepted), (4, 4, 4));
    assert_eq!((stats.published, stats.queued), (2, 3));
    let lost: Vec<_> = peers.iter().map(|(one, _)| one.peer().dropped()).collect();
    assert_eq!(lost, [0, 2, 4, 0]);
    drop(peers);
    assert_eq!((hub.stats().peers, hub.stats().accepted), (0, 4));
}

#[test]
fn a_writer_is_woken_after_the_publication_when_it_asks() {
    let hub = Hub::default();
    let peers = peers(&hub, &["/", "/"]);
    hub.in_namespace("/").broadcast("1").unwrap();
    hub.in_namespace("/").broadcast("2").unwrap();
    assert_eq!(
        peers[0].1.wakes(),
        1,
        "only the first finds the queue empty"
    );
    peers[1].1.mode(Mode::Full);
    hub.in_namespace("/").broadcast("3").unwrap();
    assert_eq!(peers[1].1.wakes(), 2, "there may be a connection to close");
}

#[test]
fn an_encoding_is_computed_once_for_all() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static RUNS: AtomicUsize = AtomicUsize::new(0);
    struct Upper;
    impl crossws_core::adapter::Encoding for Upper {
        fn append(_: u64, publication: &crossws_core::adapter::Publication, to: &mut Vec<u8>) {
            RUNS.fetch_add(1, Ordering::Relaxed);
            let message = publication.message();
            to.extend(message.to_string().to_uppercase().into_bytes());
        }
    }
    struct Plain;
    impl crossws_core::adapter::Encoding for Plain {
        fn append(
            variant: u64,
            publication: &crossws_core::adapter::Publication,
            to: &mut Vec<u8>,
        ) {
            to.extend_from_slice(publication.message().as_bytes());
            to.extend(variant.to_string().into_bytes());
        }
    }
    let publication = crossws_core::adapter::Publication::new("abc".into());
    let upper = crossws_core::adapter::Wire::new::<Upper>(0);
    let first = publication.encoded(upper);
    let second = publication.encoded(upper);
    assert_eq!((&*first, first.as_ptr()), (&b"ABC"[..], second.as_ptr()));
    for variant in [0, 1] {
        let wire = crossws_core::adapter::Wire::new::<Plain>(variant);
        let (first, second) = (publication.encoded(wire), publication.encoded(wire));
        assert_eq!(first, format!("abc{variant}"));
        assert_eq!(first.as_ptr(), second.as_ptr());
    }
    assert_eq!(RUNS.load(Ordering::Relaxed), 1);
}
