use proptest::prelude::*;

use super::*;

fn canonical(text: &str) -> String {
    Pattern::parse(text).unwrap().to_string()
}

fn wrong(text: &str) -> PatternErrorKind {
    Pattern::parse(text).unwrap_err().kind().clone()
}

#[test]
fn the_notations_of_a_parameter_are_one() {
    for text in ["/rooms/{id}", "/rooms/[id]", "/rooms/:id", "rooms/[id]"] {
        assert_eq!(canonical(text), "/rooms/{id}", "{text}");
    }
    for text in ["/files/{*rest}", "/files/[...rest]"] {
        assert_eq!(canonical(text), "/files/{*rest}", "{text}");
        assert!(Pattern::parse(text).unwrap().is_catch_all());
    }
}

#[test]
fn a_segment_may_have_a_prefix_and_a_suffix() {
    for text in ["/img-{id}.png", "/img-[id].png"] {
        assert_eq!(canonical(text), "/img-{id}.png");
    }
    assert_eq!(canonical("/:file.json"), "/{file}.json");
    assert_eq!(canonical("/:from-to"), "/{from}-to");
    assert_eq!(canonical("/v1/jobs:cancel"), "/v1/jobs:cancel");
}

#[test]
fn the_root_has_several_spellings() {
    assert_eq!(canonical(""), "/");
    assert_eq!(canonical("/"), "/");
    assert_eq!(Pattern::root().to_matchit(), "/");
}

#[test]
fn a_trailing_slash_is_kept() {
    assert_eq!(canonical("/a/"), "/a/");
    assert_ne!(Pattern::parse("/a"), Pattern::parse("/a/"));
    let other = Pattern::parse("/a").unwrap().other_slash().unwrap();
    assert_eq!(other.to_string(), "/a/");
    assert_eq!(Pattern::root().other_slash(), None);
}

#[test]
fn literals_are_compared_decoded() {
    assert_eq!(Pattern::parse("/café"), Pattern::parse("/caf%c3%a9"));
    assert_eq!(canonical("/a%20b"), "/a%20b");
    assert_eq!(canonical("/%7Bid%7D"), "/%7Bid%7D");
    assert_eq!(canonical("/{{id}}"), "/%7Bid%7D");
    assert_eq!(canonical("/%3Aid"), "/%3Aid");
    assert_eq!(Pattern::parse("/{{id}}").unwrap().to_matchit(), "/{{id}}");
    assert_ne!(Pattern::parse("/a%2Fb"), Pattern::parse("/a/b"));
}

#[test]
fn joining_puts_one_pattern_below_another() {
    let join = |above: &str, below: &str| {
        let above = Pattern::parse(above).unwrap();
        above.join(&Pattern::parse(below).unwrap())
    };
    assert_eq!(join("/api", "/a/{x}").unwrap().to_string(), "/api/a/{x}");
    assert_eq!(join("/api", "/").unwrap().to_string(), "/api");
    assert_eq!(join("/", "/a").unwrap().to_string(), "/a");
    assert_eq!(join("/api/", "/a/").unwrap().to_string(), "/api/a/");
    assert_eq!(
        join("/{id}", "/{id}").unwrap_err().to_string(),
        "the pattern `/{id}/{id}` is malformed: it has two parameters with the name `id`"
    );
    assert!(matches!(
        join("/{*all}", "/a").unwrap_err().kind(),
        PatternErrorKind::CatchAllNotLast(_)
    ));
}

#[test]
fn a_malformed_pattern_is_named() {
    use PatternErrorKind::*;
    assert_eq!(wrong("/a//b"), EmptySegment);
    assert_eq!(wrong("//"), EmptySegment);
    assert_eq!(wrong("/a?b"), NotPath('?'));
    assert_eq!(wrong("/*"), BareStar("*".into()));
    assert_eq!(wrong("/{*}"), BareWildcard("{*}".into()));
    assert_eq!(wrong("/[...]"), BareWildcard("[...]".into()));
    assert_eq!(wrong("/[[id]]"), OptionalParam("[[id]]".into()));
    assert_eq!(wrong("/{id"), Unclosed("{id".into()));
    assert_eq!(wrong("/id}"), Unclosed("id}".into()));
    assert_eq!(wrong("/[id]]"), Unclosed("[id]]".into()));
    assert_eq!(wrong("/{id}}}"), BraceAfterParam("{id}}}".into()));
    assert_eq!(wrong("/:id%7B"), BraceAfterParam(":id%7B".into()));
    assert_eq!(wrong("/{a}{b}"), TwoParams("{a}{b}".into()));
    assert_eq!(wrong("/:a-{b}"), TwoParams(":a-{b}".into()));
    assert_eq!(wrong("/x{*rest}"), AffixedCatchAll("x{*rest}".into()));
    assert_eq!(wrong("/{*rest}/x"), CatchAllNotLast("{*rest}".into()));
    assert_eq!(wrong("/{*rest}/"), CatchAllNotLast("{*rest}".into()));
    assert_eq!(wrong("/{}"), ParamName(String::new()));
    assert_eq!(wrong("/:"), ParamName(String::new()));
    assert_eq!(wrong("/{a b}"), ParamName("a b".into()));
    assert_eq!(wrong("/{a}/{a}"), DuplicateParam("a".into()));
    assert_eq!(wrong("/%ff"), NotUtf8("\u{fffd}".into()));
    let many: String = (0..26).map(|n| format!("/:p{n}")).collect();
    assert_eq!(wrong(&many), TooManyParams(25));
    assert_eq!(
        Pattern::parse("/a/*").unwrap_err().to_string(),
        "the pattern `/a/*` is malformed: write `{*name}` for the rest of the path, not `*`"
    );
}

proptest! {
    #[test]
    fn what_is_displayed_parses_to_the_same(text in "[/a{}\\[\\].:*%é2fF -]{0,24}") {
        if let Ok(pattern) = Pattern::parse(&text) {
            prop_assert_eq!(Pattern::parse(&pattern.to_string()).unwrap(), pattern.clone());
            // The matcher parses it as we do: each parameter is found by its name.
            let mut matcher = matchit::Router::new();
            matcher.insert(pattern.to_matchit(), ()).unwrap();
            let mut path = pattern.to_matchit();
            for name in pattern.params() {
                path = path.replace(&format!("{{{name}}}"), "1").replace(&format!("{{*{name}}}"), "1");
            }
            let path = path.replace("{{", "{").replace("}}", "}");
            let found = matcher.at(&path).unwrap();
            prop_assert!(found.params.iter().eq(pattern.params().map(|name| (name, "1"))));
        }
    }
}
