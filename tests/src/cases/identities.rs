//! Identities and tags: whom a message reaches by them, and how long they are known.

use serde_json::{Value, json};

use super::pubsub::topic;
use crate::{Ask, Do, Event, Group, Scene};

group! {
    labels_of_the_upgrade_are_known_in_every_hook: [],
    labels_that_change_stay_changed: [],
    the_close_hook_knows_the_labels: [],
    an_identity_reaches_its_connections_in_all_namespaces: [ROUTES],
    an_identity_reaches_its_connections_here: [SHARED_HUB],
    where_labels_span_hubs_there_is_a_typed_error: [] but not [ROUTES],
    an_identity_is_closed_everywhere: [ROUTES, CLOSE_CODE],
    a_tag_reaches_those_that_have_it: [SHARED_HUB],
    labels_choose_among_subscribers: [PUBSUB],
    too_many_tags_are_a_typed_error: [],
}

fn labelled(who: &str, identity: &str, tags: &[&str]) -> Ask {
    Ask {
        identity: Some(identity.to_owned()),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        ..Ask::named(who)
    }
}

fn send(group: Group, text: &str) -> Do {
    Do::SendToGroup {
        group,
        except_tagged: None,
        here: false,
        text: text.to_owned(),
    }
}

fn here(group: Group, except_tagged: Option<&str>, text: &str) -> Do {
    Do::SendToGroup {
        group,
        except_tagged: except_tagged.map(str::to_owned),
        here: true,
        text: text.to_owned(),
    }
}

fn identity(name: &str) -> Group {
    Group::Identity(name.to_owned())
}

fn tag(name: &str) -> Group {
    Group::Tag(name.to_owned())
}

async fn labels_of_the_upgrade_are_known_in_every_hook(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.open("/", labelled("a", "ann", &["red", "blue"])).await;
    for _ in 0..2 {
        let report = peer.report().await;
        assert_eq!(report["identity"], "ann");
        assert_eq!(report["tags"], json!(["blue", "red"]));
    }
    let mut other = stage.join("/", "b").await;
    let report = other.report().await;
    assert_eq!((&report["identity"], &report["tags"]), (&Value::Null, &json!([])));
}

async fn labels_that_change_stay_changed(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.open("/", labelled("a", "ann", &["red"])).await;
    let name = |name: &str| name.to_owned();
    let bob = Do::Identify { identity: Some(name("bob")) };
    let (blue, red) = (Do::Tag { tag: name("blue") }, Do::Untag { tag: name("red") });
    peer.perform(&[bob, blue.clone(), blue, red]).await;
    let report = peer.report().await;
    assert_eq!(report["identity"], "bob");
    assert_eq!(report["tags"], json!(["blue"]));
    let did = stage.wait_for("a", "did", 4).await;
    let answers: Vec<_> = did.iter().map(|did| did["answer"].clone()).collect();
    let expected = [Value::Null, json!(true), json!(false), json!(true)];
    assert_eq!(answers[..4], expected);
    peer.perform(&[Do::Identify { identity: None }]).await;
    assert_eq!(peer.report().await["identity"], Value::Null);
}

async fn the_close_hook_knows_the_labels(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        close: vec![Do::State],
        ..labelled("a", "ann", &["red"])
    };
    stage.open("/", ask).await.leave().await;
    let state = stage.wait("a", "state").await;
    assert_eq!((&state["identity"], &state["tags"]), (&json!("ann"), &json!(["red"])));
}

async fn an_identity_reaches_its_connections_in_all_namespaces(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut phone = stage.open("/one", labelled("phone", "ann", &[])).await;
    let mut laptop = stage.open("/two", labelled("laptop", "ann", &[])).await;
    let mut bob = stage.open("/one", labelled("bob", "bob", &[])).await;
    bob.perform(&[send(identity("ann"), "hi"), send(identity("eve"), "hi")]).await;
    phone.hears("hi").await;
    laptop.hears("hi").await;
    for peer in [&mut phone, &mut laptop, &mut bob] {
        peer.hears_nothing().await;
    }
    let did = stage.wait_for("bob", "did", 2).await;
    assert_eq!(did[0]["answer"], json!([2, 2]));
    assert_eq!(did[1]["answer"], json!([0, 0]));
}

async fn an_identity_reaches_its_connections_here(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut phone = stage.open("/", labelled("phone", "ann", &["mobile"])).await;
    let mut laptop = stage.open("/", labelled("laptop", "ann", &[])).await;
    let mut bob = stage.open("/", labelled("bob", "bob", &[])).await;
    let not_mobile = here(identity("ann"), Some("mobile"), "2");
    bob.perform(&[here(identity("ann"), None, "1"), not_mobile]).await;
    phone.hears("1").await;
    laptop.hears("1").await;
    laptop.hears("2").await;
    phone.hears_nothing().await;
    let did = stage.wait_for("bob", "did", 2).await;
    assert_eq!(did[0]["answer"], json!([2, 2]));
    assert_eq!(did[1]["answer"], json!([1, 1]));
}

async fn where_labels_span_hubs_there_is_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.open("/", labelled("a", "ann", &["red"])).await;
    let scripts = [send(identity("ann"), "1"), send(tag("red"), "2")];
    peer.perform(&scripts).await;
    peer.hears_nothing().await;
    let did = stage.wait_for("a", "did", 2).await;
    for (did, what) in did.iter().zip(["identities", "tags"]) {
        let error = format!("Route(Unsupported(\"{what} that span hubs\"))");
        assert_eq!(did["answer"][0]["error"], error);
    }
    peer.perform(&[here(identity("ann"), None, "here")]).await;
    peer.hears("here").await;
}

async fn an_identity_is_closed_everywhere(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut phone = stage.open("/one", labelled("phone", "ann", &[])).await;
    let mut laptop = stage.open("/two", labelled("laptop", "ann", &[])).await;
    let mut bob = stage.open("/one", labelled("bob", "bob", &[])).await;
    let (group, code) = (identity("ann"), 4001);
    bob.perform(&[Do::CloseGroup { group, code }]).await;
    assert_eq!(phone.closes().await.0, 4001);
    assert_eq!(laptop.closes().await.0, 4001);
    bob.say("still here").await;
    assert_eq!(bob.next().await, Event::Text("still here".to_owned()));
}

async fn a_tag_reaches_those_that_have_it(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut red = stage.open("/", labelled("red", "a", &["red"])).await;
    let mut both = stage.open("/", labelled("both", "b", &["red", "blue"])).await;
    let mut none = stage.open("/", labelled("none", "c", &[])).await;
    none.perform(&[here(tag("red"), None, "1"), here(tag("blue"), None, "2")]).await;
    red.hears("1").await;
    both.hears("1").await;
    both.hears("2").await;
    let blue = "blue".to_owned();
    both.perform(&[Do::Untag { tag: blue }]).await;
    both.hears_nothing().await;
    none.perform(&[here(tag("blue"), None, "3")]).await;
    for peer in [&mut red, &mut both, &mut none] {
        peer.hears_nothing().await;
    }
}

async fn labels_choose_among_subscribers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let subscribed = |ask: Ask| Ask {
        topics: vec![topic("news")],
        ..ask
    };
    let mut ann = stage.open("/", subscribed(labelled("ann", "ann", &["red"]))).await;
    let mut bob = stage.open("/", subscribed(labelled("bob", "bob", &["blue"]))).await;
    let mut eve = stage.open("/", labelled("eve", "eve", &["red"])).await;
    let some = |tagged: Option<&str>, except_tagged: Option<&str>, except_identity: Option<&str>, text: &str| {
        Do::PublishToSome {
            topic: topic("news"),
            tagged: tagged.map(str::to_owned),
            except_tagged: except_tagged.map(str::to_owned),
            except_identity: except_identity.map(str::to_owned),
            text: text.to_owned(),
        }
    };
    eve.perform(&[
        some(Some("red"), None, None, "1"),
        some(None, Some("red"), None, "2"),
        some(None, None, Some("bob"), "3"),
    ])
    .await;
    for (peer, texts) in [(&mut ann, &["1", "3"][..]), (&mut bob, &["2"]), (&mut eve, &[])] {
        for text in texts {
            peer.hears(text).await;
        }
        peer.hears_nothing().await;
    }
}

async fn too_many_tags_are_a_typed_error(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let tag = |number| Do::Tag { tag: format!("{number}") };
    peer.perform(&(0..17).map(tag).collect::<Vec<_>>()).await;
    let did = stage.wait_for("a", "did", 17).await;
    assert_eq!(did[15]["answer"], true);
    assert_eq!(did[16]["answer"]["error"], "TooMany(16)");
    assert_eq!(peer.report().await["tags"].as_array().unwrap().len(), 16);
}
