#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use crossws_core::{BoxError, Peer, hooks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Content, Description};
use crate::calls::calls;
use crate::messages::closures::messages;
use crate::messages::malformed::OnMalformed;
use crate::messages::peer::TypedPeer;
use crate::messages::typed_hooks::typed;
use crate::routes::route::route;
use crate::routes::router::Router;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Point {
    x: i32,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Place {
    at: Named,
    point: Point,
}

/// Read from other JSON than it is written as.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Named {
    name: Option<String>,
}

fn reference(content: &Content) -> &str {
    match content {
        Content::Json(schema) => schema["$ref"].as_str().unwrap(),
        Content::Unknown => panic!("the messages have a type"),
    }
}

fn describe(router: Router) -> Description {
    router.describe().unwrap()
}

#[test]
fn a_typed_route_names_its_types_once() {
    let app = messages().on_message(|peer: TypedPeer<Point>, point: Point| async move {
        peer.send(point)?;
        crossws_core::ok()
    });
    let described = describe(Router::new().route("/points", typed(app).described()));
    let route = &described.routes[0];
    assert_eq!(reference(&route.receives), "#/$defs/Point");
    assert_eq!(reference(&route.sends), "#/$defs/Point");
    assert_eq!(described.definitions.len(), 1);
    assert!(!route.reports_errors);
}

#[test]
fn a_type_that_is_read_from_other_json_is_two_and_so_are_those_that_have_it() {
    let places = route(hooks()).receives::<Place>().sends::<Place>();
    let described = describe(Router::new().route("/places", places));
    let names: Vec<_> = described.definitions.keys().collect();
    assert_eq!(
        names,
        ["Named", "NamedInput", "Place", "PlaceInput", "Point"]
    );
    let route = &described.routes[0];
    assert_eq!(reference(&route.receives), "#/$defs/PlaceInput");
    assert_eq!(reference(&route.sends), "#/$defs/Place");
    let (_, input) = described.resolve("#/$defs/PlaceInput").unwrap();
    assert_eq!(input["properties"]["at"]["$ref"], "#/$defs/NamedInput");
    let (_, output) = described.resolve("#/$defs/Place").unwrap();
    assert_eq!(output["properties"]["at"]["$ref"], "#/$defs/Named");
}

#[test]
fn names_with_slashes_are_found() {
    #[derive(Deserialize, JsonSchema)]
    #[schemars(rename = "a/b~c é")]
    #[allow(dead_code)]
    struct Odd {
        x: u8,
    }
    let described = describe(Router::new().route("/odd", route(hooks()).receives::<Odd>()));
    let found = reference(&described.routes[0].receives);
    assert_eq!(described.resolve(found).unwrap().0, "a/b~c é");
    assert_eq!(described.resolve("#/$defs/none"), None);
    assert_eq!(described.resolve("elsewhere"), None);
}

#[test]
fn settings_of_the_groups_are_described() {
    let inner = Router::new().route("/{id}", route(hooks()).protocols(["v1"]).doc("One."));
    let described = describe(Router::new().nest("/rooms", inner).fallback(hooks()));
    assert_eq!(described.routes.len(), 1);
    let route = &described.routes[0];
    assert_eq!(route.pattern.to_string(), "/rooms/{id}");
    assert_eq!(route.protocols, ["v1"]);
    assert_eq!(route.doc.as_deref(), Some("One."));
    assert_eq!(route.receives, Content::Unknown);
}

#[test]
fn a_query_is_described_as_it_is_read() {
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Search {
        term: String,
        #[serde(default)]
        page: u32,
    }
    let app = Router::new()
        .route("/search", route(hooks()).described_query::<Search>())
        .route("/plain", route(hooks()).query::<Search>().sends::<Search>());
    let described = describe(app);
    let query = described.routes[0].query.as_ref().unwrap();
    let (name, schema) = described.resolve(query["$ref"].as_str().unwrap()).unwrap();
    assert_eq!(name, "SearchInput");
    assert_eq!(schema["required"], json!(["term"]));
    assert_eq!(described.routes[1].query, None);
}

#[test]
fn calls_and_reported_errors_are_described() {
    let app = calls(hooks())
        .json_rpc()
        .method(
            "plain",
            |_: Peer, _: u8| async move { Ok::<_, BoxError>(1) },
        )
        .described_method("add", |_: Peer, (a, b): (i64, i64)| async move {
            Ok::<_, BoxError>(a + b)
        })
        .described_event("moved", |_: Peer, _: Point| async move {})
        .emits::<Point>("moved")
        .asks::<String, bool>("confirm");
    let quiet = messages().on_message(|_: TypedPeer<()>, (): ()| async move {});
    let replies = typed(quiet).on_malformed(OnMalformed::Reply);
    let routes = Router::new()
        .route("/calls", app.described())
        .route("/replies", replies.described());
    let group = Router::new().reply_errors().route("/a", hooks());
    let routes = routes.nest("/group", group).route("/quiet", hooks());
    let described = describe(routes);
    let reports: Vec<_> = described
        .routes
        .iter()
        .map(|it| it.reports_errors)
        .collect();
    assert_eq!(reports, [false, true, true, false]);
    assert!(described.routes[1].reports_errors);
    let calls = described.routes[0].calls.as_ref().unwrap();
    assert_eq!(calls.form, crate::calls::WireForm::JsonRpc);
    assert_eq!(calls.methods["plain"].args, None);
    assert_eq!(
        calls.methods["add"].result.as_ref().unwrap()["type"],
        "integer"
    );
    assert_eq!(
        calls.events["moved"],
        Some(json!({"$ref": "#/$defs/Point"}))
    );
    assert_eq!(
        calls.client_methods["confirm"].result.as_ref().unwrap()["type"],
        "boolean"
    );
    assert!(calls.client_events.contains_key("moved"));
}
