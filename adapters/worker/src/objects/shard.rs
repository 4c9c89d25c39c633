use std::fmt;

use crossws_core::UpgradeRequest;

/// A function for [`Shard::ByNamespace`]: see [`Shard`].
pub type NameByNamespace = Box<dyn Fn(&str) -> String>;

/// A function for [`Shard::ByRequest`]: see [`Shard`].
pub type NameByRequest = Box<dyn Fn(&UpgradeRequest, &str) -> String>;

/// Which object a connection lives in. An object is the unit of scale: one thread, one place on
/// the network, and the reach of every publish.
///
/// ```no_run
/// use crossws_worker::{Objects, Shard};
/// use worker::{Env, Result};
///
/// /// Every namespace `/rooms/EU/..` in one object, and so on.
/// fn rooms(env: &Env) -> Result<Objects> {
///     let region = |namespace: &str| namespace.split('/').nth(2).unwrap_or_default().to_owned();
///     Ok(Objects::new(env, "ROOM")?.shard(Shard::ByNamespace(Box::new(region))))
/// }
/// ```
#[non_exhaustive]
#[derive(Default)]
pub enum Shard {
    /// One object per namespace. The default.
    #[default]
    Namespace,
    /// One object for everything, under this name.
    One(String),
    /// One object per name that this function returns for the namespace: several namespaces share
    /// an object, or the names are spread over a fixed number of them.
    ByNamespace(NameByNamespace),
    /// One object per name that this function returns for the request and its namespace. Publishing
    /// from outside must then name the object.
    ByRequest(NameByRequest),
}

impl Shard {
    /// Returns the object's name for a connection.
    pub(crate) fn of(&self, request: &UpgradeRequest, namespace: &str) -> String {
        match self {
            Self::Namespace => namespace.to_owned(),
            Self::One(name) => name.clone(),
            Self::ByNamespace(name) => name(namespace),
            Self::ByRequest(name) => name(request, namespace),
        }
    }

    /// Returns the object's name for a namespace, or `None` if the namespace alone does not decide.
    pub(crate) fn of_namespace(&self, namespace: &str) -> Option<String> {
        match self {
            Self::Namespace => Some(namespace.to_owned()),
            Self::One(name) => Some(name.clone()),
            Self::ByNamespace(name) => Some(name(namespace)),
            Self::ByRequest(_) => None,
        }
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Namespace => f.write_str("Namespace"),
            Self::One(name) => f.debug_tuple("One").field(name).finish(),
            Self::ByNamespace(_) => f.write_str("ByNamespace(..)"),
            Self::ByRequest(_) => f.write_str("ByRequest(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(shard: &Shard) -> (String, Option<String>) {
        let request = http::Request::get("/ws?to=7").body(()).unwrap();
        let request = UpgradeRequest::new(request.into_parts().0);
        (shard.of(&request, "/room"), shard.of_namespace("/room"))
    }

    #[test]
    fn upgrades_and_publishes_meet_in_one_object() {
        let by_namespace = Shard::ByNamespace(Box::new(|name| name.len().to_string()));
        for (shard, name) in [
            (Shard::default(), "/room"),
            (Shard::One("all".to_owned()), "all"),
            (by_namespace, "5"),
        ] {
            assert_eq!(names(&shard), (name.to_owned(), Some(name.to_owned())));
        }
    }

    #[test]
    fn a_request_decides_and_a_namespace_alone_does_not() {
        let shard = Shard::ByRequest(Box::new(|request, namespace| {
            format!("{namespace}#{}", request.query().unwrap_or_default())
        }));
        assert_eq!(names(&shard), ("/room#to=7".to_owned(), None));
    }
}
