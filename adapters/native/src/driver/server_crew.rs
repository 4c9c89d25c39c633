use crate::driver::crew::Crew;
use crate::driver::transport::fan_out::Sleepers;

/// The crew of a server.
pub(crate) type ServerCrew = Crew<Sleepers>;
