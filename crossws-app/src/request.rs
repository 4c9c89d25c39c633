pub(crate) mod cookies;
pub(crate) mod fields;
pub(crate) mod params;
pub(crate) mod path;
pub(crate) mod query;

use std::borrow::Cow;

use crossws_core::http::header::{AUTHORIZATION, COOKIE};
use crossws_core::{Params, Peer, UpgradeRequest};
use serde::Deserialize;

use crate::auth::basic::{self, BasicCredentials};
use crate::auth::token::{NoToken, TokenPlace};
use crate::request::params::PathError;
use crate::request::query::QueryError;

/// Typed access to a request: the path's parameters and the query as types, cookies, and tokens.
/// Each is a method of a [`Peer`] too: [`PeerExt`].
///
/// Every error converts into a [`Rejection`](crossws_core::Rejection) that names what is wrong, so
/// that an `upgrade` hook and a layer can use `?`.
///
/// ```
/// use crossws_app::RequestExt;
/// use crossws_core::{Hooks, Rejection, Upgrade, UpgradeRequest};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct Search {
///     page: u32,
/// }
///
/// struct Results;
///
/// impl Hooks for Results {
///     async fn upgrade(&self, request: &UpgradeRequest) -> Result<Upgrade, Rejection> {
///         let Search { page } = request.query_as()?; // 400 without a number in `page`
///         Ok(Upgrade::new().topic(format!("page {page}")))
///     }
/// }
/// ```
pub trait RequestExt {
    /// Reads the parameters of the path: as a struct or a map by name, as a tuple by position, or
    /// the only one as it is. Values are percent-decoded.
    ///
    /// # Errors
    /// [`PathError`] names the parameter that does not convert or is missing.
    fn path_as<'a, T: Deserialize<'a>>(&'a self) -> Result<T, PathError>;

    /// Reads the query as a struct or a map. A list takes a repeated name; an `Option` may be
    /// missing.
    ///
    /// # Errors
    /// [`QueryError`] names the field that does not convert, is missing, or has several values
    /// where one is wanted.
    fn query_as<'a, T: Deserialize<'a>>(&'a self) -> Result<T, QueryError>;

    /// Returns the cookies, name and value, as they were sent: several `Cookie` headers are one
    /// list. A cookie that is not UTF-8 is skipped.
    fn cookies(&self) -> impl Iterator<Item = (&str, &str)>;

    /// Returns the value of the first cookie with this name. Browsers send the one with the most
    /// specific path first.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.cookie("session"), Some("s1"));
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    fn cookie(&self, name: &str) -> Option<&str>;

    /// Returns the token of the header `Authorization: Bearer …`. Browsers cannot send it with a
    /// WebSocket; other clients should.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.bearer_token()?, "abc");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoToken`] if there is none: as a rejection 401.
    fn bearer_token(&self) -> Result<&str, NoToken>;

    /// Returns the name and the password of the header `Authorization: Basic …` (RFC 7617). They
    /// are only as secret as the connection: use TLS. Browsers send them if a person has entered
    /// them for the page.
    ///
    /// ```
    /// use crossws_app::{NoToken, RequestExt, Router};
    /// use crossws_core::{UpgradeRequest, hooks};
    ///
    /// struct User(String);
    ///
    /// async fn user(request: &UpgradeRequest) -> Result<Option<User>, NoToken> {
    ///     let credentials = request.basic_credentials("rooms")?;
    ///     if !credentials.password_is("open sesame") {
    ///         return Err(credentials.refused());
    ///     }
    ///     Ok(Some(User(credentials.user().to_owned())))
    /// }
    ///
    /// let app = Router::new().authenticate(user).route("/rooms/{id}", hooks());
    /// ```
    ///
    /// # Errors
    /// [`NoToken`] if there are none, or they are not in the RFC's form: as a rejection, a 401 that
    /// asks for those of `realm`.
    fn basic_credentials(&self, realm: &'static str) -> Result<BasicCredentials, NoToken>;

    /// Returns a token in the query, decoded. Proxies write queries to their logs, so that such a
    /// token should be valid once or for seconds.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.query_token("token")?, "abc");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoToken`] if there is none, or it is empty: as a rejection 401.
    fn query_token(&self, name: &'static str) -> Result<Cow<'_, str>, NoToken>;

    /// Returns a token in a cookie, as it was sent.
    ///
    /// ```
    /// # use crossws_core::*;
    /// # use crossws_app::*;
    /// # let request = http::Request::get("/rooms/7?token=abc&page=2")
    /// #     .header("host", "example.com").header("cookie", "session=s1")
    /// #     .header("authorization", "Bearer abc").header("sec-websocket-protocol", "chat.v2, chat.v1")
    /// #     .body(()).unwrap();
    /// # let mut request = UpgradeRequest::new(request.into_parts().0);
    /// assert_eq!(request.cookie_token("session")?, "s1");
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`NoToken`] if there is none, or it is empty: as a rejection 401.
    fn cookie_token(&self, name: &'static str) -> Result<&str, NoToken>;

    /// Returns a token among the subprotocols: the one that follows `marker`. A page can send it
    /// besides cookies and the query: `new WebSocket(url, ["chat.v1", "bearer", token])`.
    ///
    /// The server selects `chat.v1` if it is one of the route's
    /// [protocols](crate::RouteBuilder::protocols), and never the token. A browser fails a
    /// connection if the server selects none of its subprotocols: if there is no other, list the
    /// marker.
    ///
    /// # Errors
    /// [`NoToken`] if the marker is missing or the last one: as a rejection 401.
    fn protocol_token(&self, marker: &'static str) -> Result<&str, NoToken>;
}

impl RequestExt for UpgradeRequest {
    fn path_as<'a, T: Deserialize<'a>>(&'a self) -> Result<T, PathError> {
        params::read(self.params())
    }

    fn query_as<'a, T: Deserialize<'a>>(&'a self) -> Result<T, QueryError> {
        query::read(self.query().unwrap_or_default())
    }

    fn cookies(&self) -> impl Iterator<Item = (&str, &str)> {
        cookies::of(self.values(&COOKIE))
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        let found = self.cookies().find(|(known, _)| *known == name);
        found.map(|(_, value)| value)
    }

    fn bearer_token(&self) -> Result<&str, NoToken> {
        let missing = NoToken(TokenPlace::Authorization);
        let value = self.header(AUTHORIZATION).ok_or(missing)?;
        let (scheme, token) = value.trim().split_once(' ').ok_or(missing)?;
        let token = token.trim_start();
        match scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() {
            true => Ok(token),
            false => Err(missing),
        }
    }

    fn basic_credentials(&self, realm: &'static str) -> Result<BasicCredentials, NoToken> {
        basic::basic(self, realm)
    }

    fn query_token(&self, name: &'static str) -> Result<Cow<'_, str>, NoToken> {
        let token = self.query().and_then(|query| query::first(query, name));
        let token = token.filter(|token| !token.is_empty());
        token.ok_or(NoToken(TokenPlace::Query(name)))
    }

    fn cookie_token(&self, name: &'static str) -> Result<&str, NoToken> {
        let token = self.cookie(name).filter(|token| !token.is_empty());
        token.ok_or(NoToken(TokenPlace::Cookie(name)))
    }

    fn protocol_token(&self, marker: &'static str) -> Result<&str, NoToken> {
        let mut offered = self.protocols();
        let found = offered.find(|protocol| *protocol == marker);
        let token = found.and_then(|_| offered.next());
        token.ok_or(NoToken(TokenPlace::Protocol(marker)))
    }
}

/// Typed access to a peer's request, for hooks: see [`RequestExt`].
///
/// An error in a hook reaches the `error` hook. To refuse the request instead, read in `upgrade`,
/// or let the route require the type: [`RouteBuilder::path`](crate::RouteBuilder::path) and
/// [`RouteBuilder::query`](crate::RouteBuilder::query).
///
/// ```
/// use crossws_app::PeerExt;
/// use crossws_core::{HookResult, Hooks, Peer};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct At {
///     room: u64,
/// }
///
/// struct Room;
///
/// impl Hooks for Room {
///     async fn open(&self, peer: &Peer) -> HookResult {
///         let At { room } = peer.path()?;
///         peer.send(format!("welcome to {room}"))?;
///         Ok(())
///     }
/// }
/// ```
pub trait PeerExt {
    /// Returns the parameters that the route's pattern matched, by name, percent-decoded.
    fn params(&self) -> &Params;

    /// Reads the parameters of the path: see [`RequestExt::path_as`].
    ///
    /// # Errors
    /// As [`RequestExt::path_as`].
    fn path<'a, T: Deserialize<'a>>(&'a self) -> Result<T, PathError>;

    /// Reads the query: see [`RequestExt::query_as`].
    ///
    /// # Errors
    /// As [`RequestExt::query_as`].
    fn query<'a, T: Deserialize<'a>>(&'a self) -> Result<T, QueryError>;

    /// Returns the value of the first cookie with this name: see [`RequestExt::cookie`].
    fn cookie(&self, name: &str) -> Option<&str>;
}

impl PeerExt for Peer {
    fn params(&self) -> &Params {
        self.request().params()
    }

    fn path<'a, T: Deserialize<'a>>(&'a self) -> Result<T, PathError> {
        self.request().path_as()
    }

    fn query<'a, T: Deserialize<'a>>(&'a self) -> Result<T, QueryError> {
        self.request().query_as()
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.request().cookie(name)
    }
}

#[cfg(test)]
mod tests {
    use crossws_core::http::Request;
    use crossws_core::http::header::WWW_AUTHENTICATE;
    use crossws_core::{Bytes, Rejection};

    use super::*;

    /// Returns the request in both forms: as an adapter parses it, and as another server passes it.
    fn requests(target: &str, headers: &[(&str, &[u8])]) -> [UpgradeRequest; 2] {
        let mut builder = Request::get(target);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (parts, ()) = builder.body(()).unwrap().into_parts();
        [
            UpgradeRequest::from_head(target, headers.iter().copied()).unwrap(),
            UpgradeRequest::new(parts),
        ]
    }

    #[test]
    fn cookies_of_several_headers_are_one_list() {
        let headers = [
            ("cookie", "a=1; née=é".as_bytes()),
            ("host", b"x"),
            ("cookie", b"b=\xff; session=s"),
        ];
        for request in requests("/", &headers) {
            let all = [("a", "1"), ("née", "é"), ("session", "s")];
            assert!(request.cookies().eq(all));
            assert_eq!(request.cookie("session"), Some("s"));
            assert_eq!(request.cookie_token("session"), Ok("s"));
            assert_eq!(request.cookie("none"), None);
        }
    }

    #[test]
    fn tokens_are_found_where_clients_put_them() {
        let headers = [
            ("authorization", b"bEARER  abc".as_slice()),
            ("sec-websocket-protocol", b"chat.v1, bearer,jwt.x.y"),
        ];
        for request in requests("/?a=1&token=t%20t", &headers) {
            assert_eq!(request.bearer_token(), Ok("abc"));
            assert_eq!(request.query_token("token").unwrap(), "t t");
            assert_eq!(request.protocol_token("bearer"), Ok("jwt.x.y"));
        }
    }

    #[test]
    fn a_missing_token_is_a_401_with_a_challenge() {
        let headers = [
            ("authorization", b"Basic abc".as_slice()),
            ("sec-websocket-protocol", b"bearer"),
            ("cookie", b"session="),
        ];
        for request in requests("/?token=", &headers) {
            for (missing, text) in [
                (
                    request.bearer_token().unwrap_err(),
                    "no token in the `authorization` header",
                ),
                (
                    request.query_token("token").unwrap_err(),
                    "no token in the query's `token`",
                ),
                (
                    request.cookie_token("session").unwrap_err(),
                    "no token in the cookie `session`",
                ),
                (
                    request.protocol_token("bearer").unwrap_err(),
                    "no token in the subprotocols after `bearer`",
                ),
            ] {
                assert_eq!(missing.to_string(), text);
                let response = Rejection::from(missing).into_response();
                assert_eq!(response.status(), 401);
                assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
                assert_eq!(*response.body(), Bytes::from("unauthorized"));
            }
        }
    }
}
