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
        rest = tail;
        if *byte != b'%' {
            normal.push(*byte);
            continue;
        }
        let decoded = match tail {
            [high, low, tail @ ..] => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    rest = tail;
                    high << 4 | low
                }
                _ => b'%',
            },
            _ => b'%',
        };
        match decoded {
            b'%' => normal.extend(b"%25"),
            b'/' => normal.extend(b"%2F"),
            decoded => normal.push(decoded),
        }
    }
    match String::from_utf8(normal) {
        Ok(normal) => Ok(Cow::Owned(normal)),
        Err(_) => Err(PathNotUtf8(())),
    }
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
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
