//! A group whose layer runs before the upgrade.

use serde_json::json;

use crate::World;
use crate::client::{connect_with, refused};

const PATHS: [&str; 2] = ["/_socket/workers/w%201", "/_socket/workers/w%201/logs"];

pub(crate) async fn without_a_user_there_is_no_upgrade(world: &dyn World) {
    for path in PATHS {
        let (status, body) = refused(world, path, &[]).await;
        assert_eq!(
            (status.as_u16(), &*body),
            (401, b"no user".as_slice()),
            "{path}"
        );
    }
}

pub(crate) async fn hooks_see_the_layers_user(world: &dyn World) {
    for path in PATHS {
        let mut client = connect_with(world, path, &[("x-user", "ann")])
            .await
            .unwrap();
        assert_eq!(
            client.json().await,
            json!({ "user": "ann", "worker": "w 1" }),
            "{path}"
        );
    }
}
