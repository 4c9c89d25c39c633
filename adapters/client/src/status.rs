/// The state of a client.
///
/// ```no_run
/// use crossws_client::{Client, Status, Statuses};
///
/// async fn watch(client: &Client) {
///     let mut statuses: Statuses = client.statuses();
///     while let Some(status) = statuses.next().await {
///         match status {
///             Status::Open => println!("online"),
///             Status::Connecting => println!("one moment"),
///             _ => println!("offline"),
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Status {
    /// A connection is being opened, or the client waits before the next try.
    #[default]
    Connecting,
    /// The connection is open.
    Open,
    /// The client has ended, and does not connect again.
    Closed,
}
