//! The parameters of a path as a type.

use std::borrow::Cow;

use crossws_core::http::StatusCode;
use crossws_core::{Params, Rejection};
use serde::Deserialize;

use crate::request::fields::error::{FieldError, FieldErrorKind};
use crate::request::fields::value::Field;
use crate::request::fields::{Fields, Positions};

/// Reads parameters as a struct or a map by their names, as a tuple by their positions, or as the
/// type of the only one.
pub(crate) fn read<'de, T: Deserialize<'de>>(params: &'de Params) -> Result<T, PathError> {
    let fields = params
        .iter()
        .map(|(name, value)| Field::new(Cow::Borrowed(name), Cow::Borrowed(value)))
        .collect();
    let positions = Positions::Matter;
    T::deserialize(Fields { fields, positions }).map_err(PathError)
}

/// A path's parameters that do not convert to the requested type. As a rejection it is a 400 that
/// names the parameter.
///
/// ```
/// # use crossws_core::*;
/// # use crossws_app::*;
/// # let request = UpgradeRequest::new(http::Request::get("/").body(()).unwrap().into_parts().0);
/// let id: Result<u64, PathError> = request.path_as();
/// assert!(id.is_err(), "the route has no parameter");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the path's parameters: {0}")]
pub struct PathError(FieldError);

impl PathError {
    /// Returns the name of the wrong parameter; `None` if no single one is wrong.
    pub fn field(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// Returns what is wrong.
    pub fn kind(&self) -> &FieldErrorKind {
        &self.0.kind
    }
}

impl From<PathError> for Rejection {
    fn from(error: PathError) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error.to_string()).with_source(error)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn two() -> Params {
        [("room", "r 1"), ("id", "7")].into_iter().collect()
    }

    fn one(value: &str) -> Params {
        [("id", value)].into_iter().collect()
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct At<'a> {
        id: u64,
        room: &'a str,
        more: Option<bool>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Id(u64);

    #[derive(Debug, PartialEq, Deserialize)]
    struct Place(String, Id);

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "kebab-case")]
    enum Side {
        LeftHand,
    }

    #[test]
    fn parameters_are_read_by_name() {
        let params = two();
        let at = At {
            id: 7,
            room: "r 1",
            more: None,
        };
        assert_eq!(read::<At<'_>>(&params).unwrap(), at);
        let map: HashMap<String, String> = read(&params).unwrap();
        assert_eq!(map["room"], "r 1");
    }

    #[test]
    fn parameters_are_read_by_position() {
        let params = two();
        assert_eq!(read::<(String, u8)>(&params).unwrap(), ("r 1".into(), 7));
        assert_eq!(read::<Place>(&params).unwrap(), Place("r 1".into(), Id(7)));
        assert_eq!(read::<Vec<String>>(&params).unwrap(), ["r 1", "7"]);
    }

    #[test]
    fn one_parameter_is_read_alone() {
        assert_eq!(read::<u64>(&one("7")).unwrap(), 7);
        assert_eq!(read::<&str>(&one("7")).unwrap(), "7");
        assert_eq!(read::<Id>(&one("7")).unwrap(), Id(7));
        assert_eq!(read::<Option<i8>>(&one("-7")).unwrap(), Some(-7));
        assert_eq!(read::<Option<i8>>(&Params::default()).unwrap(), None);
        assert_eq!(read::<Side>(&one("left-hand")).unwrap(), Side::LeftHand);
        assert_eq!(read::<(bool,)>(&one("true")).unwrap(), (true,));
        assert_eq!(read::<f32>(&one("1.5")).unwrap(), 1.5);
        assert_eq!(read::<char>(&one("é")).unwrap(), 'é');
        read::<()>(&two()).unwrap();
    }

    #[test]
    fn errors_name_the_parameter() {
        fn wrong<'de, T: Deserialize<'de> + std::fmt::Debug>(params: &'de Params) -> String {
            let text = read::<T>(params).unwrap_err().to_string();
            text.replace("the path's parameters: ", "")
        }
        let bad = [("room", "r"), ("id", "x")].into_iter().collect();
        let number = "`id` is not valid: expected a whole number from 0 on, of 64 bits";
        assert_eq!(wrong::<At<'_>>(&bad), number);
        assert_eq!(wrong::<(String, u64)>(&bad), number);
        assert_eq!(wrong::<u64>(&one("x")), number);
        assert_eq!(wrong::<At<'_>>(&one("7")), "`room` is missing");
        assert_eq!(wrong::<u64>(&two()), "the type wants 1, and there are 2");
        assert_eq!(
            wrong::<(u8, u8, u8)>(&two()),
            "the type wants 3, and there are 2"
        );
        let side = "`id` is not valid: expected one of left-hand";
        assert_eq!(wrong::<Side>(&one("up")), side);
        assert_eq!(
            wrong::<HashMap<String, HashMap<String, String>>>(&one("x")),
            "`id` is not valid: a text cannot be read as a map"
        );
        let rejection = Rejection::from(read::<u64>(&one("x")).unwrap_err());
        assert_eq!(rejection.status(), StatusCode::BAD_REQUEST);
    }
}
