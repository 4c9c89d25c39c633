//! What a client reads is exactly what was pushed, whatever was pushed and wherever it was cut.

use std::time::Duration;

use crossws_sse::{Event, Parser, Received};
use proptest::prelude::*;

/// Texts with every character that means something to the format.
fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r".to_owned()),
        Just("\n".to_owned()),
        Just("\r\n".to_owned()),
        Just(":".to_owned()),
        Just(" ".to_owned()),
        Just("\0".to_owned()),
        Just("\u{feff}".to_owned()),
        Just("event: forged".to_owned()),
        Just("data: ".to_owned()),
        Just("id: 9".to_owned()),
        any::<char>().prop_map(String::from),
        "[a-z]{0,3}",
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn one_line() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace(['\r', '\n'], ""))
}

#[derive(Debug, Clone)]
struct Pushed {
    data: Option<String>,
    name: Option<String>,
    id: Option<String>,
    retry: Option<u32>,
}

fn pushed() -> impl Strategy<Value = Pushed> {
    let without_nul = || one_line().prop_map(|text| text.replace('\0', ""));
    (
        prop::option::of(text()),
        prop::option::of(without_nul()),
        prop::option::of(without_nul()),
        prop::option::of(any::<u32>()),
    )
        .prop_map(|(data, name, id, retry)| Pushed {
            data,
            name,
            id,
            retry,
        })
}

impl Pushed {
    fn event(&self) -> Event {
        let mut event = match &self.data {
            Some(data) => Event::new(data),
            None => Event::default(),
        };
        if let Some(name) = &self.name {
            event = event.event(name);
        }
        if let Some(id) = &self.id {
            event = event.id(id);
        }
        if let Some(retry) = self.retry {
            event = event.retry(Duration::from_millis(retry.into()));
        }
        event
    }
}

/// Reads a whole stream by the letter of the standard (HTML section 9.2.6), one line at a time.
fn read_by_the_letter(stream: &str) -> (Vec<(String, String, String)>, Option<u64>) {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let stream = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<_> = stream.split('\n').collect();
    // What no end of a line follows is no line.
    lines.pop();
    let (mut data, mut event_type, mut id) = (String::new(), String::new(), String::new());
    let (mut events, mut retry) = (Vec::new(), None);
    for line in lines {
        if line.is_empty() {
            let event_type = std::mem::take(&mut event_type);
            let data = std::mem::take(&mut data);
            if data.is_empty() {
                continue;
            }
            let data = data.strip_suffix('\n').unwrap_or(&data).to_owned();
            let name = if event_type.is_empty() {
                "message".to_owned()
            } else {
                event_type
            };
            events.push((name, data, id.clone()));
            continue;
        }
        if line.starts_with(':') {
            continue;
        }
        let (field, value) = match line.find(':') {
            Some(at) => {
                let value = &line[at + 1..];
                (&line[..at], value.strip_prefix(' ').unwrap_or(value))
            }
            None => (line, ""),
        };
        match field {
            "event" => event_type = value.to_owned(),
            "data" => {
                data.push_str(value);
                data.push('\n');
            }
            "id" if !value.contains('\0') => id = value.to_owned(),
            "retry" if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) => {
                retry = value.parse().ok().or(retry);
            }
            _ => {}
        }
    }
    (events, retry)
}

fn fed(stream: &[u8], cuts: &[usize]) -> (Vec<(String, String, String)>, Option<u64>) {
    let mut parser = Parser::new();
    let mut events = Vec::new();
    let mut rest = stream;
    let mut take = |parser: &mut Parser| {
        while let Some(Received {
            event,
            data,
            last_event_id,
            ..
        }) = parser.next()
        {
            events.push((event, data, last_event_id));
        }
    };
    for cut in cuts {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        parser.feed(piece).unwrap();
        take(&mut parser);
        rest = after;
    }
    parser.feed(rest).unwrap();
    take(&mut parser);
    let retry = parser.retry().map(|retry| retry.as_millis() as u64);
    (events, retry)
}

proptest! {
    #[test]
    fn a_client_reads_what_was_pushed(
        pushed in prop::collection::vec(pushed(), 0..6),
        cuts in prop::collection::vec(0..20_usize, 0..40),
    ) {
        let mut stream = Vec::new();
        let (mut expected, mut id, mut retry) = (Vec::new(), String::new(), None);
        for one in &pushed {
            stream.extend_from_slice(&one.event().encode().unwrap());
            id = one.id.clone().unwrap_or(id);
            retry = one.retry.map(u64::from).or(retry);
            if let Some(data) = &one.data {
                let name = one.name.clone().filter(|name| !name.is_empty());
                let data = data.replace("\r\n", "\n").replace('\r', "\n");
                expected.push((name.unwrap_or("message".to_owned()), data, id.clone()));
            }
        }
        let text = std::str::from_utf8(&stream).unwrap();
        prop_assert_eq!(&read_by_the_letter(text), &(expected.clone(), retry));
        prop_assert_eq!(fed(&stream, &cuts), (expected, retry));
    }

    #[test]
    fn the_parser_reads_any_stream_by_the_letter(
        lines in prop::collection::vec((text(), prop_oneof![Just("\n"), Just("\r"), Just("\r\n")]), 0..20),
        fields in prop::collection::vec(prop_oneof![
            Just(""), Just("data"), Just("data:"), Just("event: "), Just("id:"), Just("retry: 7"), Just(":"),
        ], 20),
        cuts in prop::collection::vec(0..10_usize, 0..60),
    ) {
        let stream: String = lines
            .iter()
            .zip(fields)
            .map(|((text, end), field)| format!("{field}{text}{end}"))
            .collect();
        prop_assert_eq!(fed(stream.as_bytes(), &cuts), read_by_the_letter(&stream));
    }
}

#[test]
fn an_event_over_the_bound_is_an_error_and_not_memory() {
    for stream in [
        "data: 0123456789".to_owned(),
        "data: 01234\ndata: 56789\n".to_owned(),
        "x".repeat(20),
        "data\n".repeat(20),
    ] {
        let mut parser = Parser::new().max_event(14);
        let error = parser.feed(stream.as_bytes()).unwrap_err();
        assert_eq!(error.most, 14, "{stream:?}");
    }
}

/// The id of an event that was cut off is not the last one: its client must get that event again.
#[test]
fn a_cut_event_does_not_change_the_last_id() {
    let mut parser = Parser::new();
    parser.feed(b"id: 1\ndata: a\n\nid: 2\ndata: b\n").unwrap();
    assert_eq!(parser.last_event_id(), "1");
    parser.feed(b"\n").unwrap();
    assert_eq!(parser.last_event_id(), "2");
}

#[test]
fn bytes_that_are_no_utf8_are_replaced() {
    let mut parser = Parser::new();
    parser.feed(b"\xef\xbb\xbfdata: \xff\xe2\x82").unwrap();
    parser.feed(b"\xac\n\n").unwrap();
    assert_eq!(parser.next().unwrap().data, "\u{fffd}\u{20ac}");
}
