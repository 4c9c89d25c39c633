//! The normal form of a path, in which routes are matched: see [`normal_path`](crossws_core::normal_path).

use std::borrow::Cow;

pub(crate) use crossws_core::normal_path as normalize;

/// Decodes a part of a normal form.
pub(crate) fn decode(part: &str) -> Cow<'_, str> {
    if part.contains('%') {
        // The normal form has no other percent sign than these two.
        Cow::Owned(part.replace("%2F", "/").replace("%25", "%"))
    } else {
        Cow::Borrowed(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_decoded_once() {
        assert_eq!(decode(&normalize("a%2Fb%2525").unwrap()), "a/b%25");
    }
}
