//! The compiler's messages for users' mistakes: they name what to write instead.

#[test]
fn mistakes_are_told_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/messages/*.rs");
}
