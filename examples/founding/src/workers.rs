//! `/_socket/workers/{worker}`: a group whose layer finds the user before any upgrade.

use crossws::http::StatusCode;
use crossws::prelude::*;
use serde_json::json;

/// Who is asking, as the group's layer has found out.
pub struct User(String);

impl User {
    /// A user of this name.
    pub fn named(name: impl Into<String>) -> Self {
        Self(name.into())
    }
}

async fn signed_in(request: &mut UpgradeRequest) -> Result<(), Rejection> {
    let Some(user) = request.header("x-user") else {
        return Err(Rejection::new(StatusCode::UNAUTHORIZED, "no user"));
    };
    let user = User::named(user);
    request.attach(user);
    Ok(())
}

struct Worker;

impl Hooks for Worker {
    async fn open(&self, peer: &Peer) -> HookResult {
        let (user, worker) = (peer.attached::<User>()?, peer.path::<String>()?);
        peer.send(Json(json!({ "user": user.0, "worker": worker })))?;
        Ok(())
    }
}

pub(crate) fn routes() -> Router {
    let logs = Router::new().route("", Worker);
    Router::new()
        .before(signed_in)
        .route("", Worker)
        .nest("/logs", logs)
}
