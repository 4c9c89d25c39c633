use std::collections::BTreeMap;

use crossws_app::RequestExt;
use crossws_core::UpgradeRequest;
use serde::Deserialize;

/// A type whose fields require all kinds of values.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "only whether it can be read matters")]
struct Strict<'a> {
    a: Option<u8>,
    b: Option<bool>,
    #[serde(default)]
    c: Vec<i64>,
    d: Option<char>,
    e: Option<(String, f32)>,
    #[serde(borrow)]
    f: Option<&'a str>,
}

/// Reads a query from the first line, and cookies from the others. Every piece of the query is
/// read, or named in an error that fits into a line of a log. No cookie depends on another, or on
/// its line.
pub fn request(data: &[u8]) {
    let mut lines = data.split(|byte| *byte == b'\n');
    let query = lines.next().unwrap_or_default();
    let cookies: Vec<_> = lines.take(8).map(|line| ("cookie", line)).collect();
    let target = match std::str::from_utf8(query) {
        Ok(query) => format!("/?{query}"),
        Err(_) => return,
    };
    let Some(request) = UpgradeRequest::from_head(&target, cookies.iter().copied()) else {
        return;
    };

    let pieces = request.query().unwrap_or_default().split('&');
    let pieces = pieces.filter(|piece| !piece.is_empty()).count();
    match request.query_as::<BTreeMap<String, Vec<String>>>() {
        Ok(map) => assert_eq!(map.values().map(Vec::len).sum::<usize>(), pieces),
        Err(error) => assert!(error.field().is_some()),
    }
    if let Err(error) = request.query_as::<Strict<'_>>() {
        let text = error.to_string();
        assert!(
            text.len() < 2_000 && !text.contains(char::is_control),
            "{text:?}"
        );
    }
    let token = request.query_token("token");
    assert!(token.map_or(true, |token| !token.is_empty()));

    let alone: Vec<_> = cookies
        .iter()
        .flat_map(|(_, line)| line.split(|byte| *byte == b';'))
        .filter_map(|pair| UpgradeRequest::from_head("/", [("cookie", pair)]))
        .collect();
    let alone = alone.iter().flat_map(|request| request.cookies());
    assert!(alone.eq(request.cookies()));
}
