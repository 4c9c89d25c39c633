//! Applies to all routes in this folder.

use crossws::http::StatusCode;
use crossws::prelude::*;

/// Rooms have names of letters, digits and spaces.
async fn known(request: &mut UpgradeRequest) -> Result<(), Rejection> {
    let room: String = request.path_as()?;
    match room.chars().all(|c| c.is_alphanumeric() || c == ' ') {
        true => Ok(()),
        false => Err(StatusCode::NOT_FOUND.into()),
    }
}

pub fn layers(routes: Router) -> Router {
    routes.before(known)
}
