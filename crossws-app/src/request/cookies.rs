//! The cookies of a request.

/// Returns the cookies in the values of `Cookie` headers, as they were sent, name and value: several
/// headers count as one list.
///
/// An entry that is not a pair, or not UTF-8, is skipped without affecting the others.
pub(crate) fn of<'h>(
    headers: impl Iterator<Item = &'h [u8]>,
) -> impl Iterator<Item = (&'h str, &'h str)> {
    headers
        .flat_map(|header| header.split(|byte| *byte == b';'))
        .filter_map(|pair| {
            let (name, value) = std::str::from_utf8(pair).ok()?.split_once('=')?;
            let name = name.trim_matches([' ', '\t']);
            (!name.is_empty()).then(|| (name, value.trim_matches([' ', '\t'])))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all<'h>(headers: &[&'h [u8]]) -> Vec<(&'h str, &'h str)> {
        of(headers.iter().copied()).collect()
    }

    #[test]
    fn cookies_are_pairs() {
        assert_eq!(
            all(&[b"a=1; b=x=y;c=\"q\" ; d=; =e; f; ;\tg=2"]),
            [
                ("a", "1"),
                ("b", "x=y"),
                ("c", "\"q\""),
                ("d", ""),
                ("g", "2")
            ]
        );
    }

    #[test]
    fn headers_on_two_lines_are_one_list() {
        assert_eq!(
            all(&[b"a=1", b"b=2; a=3"]),
            [("a", "1"), ("b", "2"), ("a", "3")]
        );
    }

    #[test]
    fn a_cookie_above_ascii_hides_no_other() {
        assert_eq!(
            all(&["a=1; née=é; b=2".as_bytes(), b"x=\xff; c=3"]),
            [("a", "1"), ("née", "é"), ("b", "2"), ("c", "3")]
        );
    }
}
