/// Whether a slash at the end of a path matters: see
/// [`Router::trailing_slash`](crate::Router::trailing_slash).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TrailingSlash {
    /// `/chat` and `/chat/` are different paths.
    #[default]
    Matters,
    /// A route for one of them is for the other too, unless that has a route of its own.
    Optional,
}
