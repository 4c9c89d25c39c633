use super::*;
use crate::handshake::extensions::Malformed;
use crate::handshake::extensions::offer::tests::expand;

/// The configurations of the table's columns.
fn configs() -> [Deflate; 4] {
    let takeover = Deflate::default()
        .server_no_context_takeover(false)
        .client_no_context_takeover(false)
        .max_context_memory(usize::MAX >> 1);
    [
        Deflate::default(),
        takeover,
        takeover
            .server_max_window_bits(10)
            .client_max_window_bits(11),
        takeover.max_context_memory(0_usize),
    ]
}

#[test]
fn a_configuration_is_offered_as_it_is_meant() {
    let offers = configs().map(|config| Offer::new(&config).header());
    let expected = [
        "pmd; snct; cnct; cmwb",
        "pmd; cmwb",
        "pmd; smwb=10; cmwb=11",
        "pmd; snct; cmwb",
    ];
    assert_eq!(offers, expected.map(expand));
}

/// Each response, and what it means to those offers. `s` is a server that takes its context over,
/// `c` a client that does, and the number is the client's window bits. `!` is a response that does
/// not match the offer.
const TABLE: &[(&str, [&str; 4])] = &[
    ("pmd", ["!", "s c 15", "!", "!"]),
    ("pmd; snct", ["15", "c 15", "!", "c 15"]),
    ("pmd; cnct", ["!", "s 15", "!", "!"]),
    ("pmd; cnct; snct", ["15", "15", "!", "15"]),
    ("pmd; snct; smwb=15", ["15", "c 15", "!", "c 15"]),
    ("pmd; snct; smwb=10", ["15", "c 15", "c 11", "c 15"]),
    ("pmd; smwb=10", ["!", "s c 15", "s c 11", "!"]),
    ("pmd; smwb=9", ["!", "s c 15", "s c 11", "!"]),
    // The client can read every window.
    ("pmd; smwb=8", ["!", "s c 15", "s c 11", "!"]),
    ("pmd; smwb=11", ["!", "s c 15", "!", "!"]),
    // The smaller of the client's own limit and the server's applies to the client's window.
    ("pmd; smwb=10; cmwb=15", ["!", "s c 15", "s c 11", "!"]),
    ("pmd; smwb=10; cmwb=12", ["!", "s c 12", "s c 11", "!"]),
    ("pmd; smwb=10; cmwb=9", ["!", "s c 9", "s c 9", "!"]),
    ("pmd; smwb=10; cmwb=8", ["!", "s c 8", "s c 8", "!"]),
    ("pmd; snct; cmwb=9", ["9", "c 9", "!", "c 9"]),
    // Parameters that a response must not have.
    ("pmd; snct; smwb=10; cmwb", ["!", "!", "!", "!"]),
    ("pmd; snct; smwb", ["!", "!", "!", "!"]),
    ("pmd; snct; smwb=7", ["!", "!", "!", "!"]),
    ("pmd; snct; smwb=16", ["!", "!", "!", "!"]),
    ("pmd; snct; smwb=09", ["!", "!", "!", "!"]),
    ("pmd; snct; smwb=10; cmwb=16", ["!", "!", "!", "!"]),
    ("pmd; snct; snct; smwb=10", ["!", "!", "!", "!"]),
    ("pmd; snct; smwb=10; smwb=10", ["!", "!", "!", "!"]),
    ("pmd; snct; smwb=10; foo", ["!", "!", "!", "!"]),
    ("pmd; snct=1; smwb=10", ["!", "!", "!", "!"]),
];

fn answered(config: &Deflate, lines: &[&str]) -> Result<Option<Agreement>, AnswerError> {
    Offer::new(config).answered(lines.iter().map(|line| line.as_bytes()))
}

#[test]
fn every_answer_has_its_meaning() {
    for (answer, meanings) in TABLE {
        for (config, expected) in configs().iter().zip(meanings) {
            let meaning = match answered(config, &[&expand(answer)]) {
                Err(error) => {
                    assert_eq!(error, AnswerError::Parameters);
                    "!".to_owned()
                }
                Ok(agreed) => {
                    let Agreement {
                        negotiated,
                        inflater,
                        ..
                    } = agreed.unwrap();
                    let server = negotiated.incoming_takeover;
                    assert_eq!(inflater.takes_context_over(), server);
                    let client = negotiated.outgoing.takes_context_over();
                    let bits = negotiated.outgoing.window_bits;
                    let words = [(server, "s "), (client, "c ")];
                    let words = words.iter().filter(|(said, _)| *said);
                    words.map(|(_, word)| *word).collect::<String>() + &bits.to_string()
                }
            };
            assert_eq!(meaning, *expected, "{answer:?} under {config:?}");
        }
    }
}

#[test]
fn a_response_names_only_the_offered_extension_and_once() {
    let [config, ..] = configs();
    let good = expand("pmd; snct");
    let check = |lines: &[&str]| answered(&config, lines).map(|agreed| agreed.is_some());
    assert_eq!(check(&[&good]), Ok(true));
    assert_eq!(check(&[]), Ok(false));
    assert_eq!(check(&[&good, &good]), Err(AnswerError::Extension));
    let twice = format!("{good}, {good}");
    assert_eq!(check(&[&twice]), Err(AnswerError::Extension));
    assert_eq!(check(&["foo"]), Err(AnswerError::Extension));
    let both = format!("{good}, foo");
    assert_eq!(check(&[&both]), Err(AnswerError::Extension));
    assert_eq!(check(&[""]), Ok(false));
    for malformed in [";", "permessage-deflate; snct=", "\u{e9}"] {
        let error = check(&[malformed]).unwrap_err();
        assert_eq!(error, AnswerError::Malformed(Malformed));
    }
}

#[test]
fn the_agreement_keeps_the_parameters_of_the_response() {
    let [_, takeover, ..] = configs();
    let answer = expand("pmd; snct; smwb=12; cmwb=9");
    let agreed = answered(&takeover, &[&answer.replace("=9", "=\"9\"")]);
    assert_eq!(agreed.unwrap().unwrap().answer, answer);
}

#[test]
fn for_a_window_of_256_bytes_nothing_is_compressed() {
    use crate::deflate::Deflater;
    use crate::frame::Opcode;

    let [_, takeover, ..] = configs();
    let takeover = takeover.threshold(1_usize);
    let payload = [b'a'; 1000];
    for (answer, expected) in [("pmd; cmwb=9", true), ("pmd; cmwb=8", false)] {
        for more in ["", "; cnct"] {
            let answer = expand(answer) + &expand(more);
            let agreed = answered(&takeover, &[&answer]).unwrap().unwrap();
            let mut deflater = Deflater::new(&agreed.negotiated);
            let mut frame = Vec::new();
            let done = deflater.put_masked_frame(Opcode::Text, &payload, &mut frame);
            assert_eq!(
                (done, frame.is_empty()),
                (Ok(expected), !expected),
                "{answer}"
            );
        }
    }
}
