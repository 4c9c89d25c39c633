//! What the upgrade hook gets, and the response when it accepts.

use serde_json::{Value, json};

use crate::scene::both;
use crate::{Ask, Do, Scene};

group! {
    the_hook_sees_the_whole_request: [],
    the_hook_sees_the_remote_address: [REMOTE_ADDR],
    the_hooks_see_route_parameters: [],
    a_slow_upgrade_hook_delays_no_other_client: [],
    accepting_appends_headers: [],
    repeated_cookies_are_all_kept: [],
    accepting_gives_a_namespace: [],
    accepting_gives_a_context: [],
    accepting_gives_an_id: [],
    accepting_gives_topics: [PUBSUB],
    without_a_choice_the_namespace_is_the_path: [],
    a_chosen_subprotocol_is_answered: [SUBPROTOCOL],
    the_servers_preference_chooses_the_subprotocol: [SUBPROTOCOL],
    no_subprotocol_is_answered_unless_chosen: [SUBPROTOCOL],
    hooks_are_resolved_once_per_connection: [] but not [HIBERNATION],
    hooks_are_not_resolved_for_each_message: [] in memory,
    a_hook_may_take_the_stream: [RAW_STREAM],
    without_a_stream_to_be_taken_there_is_a_500: [] but not [RAW_STREAM],
}

async fn the_hook_sees_the_whole_request(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask::named("a");
    let target = ask.target("/some/path");
    let headers = [("x-test", "1"), ("x-test", "2"), ("cookie", "session=1")];
    let mut peer = stage.try_connect("/some/path", ask, &headers).await.unwrap();
    let seen = stage.wait("a", "upgrade").await;
    assert_eq!(seen["method"], "GET");
    assert_eq!(seen["target"], json!(target));
    for (name, value) in headers {
        assert!(has_header(&seen["headers"], name, value), "{name}: {value}");
    }
    let report = peer.report().await;
    assert!(report["url"].as_str().unwrap().ends_with(&target));
    assert!(has_header(&report["headers"], "x-test", "2"), "in later hooks too");
}

/// Returns whether a header arrived, on a line of its own or in a list with others: in HTTP both
/// are the same (RFC 9110 section 5.3).
fn has_header(headers: &Value, name: &str, value: &str) -> bool {
    let headers = headers.as_array().unwrap();
    let values = headers.iter().filter(|header| header[0] == name);
    values
        .filter_map(|header| header[1].as_str())
        .any(|values| values.split(", ").any(|one| one == value))
}

async fn the_hook_sees_the_remote_address(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    let seen = stage.wait("a", "upgrade").await["remote"].clone();
    assert!(seen == "127.0.0.1" || seen == "::1", "{seen}");
    assert_eq!(peer.report().await["remote"], seen);
}

async fn the_hooks_see_route_parameters(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/rooms/lobby", "a").await;
    let params = json!([["room", "lobby"]]);
    assert_eq!(stage.wait("a", "upgrade").await["params"], params);
    assert_eq!(peer.report().await["params"], params);
}

async fn a_slow_upgrade_hook_delays_no_other_client(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let slow = Ask {
        wait: Some("gate".to_owned()),
        ..Ask::named("slow")
    };
    let meanwhile = async {
        stage.wait("slow", "upgrade").await;
        stage.serves().await;
        assert_eq!(stage.count("slow", "open").await, 0);
        stage.release("gate").await;
    };
    let (mut peer, ()) = both(stage.connect("/", slow), meanwhile).await;
    peer.hears_nothing().await;
}


async fn accepting_appends_headers(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        headers: vec![("x-powered-by".to_owned(), "crossws".to_owned())],
        ..Ask::named("a")
    };
    let peer = stage.connect("/", ask).await;
    assert_eq!(peer.header("x-powered-by"), Some("crossws"));
}

async fn repeated_cookies_are_all_kept(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let cookies = ["a=1; Secure", "b=2; Path=/", "c=3"];
    let ask = Ask {
        headers: cookies
            .map(|cookie| ("set-cookie".to_owned(), cookie.to_owned()))
            .to_vec(),
        ..Ask::named("a")
    };
    let peer = stage.connect("/", ask).await;
    let answered = peer.response.headers().get_all("set-cookie");
    let answered: Vec<_> = answered.iter().map(|value| value.to_str().unwrap()).collect();
    assert_eq!(answered, cookies);
}

async fn accepting_gives_a_namespace(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        namespace: Some("elsewhere".to_owned()),
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/here", ask).await;
    assert_eq!(peer.report().await["namespace"], "elsewhere");
}

async fn accepting_gives_a_context(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let context = json!({ "user": "ann", "roles": ["admin"] });
    let ask = Ask {
        context: Some(context.clone()),
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    assert_eq!(peer.report().await["context"], context);
}

async fn accepting_gives_an_id(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let id: crossws_core::PeerId = "11111111-2222-4333-8444-555555555555".parse().unwrap();
    let ask = Ask {
        id: Some(id),
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    assert_eq!(peer.id().await, id);
}

async fn accepting_gives_topics(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        topics: vec!["news".to_owned()],
        open: vec![Do::Send {
            text: "open".to_owned(),
        }],
        ..Ask::named("a")
    };
    let mut peer = stage.connect("/", ask).await;
    peer.hears("open").await;
    stage.publish(Some("/"), "news", "hot").await;
    peer.hears("hot").await;
}

async fn without_a_choice_the_namespace_is_the_path(scene: Scene<'_>) {
    let stage = scene.stage().await;
    for (path, name, namespace) in [
        ("/rooms/a%20b%2fc", "a", "/rooms/a b%2Fc"),
        ("/rooms/%61%20b%2Fc", "b", "/rooms/a b%2Fc"),
        ("/rooms//a/", "c", "/rooms//a/"),
    ] {
        let mut peer = stage.join(path, name).await;
        assert_eq!(peer.report().await["namespace"], namespace, "{path}");
    }
}

const OFFER: (&str, &str) = ("sec-websocket-protocol", "chat.v1, chat.v2");

async fn a_chosen_subprotocol_is_answered(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        protocol: Some("chat.v2".to_owned()),
        ..Ask::named("a")
    };
    let mut peer = stage.try_connect("/", ask, &[OFFER]).await.unwrap();
    let answered = peer.response.headers().get_all("sec-websocket-protocol");
    assert_eq!(answered.iter().collect::<Vec<_>>(), ["chat.v2"]);
    assert_eq!(peer.report().await["protocol"], "chat.v2");
}

async fn the_servers_preference_chooses_the_subprotocol(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask {
        choose: vec!["chat.v3".to_owned(), "chat.v2".to_owned(), "chat.v1".to_owned()],
        ..Ask::named("a")
    };
    let peer = stage.try_connect("/", ask, &[OFFER]).await.unwrap();
    assert_eq!(peer.header("sec-websocket-protocol"), Some("chat.v2"));
}

async fn no_subprotocol_is_answered_unless_chosen(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let ask = Ask::named("a");
    let mut peer = stage.try_connect("/", ask, &[OFFER]).await.unwrap();
    assert_eq!(peer.header("sec-websocket-protocol"), None);
    assert_eq!(peer.report().await["protocol"], Value::Null);
}

/// If the hooks' memory may be lost, they are resolved again, but not while it lasts.
async fn hooks_are_not_resolved_for_each_message(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    peer.hears_nothing().await;
    let before = stage.count("a", "resolve").await;
    for _ in 0..3 {
        peer.hears_nothing().await;
    }
    assert_eq!(stage.count("a", "resolve").await, before);
}

async fn hooks_are_resolved_once_per_connection(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.join("/", "a").await;
    for _ in 0..3 {
        peer.hears_nothing().await;
    }
    peer.leave().await;
    stage.idle().await;
    assert_eq!(stage.count("a", "resolve").await, 1);
}

async fn a_hook_may_take_the_stream(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let mut peer = stage.connect("/taken", Ask::named("a")).await;
    assert_eq!(peer.response.status(), 101);
    peer.say("for another library").await;
    peer.hears("taken").await;
    assert_eq!(stage.stat("peers").await, 0);
    peer.vanish();
    stage.idle().await;
    assert_eq!(stage.story("a").await, ["resolve"]);
}

async fn without_a_stream_to_be_taken_there_is_a_500(scene: Scene<'_>) {
    let stage = scene.stage().await;
    let refused = stage.refused("/taken", Ask::named("a"), &[], 500).await;
    assert!(!String::from_utf8_lossy(refused.body()).contains("Nowhere"));
    stage.serves().await;
}
