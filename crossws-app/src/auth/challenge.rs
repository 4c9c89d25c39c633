use std::fmt::{self, Write};

use crossws_core::Rejection;

/// The challenge of a 401: the value of its `WWW-Authenticate` header (RFC 9110 section 11.6.1).
///
/// It converts into a [`Rejection`] with status 401.
///
/// ```
/// use crossws_app::Challenge;
/// use crossws_core::Rejection;
///
/// let challenge = Challenge::bearer().realm("rooms").error("invalid_token");
/// assert_eq!(challenge.to_string(), r#"Bearer realm="rooms", error="invalid_token""#);
/// assert_eq!(Rejection::from(challenge).status(), 401);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    scheme: &'static str,
    params: Vec<(&'static str, String)>,
}

impl Challenge {
    /// Asks for a bearer token (RFC 6750).
    pub fn bearer() -> Self {
        Self {
            scheme: "Bearer",
            params: Vec::new(),
        }
    }

    /// Asks for a name and a password (RFC 7617). A browser shows its dialogue only for requests that
    /// a person makes, such as for the page, and not for a WebSocket's.
    pub fn basic(realm: impl Into<String>) -> Self {
        Self {
            scheme: "Basic",
            params: Vec::new(),
        }
        .realm(realm)
        .param("charset", "UTF-8".to_owned())
    }

    /// Names the protected space.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// let rejection: Rejection = Challenge::bearer().realm("chat").into();
    /// assert_eq!(rejection.status(), 401);
    /// ```
    #[must_use]
    pub fn realm(self, realm: impl Into<String>) -> Self {
        self.param("realm", realm.into())
    }

    /// Names the scope that a token needs.
    #[must_use]
    pub fn scope(self, scope: impl Into<String>) -> Self {
        self.param("scope", scope.into())
    }

    /// Names what is wrong with the token in the request, such as `invalid_token` (RFC 6750 section
    /// 3.1).
    #[must_use]
    pub fn error(self, code: impl Into<String>) -> Self {
        self.param("error", code.into())
    }

    fn param(mut self, name: &'static str, value: String) -> Self {
        self.params.retain(|(known, _)| *known != name);
        self.params.push((name, value));
        self
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.scheme)?;
        for (index, (name, value)) in self.params.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            write!(f, "{separator}{name}=\"")?;
            for c in value.chars() {
                match c {
                    '"' | '\\' => write!(f, "\\{c}")?,
                    // No other character is allowed in a header.
                    ' '..='~' => f.write_char(c)?,
                    _ => f.write_char('?')?,
                }
            }
            f.write_char('"')?;
        }
        Ok(())
    }
}

impl From<Challenge> for Rejection {
    fn from(challenge: Challenge) -> Self {
        Self::unauthorized(&challenge.to_string())
    }
}

#[cfg(test)]
mod tests {
    use crossws_core::http::header::WWW_AUTHENTICATE;

    use super::*;

    #[test]
    fn a_challenge_is_a_401_with_its_header() {
        let challenge = Challenge::basic("a \"b\"\né");
        let rejection = Rejection::from(challenge);
        assert_eq!(rejection.status(), 401);
        assert_eq!(
            rejection.response().headers()[WWW_AUTHENTICATE],
            r#"Basic realm="a \"b\"??", charset="UTF-8""#
        );
    }

    #[test]
    fn a_parameter_is_given_once() {
        let challenge = Challenge::bearer().realm("a").scope("x y").realm("b");
        assert_eq!(challenge.to_string(), r#"Bearer scope="x y", realm="b""#);
        assert_eq!(Challenge::bearer().to_string(), "Bearer");
    }
}
