//! Subscriptions that clients ask for: [`rooms`].

mod grant;
mod wire;
mod wrapper;

pub use grant::{Action, Allow, Authorize, Verdict, Wish};
pub use wrapper::{Rooms, rooms};
