use super::*;

/// The configurations of the table's columns.
fn configs() -> [Deflate; 4] {
    let takeover = Deflate::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false);
    [
        Deflate::default(),
        takeover,
        Deflate::default()
            .server_max_window_bits(10)
            .client_max_window_bits(11),
        takeover.strict(true).client_max_window_bits(11),
    ]
}

/// Each offer, and the response to it under each configuration: by default, with context takeover,
/// with windows of 10 and 11 bits, and strictly with both a takeover and a client's window of 11
/// bits. In a response, `s` and `c` are a side without takeover, `S` and `C` a side's window bits,
/// `-` is none, `!` a 400.
///
/// In an offer, `pmd` is permessage-deflate, `snct` and `cnct` the parameters without takeover,
/// `smwb` and `cmwb` those of windows.
const TABLE: &[(&str, [&str; 4])] = &[
    // Without parameters, and with each alone.
    ("pmd", ["s c", "", "s c S10", "!"]),
    ("pmd; snct", ["s c", "s", "s c S10", "!"]),
    ("pmd; cnct", ["s c", "c", "s c S10", "!"]),
    ("pmd; snct; cnct", ["s c", "s c", "s c S10", "!"]),
    ("pmd; cmwb", ["s c", "", "s c S10 C11", "C11"]),
    ("pmd; cmwb; snct", ["s c", "s", "s c S10 C11", "s C11"]),
    ("pmd; cmwb; cnct", ["s c", "c", "s c S10 C11", "c C11"]),
    (
        "pmd; cnct; cmwb; snct",
        ["s c", "s c", "s c S10 C11", "s c C11"],
    ),
    ("pmd; cmwb=15", ["s c C15", "C15", "s c S10 C11", "C11"]),
    ("pmd; cmwb=12", ["s c C12", "C12", "s c S10 C11", "C11"]),
    ("pmd; cmwb=11", ["s c C11", "C11", "s c S10 C11", "C11"]),
    ("pmd; cmwb=10", ["s c C10", "C10", "s c S10 C10", "C10"]),
    ("pmd; cmwb=9", ["s c C9", "C9", "s c S10 C9", "C9"]),
    ("pmd; cmwb=8", ["s c C8", "C8", "s c S10 C8", "C8"]),
    (
        "pmd; smwb=15; cmwb",
        ["s c S15", "S15", "s c S10 C11", "S15 C11"],
    ),
    (
        "pmd; smwb=12; cmwb",
        ["s c S12", "S12", "s c S10 C11", "S12 C11"],
    ),
    (
        "pmd; smwb=10; cmwb",
        ["s c S10", "S10", "s c S10 C11", "S10 C11"],
    ),
    (
        "pmd; smwb=9; cmwb",
        ["s c S9", "S9", "s c S9 C11", "S9 C11"],
    ),
    ("pmd; smwb=15", ["s c S15", "S15", "s c S10", "!"]),
    ("pmd; smwb=9", ["s c S9", "S9", "s c S9", "!"]),
    (
        "pmd; smwb=9; cmwb=9; snct; cnct",
        ["s c S9 C9", "s c S9 C9", "s c S9 C9", "s c S9 C9"],
    ),
    (
        "pmd; cmwb=15; smwb=15",
        ["s c S15 C15", "S15 C15", "s c S10 C11", "S15 C11"],
    ),
    // The server's zlib has no window of 256 bytes.
    ("pmd; smwb=8", ["-", "-", "-", "!"]),
    ("pmd; smwb=8; cmwb", ["-", "-", "-", "!"]),
    ("pmd; smwb=8; snct; cmwb=8", ["-", "-", "-", "!"]),
    // Invalid values.
    ("pmd; smwb", ["-", "-", "-", "!"]),
    ("pmd; smwb=7", ["-", "-", "-", "!"]),
    ("pmd; smwb=16", ["-", "-", "-", "!"]),
    ("pmd; smwb=0", ["-", "-", "-", "!"]),
    ("pmd; smwb=09", ["-", "-", "-", "!"]),
    ("pmd; smwb=+9", ["-", "-", "-", "!"]),
    ("pmd; smwb=-9", ["-", "-", "-", "!"]),
    ("pmd; smwb=1e1", ["-", "-", "-", "!"]),
    ("pmd; smwb=265", ["-", "-", "-", "!"]),
    ("pmd; smwb=99999999999999999999", ["-", "-", "-", "!"]),
    ("pmd; smwb=ten", ["-", "-", "-", "!"]),
    ("pmd; cmwb=7", ["-", "-", "-", "!"]),
    ("pmd; cmwb=16", ["-", "-", "-", "!"]),
    ("pmd; cmwb=015", ["-", "-", "-", "!"]),
    ("pmd; cmwb=15.0", ["-", "-", "-", "!"]),
    ("pmd; cmwb=x", ["-", "-", "-", "!"]),
    ("pmd; snct=1", ["-", "-", "-", "!"]),
    ("pmd; snct=true", ["-", "-", "-", "!"]),
    ("pmd; cnct=0", ["-", "-", "-", "!"]),
    // Parameters that are doubled or unknown.
    ("pmd; snct; snct", ["-", "-", "-", "!"]),
    ("pmd; cnct; cnct", ["-", "-", "-", "!"]),
    ("pmd; smwb=10; smwb=10", ["-", "-", "-", "!"]),
    ("pmd; smwb=10; smwb=11", ["-", "-", "-", "!"]),
    ("pmd; cmwb; cmwb", ["-", "-", "-", "!"]),
    ("pmd; cmwb; cmwb=10", ["-", "-", "-", "!"]),
    ("pmd; cmwb=10; cmwb", ["-", "-", "-", "!"]),
    ("pmd; foo", ["-", "-", "-", "!"]),
    ("pmd; foo=1; cmwb", ["-", "-", "-", "!"]),
    ("pmd; SNCT", ["-", "-", "-", "!"]),
    ("pmd; server_max_window_bit=10", ["-", "-", "-", "!"]),
    // The form of values, and white space.
    ("pmd; cmwb=\"12\"", ["s c C12", "C12", "s c S10 C11", "C11"]),
    (
        "pmd; cmwb=\"1\\2\"",
        ["s c C12", "C12", "s c S10 C11", "C11"],
    ),
    ("pmd;cmwb=12", ["s c C12", "C12", "s c S10 C11", "C11"]),
    (
        "  pmd \t;\tcmwb  =  12  ",
        ["s c C12", "C12", "s c S10 C11", "C11"],
    ),
    (
        "pmd; smwb=\"9\"; cmwb=\"9\"",
        ["s c S9 C9", "S9 C9", "s c S9 C9", "S9 C9"],
    ),
    ("pmd; smwb=\"8\"", ["-", "-", "-", "!"]),
    // Several offers: the server accepts the first acceptable one.
    ("pmd; smwb=8, pmd; cmwb", ["s c", "", "s c S10 C11", "C11"]),
    (
        "pmd; foo, pmd; cmwb=9",
        ["s c C9", "C9", "s c S10 C9", "C9"],
    ),
    (
        "pmd; cmwb=12, pmd; cmwb=9",
        ["s c C12", "C12", "s c S10 C11", "C11"],
    ),
    (
        "pmd; smwb=10; cmwb, pmd",
        ["s c S10", "S10", "s c S10 C11", "S10 C11"],
    ),
    ("pmd, pmd; cmwb", ["s c", "", "s c S10", "C11"]),
    ("pmd; smwb=16, pmd; foo", ["-", "-", "-", "!"]),
    ("foo, pmd; cmwb", ["s c", "", "s c S10 C11", "C11"]),
    (
        "foo; smwb=8; bar=\"x\", pmd; snct; cmwb",
        ["s c", "s", "s c S10 C11", "s C11"],
    ),
    (",, pmd; cmwb ,,", ["s c", "", "s c S10 C11", "C11"]),
    // Other extensions are not refused, even under `strict`.
    ("foo", ["-", "-", "-", "-"]),
    ("foo; cmwb=7, bar", ["-", "-", "-", "-"]),
    ("PMD", ["-", "-", "-", "-"]),
    ("x-webkit-deflate-frame", ["-", "-", "-", "-"]),
    // A blank header offers nothing.
    ("", ["-", "-", "-", "-"]),
    (" \t", ["-", "-", "-", "-"]),
    (" , ,", ["-", "-", "-", "-"]),
    // Headers that are not lists of extensions.
    (";", ["!", "!", "!", "!"]),
    ("pmd;", ["!", "!", "!", "!"]),
    ("pmd; ; cmwb", ["!", "!", "!", "!"]),
    ("pmd cmwb", ["!", "!", "!", "!"]),
    ("pmd; cmwb=", ["!", "!", "!", "!"]),
    ("pmd; =12", ["!", "!", "!", "!"]),
    ("pmd; cmwb=12 13", ["!", "!", "!", "!"]),
    ("pmd; cmwb=\"12", ["!", "!", "!", "!"]),
    ("pmd; cmwb=\"\"", ["!", "!", "!", "!"]),
    ("pmd; cmwb=\"1 2\"", ["!", "!", "!", "!"]),
    ("pmd; cmwb=\"12\\", ["!", "!", "!", "!"]),
    ("pmd; cmwb=\"12\"3", ["!", "!", "!", "!"]),
    ("pmd/1", ["!", "!", "!", "!"]),
    ("pmd; cmwb=ż", ["!", "!", "!", "!"]),
    ("żółć", ["!", "!", "!", "!"]),
];

/// Expands the abbreviations of a table of cases. The client's side uses it too.
pub(crate) fn expand(short: &str) -> String {
    short
        .replace("pmd", "permessage-deflate")
        .replace("snct", "server_no_context_takeover")
        .replace("cnct", "client_no_context_takeover")
        .replace("smwb", "server_max_window_bits")
        .replace("cmwb", "client_max_window_bits")
}

fn answer(short: &str) -> String {
    let mut answer = NAME.to_owned();
    for word in short.split_whitespace() {
        answer += "; ";
        answer += &match word.split_at(1) {
            ("s", _) => "server_no_context_takeover".to_owned(),
            ("c", _) => "client_no_context_takeover".to_owned(),
            ("S", bits) => format!("server_max_window_bits={bits}"),
            ("C", bits) => format!("client_max_window_bits={bits}"),
            _ => panic!("{word}"),
        };
    }
    answer
}

/// Returns the response to the header's lines.
fn answered(config: &Deflate, lines: &[&str]) -> String {
    match negotiate(config, lines.iter().map(|line| line.as_bytes())) {
        Ok(Some(agreed)) => agreed.answer,
        Ok(None) => "-".to_owned(),
        Err(rejection) => {
            assert_eq!(rejection.status(), 400);
            "!".to_owned()
        }
    }
}

#[test]
fn every_offer_gets_its_response() {
    assert!(TABLE.len() * configs().len() > 300);
    let one_in = if cfg!(miri) { 20 } else { 1 };
    for (offer, answers) in TABLE.iter().step_by(one_in) {
        for (config, expected) in configs().iter().zip(answers) {
            let expected = match *expected {
                "-" | "!" => (*expected).to_owned(),
                short => answer(short),
            };
            let answered = answered(config, &[&expand(offer)]);
            assert_eq!(answered, expected, "{offer:?} under {config:?}");
        }
    }
}

#[test]
fn the_lines_of_a_header_are_one_list() {
    let [config, ..] = configs();
    let lines = [expand("foo"), expand("pmd; smwb=8"), expand("pmd; smwb=9")];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert_eq!(answered(&config, &lines), answer("s c S9"));
    assert_eq!(answered(&config, &[]), "-", "no header, no offer");
}

#[test]
fn bytes_that_are_not_text_are_not_a_header() {
    let [config, ..] = configs();
    let negotiated = negotiate(&config, [&b"permessage-deflate; \xff"[..]].into_iter());
    assert_eq!(negotiated.unwrap_err().status(), 400);
}

#[test]
fn numbers_out_of_range_are_brought_into_it() {
    let config = Deflate::default()
        .server_max_window_bits(0)
        .client_max_window_bits(200)
        .level(77);
    let offers = expand("pmd; cmwb");
    let agreed = negotiate(&config, [offers.as_bytes()].into_iter())
        .unwrap()
        .unwrap();
    assert_eq!(agreed.answer, answer("s c S9"));
    assert_eq!(
        (
            agreed.negotiated.outgoing.window_bits,
            agreed.negotiated.outgoing.level
        ),
        (9, 9)
    );
}

#[test]
fn a_client_gets_no_context_takeover_when_the_budget_is_used_up() {
    let config = configs()[1].max_context_memory(0_usize);
    let offers = expand("pmd; cmwb");
    let agreed = negotiate(&config, [offers.as_bytes()].into_iter())
        .unwrap()
        .unwrap();
    assert_eq!(agreed.answer, answer("c"));
    assert!(!agreed.negotiated.incoming_takeover && !agreed.inflater.takes_context_over());
    assert!(
        agreed.negotiated.outgoing.takes_context_over(),
        "the client may skip its own context at any time"
    );
}

#[test]
fn required_compression_refuses_every_client_that_offers_none() {
    let config = Deflate::default().required(true);
    let offers: [&[&[u8]]; 4] = [&[], &[b""], &[b"foo"], &[b"permessage-deflate; foo"]];
    for offer in offers {
        let refused = negotiate(&config, offer.iter().copied()).err();
        assert_eq!(
            refused.map(|refused| refused.status().as_u16()),
            Some(400),
            "{offer:?}"
        );
    }
    let offer: [&[u8]; 1] = [b"permessage-deflate"];
    assert!(negotiate(&config, offer.into_iter()).unwrap().is_some());
}
