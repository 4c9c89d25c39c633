//! Names and passwords in the `Authorization` header (RFC 7617).

use base64::Engine as _;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use crossws_core::UpgradeRequest;
use crossws_core::http::header::AUTHORIZATION;

use crate::auth::token::{NoToken, TokenPlace};

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A name and a password that a client has sent: see
/// [`RequestExt::basic_credentials`](crate::RequestExt::basic_credentials). Its `Debug` shows
/// neither.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// fn user(credentials: &BasicCredentials) -> Option<&str> {
///     credentials.password_is("open sesame").then(|| credentials.user())
/// }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct BasicCredentials {
    realm: &'static str,
    /// Name and password, with a colon between them.
    text: String,
    colon: usize,
}

impl BasicCredentials {
    /// Returns the name. It contains no colon, and may be empty.
    pub fn user(&self) -> &str {
        &self.text[..self.colon]
    }

    /// Returns the password, which may be empty. To compare it use [`password_is`](Self::password_is).
    pub fn password(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// Returns whether the password is this one. The time that this takes does not depend on where
    /// they differ.
    pub fn password_is(&self, expected: &str) -> bool {
        let password = self.password().as_bytes();
        let pairs = password.iter().zip(expected.as_bytes());
        let difference = pairs.fold(0, |difference, (a, b)| difference | (a ^ b));
        password.len() == expected.len() && std::hint::black_box(difference) == 0
    }

    /// Returns the error for wrong credentials: as a rejection, a 401 with the same challenge as
    /// for missing ones.
    pub fn refused(&self) -> NoToken {
        NoToken(TokenPlace::Basic(self.realm))
    }
}

crossws_core::opaque_debug!(BasicCredentials);

pub(crate) fn basic(
    request: &UpgradeRequest,
    realm: &'static str,
) -> Result<BasicCredentials, NoToken> {
    let credentials = || {
        let (scheme, encoded) = request.header(AUTHORIZATION)?.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = BASE64.decode(encoded.trim_start()).ok()?;
        let text = String::from_utf8(text).ok()?;
        // Section 2: neither may have control characters.
        if text.chars().any(char::is_control) {
            return None;
        }
        let colon = text.find(':')?;
        Some(BasicCredentials { realm, text, colon })
    };
    credentials().ok_or(NoToken(TokenPlace::Basic(realm)))
}

#[cfg(test)]
mod tests {
    use crossws_core::Rejection;
    use crossws_core::http::Request;
    use crossws_core::http::header::WWW_AUTHENTICATE;

    use super::*;

    fn read(header: Option<&str>) -> Result<BasicCredentials, NoToken> {
        let mut request = Request::get("/");
        if let Some(header) = header {
            request = request.header(AUTHORIZATION, header);
        }
        let parts = request.body(()).unwrap().into_parts().0;
        basic(&UpgradeRequest::new(parts), "rooms")
    }

    #[test]
    fn a_name_and_a_password_are_read() {
        // The first two are the RFC's own examples.
        for (header, user, password) in [
            (
                "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
                "Aladdin",
                "open sesame",
            ),
            ("basic dGVzdDoxMjPCow==", "test", "123£"),
            (
                "BASIC   QWxhZGRpbjpvcGVuIHNlc2FtZQ",
                "Aladdin",
                "open sesame",
            ),
            ("Basic YTpiOmM=", "a", "b:c"),
            ("Basic Og==", "", ""),
        ] {
            let credentials = read(Some(header)).unwrap();
            assert_eq!(
                (credentials.user(), credentials.password()),
                (user, password)
            );
            assert!(credentials.password_is(password));
            assert!(!credentials.password_is("other"));
            assert!(!credentials.password_is(&format!("{password}x")));
        }
    }

    #[test]
    fn anything_else_is_a_401_with_a_challenge() {
        for header in [
            None,
            Some("Basic"),
            Some("Bearer QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            Some("Basic QWxhZGRpbg=="), // no colon
            Some("Basic !!!"),
            Some("Basic YTpi/w=="), // no UTF-8
            Some("Basic YQo6Yg=="), // a line feed
        ] {
            let error = read(header).unwrap_err();
            let rejection = Rejection::from(error);
            assert_eq!(rejection.status(), 401, "{header:?}");
            assert_eq!(
                rejection.response().headers()[WWW_AUTHENTICATE],
                r#"Basic realm="rooms", charset="UTF-8""#
            );
        }
    }

    #[test]
    fn what_is_logged_shows_neither() {
        let credentials = read(Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")).unwrap();
        let logged = format!("{credentials:?} {}", credentials.refused());
        assert_eq!(
            logged,
            "BasicCredentials(..) no valid name and password for `rooms`"
        );
    }
}
