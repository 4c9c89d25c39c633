//! The compiler's messages for users' mistakes: they name what to write instead.

// The messages list what implements a trait, which the features add to.
#[cfg(all(feature = "cbor", feature = "message-pack", feature = "schema"))]
#[test]
fn compile_errors_say_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/mistakes/*.rs");
}
