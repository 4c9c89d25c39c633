//! What the compiler says about the mistakes that users make: it names what to write instead.

#[test]
fn mistakes_are_told_what_to_write_instead() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/messages/*.rs");
}
