//! The compiler's messages for users' mistakes: they name what to write instead.

#[test]
fn compile_errors_say_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/messages/*.rs");
}
