//! Apps whose clients are hard to generate.

#![allow(dead_code)]

use std::collections::{BTreeMap, BTreeSet};

use crossws_app::{Router, route};
use crossws_core::{BoxError, Hooks, Peer, hooks};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, JsonSchema)]
struct Said {
    text: String,
}

pub(crate) fn rooms(pattern: &str) -> Router {
    Router::new().route(pattern, route(hooks()).receives::<Said>().sends::<Said>())
}

fn none() -> impl Hooks {
    hooks()
}

pub(crate) fn names() -> Router {
    #[derive(Serialize, JsonSchema)]
    #[schemars(rename = "class")]
    struct Class {
        r#default: u8,
        #[serde(rename = "kebab-case")]
        kebab: u8,
        #[serde(rename = "constructor")]
        constructor: u8,
        #[serde(rename = "größe")]
        size: u8,
    }
    #[derive(Serialize, JsonSchema)]
    struct Status {
        class: Class,
        error: Error,
    }
    #[derive(Serialize, JsonSchema)]
    #[schemars(rename = "2 % wörter")]
    struct Error {
        socket: Option<Box<Status>>,
    }
    Router::new()
        .route("/", none())
        .route("/rooms/[id]", route(none()).name("rooms/[id]"))
        .route("/files/[...rest]", route(none()).name("files/[...rest]"))
        // The same literals as others.
        .route("/rooms/{id}/", none())
        .route("/rooms", none())
        .route("/Rooms", none())
        .route("/ROOMS/{a}/{b}", none())
        .route("/_rooms", none())
        // Words of the language, and of the runtime.
        .route("/class/{default}", none())
        .route("/new", route(none()).name("new"))
        .route("/stores/{params}/{options}", none())
        .route("/__proto__/{__proto__}/{constructor}", none())
        // Other characters.
        .route("/größe/{größe}", none())
        .route("/日本/{名-前}", none())
        .route("/a-b.c~d/img-{img-id}.png", none())
        .route("/100%25 {{sure}}'`$", none())
        .route("/2fast", none())
        .route(
            "/status",
            route(none()).sends::<Status>().protocols(["v2", "a'b`$"]),
        )
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Unit;

#[derive(Serialize, Deserialize, JsonSchema)]
struct Id(u64);

/// A tree.
///
/// Of any depth.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Tree {
    /// The name of the node.
    name: String,
    children: Vec<Tree>,
    #[deprecated]
    parent: Option<Box<Tree>>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum External {
    Unit,
    Newtype(Id),
    Tuple(u8, String),
    Struct { a: bool, b: Option<f64> },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(
    tag = "type",
    rename_all = "kebab-case",
    rename_all_fields = "camelCase"
)]
enum Internal {
    JustThis,
    /// Of another type.
    Newtype(Said),
    StructOf {
        game_id: String,
        action: serde_json::Value,
    },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "t", content = "c")]
enum Adjacent {
    A,
    B(u8),
    C { d: Vec<Option<String>> },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Untagged {
    Number(i32),
    Text(String),
    Both(i32, String),
    Struct { x: u8 },
}

#[derive(Serialize, Deserialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Level {
    Low,
    /// The most.
    VeryHigh,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Page<T> {
    items: Vec<T>,
    next: Option<u32>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Everything {
    unit: Unit,
    id: Id,
    pair: (u8, String),
    fixed: [f32; 3],
    long: [u8; 32],
    set: BTreeSet<Level>,
    map: BTreeMap<String, Vec<Id>>,
    by_number: BTreeMap<u8, bool>,
    options: Vec<Option<Level>>,
    any: serde_json::Value,
    page: Page<Said>,
    pages: Page<Page<Tree>>,
    external: External,
    internal: Internal,
    adjacent: Adjacent,
    untagged: Untagged,
    #[serde(default)]
    defaulted: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    #[serde(skip)]
    hidden: u8,
    character: char,
    nothing: (),
    result: Result<Id, String>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Flat {
    own: u8,
    #[serde(flatten)]
    said: Said,
    #[serde(flatten)]
    kind: Internal,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Open {
    own: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

/// What to look for.
#[derive(Deserialize, JsonSchema)]
struct Search {
    term: String,
    page: Option<u32>,
    #[serde(default)]
    tags: Vec<String>,
    exact: Option<bool>,
    level: Option<Level>,
}

#[derive(Deserialize, JsonSchema)]
struct Paging {
    page: Option<u32>,
    #[serde(default)]
    size: u8,
}

#[derive(Deserialize, JsonSchema)]
struct Sorted {
    by: Level,
    #[serde(flatten)]
    paging: Paging,
}

/// What JSON Schema has no type for, or TypeScript none that is as narrow.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Odd {
    /// No value at all.
    never: Option<Never>,
    by_level: BTreeMap<Level, u8>,
    twice: Option<Option<u8>>,
    none: [u8; 0],
    own_codec: Conversion,
    /// `*/` ends no comment.
    mixed: Vec<Mixed>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
enum Never {}

#[derive(Serialize, Deserialize, JsonSchema)]
enum Mixed {
    A,
    #[serde(skip)]
    Skipped,
    #[serde(rename = "bee")]
    B(i32),
    #[serde(untagged)]
    Other(String),
}

/// Its number is written as text.
#[derive(Serialize, Deserialize, JsonSchema, Clone)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
struct Conversion(u64);

impl From<Conversion> for String {
    fn from(Conversion(number): Conversion) -> Self {
        number.to_string()
    }
}

impl TryFrom<String> for Conversion {
    type Error = std::num::ParseIntError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// Any keys, and one whose type is another.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
enum Bag {
    Empty,
    Full(BTreeMap<String, u8>),
}

/// Itself, with nothing between.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
enum Circle {
    Number(f64),
    Same(Box<Circle>),
    Many(Vec<Circle>),
}

/// A list of a length that is not known.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Cons(i32, Option<Box<Cons>>);

pub(crate) fn types() -> Router {
    Router::new()
        .route("/odd", route(none()).receives::<Odd>().sends::<Cons>())
        .route("/bag", route(none()).receives::<Bag>().sends::<Circle>())
        .route(
            "/any",
            route(none())
                .receives::<serde_json::Value>()
                .sends::<Never>(),
        )
        .route(
            "/search/{shop}",
            route(none()).described_query::<Search>().protocols(["v1"]),
        )
        .route("/list", route(none()).described_query::<Paging>())
        .route("/sorted", route(none()).described_query::<Sorted>())
        .route(
            "/maybe",
            route(none()).described_query::<BTreeMap<String, String>>(),
        )
        .route(
            "/everything",
            route(none()).receives::<Everything>().sends::<Everything>(),
        )
        .route(
            "/enums/{id}",
            route(none())
                .receives::<Internal>()
                .sends::<External>()
                .reply_errors(),
        )
        .route("/flat", route(none()).receives::<Flat>().sends::<Open>())
        .route(
            "/plain",
            route(none())
                .receives::<(u8, Option<String>)>()
                .sends::<Vec<Untagged>>(),
        )
        .route(
            "/half",
            route(none())
                .sends::<Option<Tree>>()
                .doc("Only one side is known.\n"),
        )
}

fn sums() -> crossws_app::calls::Calls<impl Hooks> {
    crossws_app::calls::calls(none())
        .described_method("add", |_: Peer, (a, b): (i64, i64)| async move {
            Ok::<_, BoxError>(a + b)
        })
        .described_method("say", |_: Peer, said: Said| async move {
            Ok::<_, BoxError>(said.text)
        })
        .method("any.thing", |_: Peer, _: serde_json::Value| async move {
            Ok::<_, BoxError>(1)
        })
        .described_event("typing", |_: Peer, _: String| async move {})
        .emits::<Said>("said")
        .emits::<u8>("count")
        .asks::<String, bool>("confirm")
}

pub(crate) fn calls() -> Router {
    Router::new()
        .route("/plain", sums().described().sends::<Said>())
        .route("/rpc", sums().json_rpc().described())
        .route("/few", crossws_app::calls::calls(none()).described())
}

const BAD: &str =
    "*/ alert(1) /* `${alert(1)}` </script><!-- \u{2028}alert(1)//\u{2029} \" ' \\ \u{202e}\0";

pub(crate) fn injection() -> Router {
    #[derive(Serialize, JsonSchema)]
    #[schemars(rename = "Bad */ alert(1) «any»", description = BAD)]
    struct Bad {
        #[serde(rename = "*/ \" + alert(1) + `${alert(1)}` </script> \u{2028} «x»")]
        #[schemars(description = BAD)]
        a: u8,
    }
    #[derive(Deserialize, JsonSchema)]
    struct Query {
        #[serde(rename = "*/ \" + alert(1) + `${alert(1)}` </script> \u{2028} «x»")]
        a: Option<u8>,
    }
    #[derive(Serialize, JsonSchema)]
    #[serde(tag = "\" + alert(1)")]
    enum Kind {
        #[serde(rename = "\"; alert(1); //</script>\u{2028}«»")]
        One { bad: Bad },
    }
    let calls = crossws_app::calls::calls(none())
        .method("\"; alert(1)", |_: Peer, _: u8| async move {
            Ok::<_, BoxError>(1)
        })
        .event("*/ alert(1) «", |_: Peer, _: u8| async move {});
    Router::new()
        .route(
            "/*\u{2f}; alert(1) `${{alert(1)}}` \" ' </script>"
                .replace('*', "%2A")
                .as_str(),
            route(none()).name("*/ alert(1) \" </script>").doc(BAD),
        )
        .route(
            "/«alert(1)»/{id}",
            route(none())
                .sends::<Kind>()
                .protocols(["'+`*alert`+'"])
                .described_query::<Query>(),
        )
        .route("/calls", calls.described().doc("ends with *"))
}
