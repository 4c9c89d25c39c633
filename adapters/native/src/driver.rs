//! One connection's task: its stream, its hooks, and the tasks that write for it.

pub(crate) mod crew;
pub(crate) mod link;
pub(crate) mod outlet;
pub(crate) mod pace;
pub(crate) mod pump;
pub(crate) mod raw;
pub(crate) mod server_crew;
pub(crate) mod stage;
pub(crate) mod task_handle;
pub(crate) mod timer;
pub(crate) mod transport;
