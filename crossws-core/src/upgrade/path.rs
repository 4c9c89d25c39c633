use std::borrow::Cow;

/// Returns the normal form of a path, however the client spelled it. Routes are matched in it, and
/// it is the default name of a namespace.
///
/// Everything is percent-decoded except the slash, which would become a separator, and the percent
/// sign. These two stay `%2F` and `%25`, so that no two paths of different meaning have one normal
/// form, and a normal form is its own. Slashes at the end and empty segments stay: they make a
/// different path.
///
/// ```
/// # use crossws_core::normal_path;
/// assert_eq!(normal_path("/rooms/caf%C3%A9%20%61")?, "/rooms/café a");
/// assert_eq!(normal_path("/rooms/a%2fb/")?, "/rooms/a%2Fb/");
/// # Ok::<_, crossws_core::PathNotUtf8>(())
/// ```
///
/// # Errors
/// [`PathNotUtf8`] if the decoded path is not UTF-8.
pub fn normal_path(path: &str) -> Result<Cow<'_, str>, PathNotUtf8> {
    if !path.contains('%') {
        return Ok(Cow::Borrowed(path));
    }
    let mut normal = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let [byte, tail @ ..] = rest {
        if *byte != b'%' {
            rest = tail;
            normal.push(*byte);
            continue;
        }
        let (decoded, tail) = decode(tail).unwrap_or((b'%', tail));
        rest = tail;
        match decoded {
            b'%' => normal.extend(b"%25"),
            b'/' => normal.extend(b"%2F"),
            decoded => normal.push(decoded),
        }
    }
    let normal = String::from_utf8(normal).map_err(|_| PathNotUtf8(()))?;
    Ok(Cow::Owned(normal))
}

/// Decodes the two digits after a percent sign. Returns the byte, and what follows.
fn decode(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, rest) = text.split_first_chunk::<2>()?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let [high, low] = digits.map(digit);
    Some(((high? << 4 | low?) as u8, rest))
}

/// A path that is not UTF-8 once it is percent-decoded: see [`normal_path`]. As a rejection it is a 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path is not UTF-8 when it is percent-decoded")]
pub struct PathNotUtf8(());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_form_is_decoded_but_for_slash_and_percent() {
        for (path, normal) in [
            ("/plain", "/plain"),
            ("/a%20b", "/a b"),
            ("/%61%2f%2F", "/a%2F%2F"),
            ("/caf%C3%A9", "/café"),
            ("/100%", "/100%25"),
            ("/%zz%2", "/%25zz%252"),
            ("/%25%32F", "/%252F"),
        ] {
            assert_eq!(normal_path(path).unwrap(), normal, "{path}");
            assert_eq!(normal_path(normal).unwrap(), normal, "{path} again");
        }
    }

    #[test]
    fn what_does_not_decode_to_utf8_is_an_error() {
        assert!(normal_path("/%FF").is_err());
        assert!(normal_path("/%C3/%A9").is_err());
    }
}
