//! Who may post.

use super::*;

#[test]
fn only_a_connections_own_secret_posts() {
    block_on(async {
        let world = World::new();
        let (ann, bob) = (world.open("/room").await, world.open("/room/2").await);
        assert!(!ann.last.contains(&ann.secret) && !ann.id.contains(&ann.secret));
        world.seen();
        let mut forged = ann.secret.clone();
        let last = if forged.ends_with('A') { "B" } else { "A" };
        forged.replace_range(forged.len() - 2..forged.len() - 1, last);
        let resume = ann.last.split('.').next().unwrap().to_owned();
        for secret in [
            "",
            "x",
            &*ann.id,
            &*forged,
            &*resume,
            &*ann.last,
            &*bob.secret,
        ] {
            assert_eq!(world.post_to("/room", secret, "x").await, 401, "{secret}");
        }
        assert_eq!(
            world.server.post("/room").body("x").await.unwrap().status(),
            401
        );
        // Two headers are none.
        let twice = world.server.post("/room").body("x");
        let twice = twice.header("authorization", format!("Bearer {}", ann.secret));
        let twice = twice.header("authorization", format!("Bearer {}", ann.secret));
        assert_eq!(twice.await.unwrap().status(), 401);
        // Another path is another place.
        assert_eq!(world.post_to("/room/2", &ann.secret, "x").await, 401);
        assert_eq!(world.seen(), [""; 0]);
        assert_eq!(world.post(&ann, "close").await, 204);
        world.server.settle().await;
        assert_eq!(world.post(&ann, "x").await, 401);
        assert_eq!(world.seen()[0], "close");
    });
}

#[test]
fn a_secret_counts_only_as_a_bearer_token() {
    block_on(async {
        let world = World::new();
        let mut ann = world.open("/room").await;
        world.seen();
        let secret = ann.secret.clone();
        let post = async |path: &str, value: &str| {
            let post = world.server.post(path).body("x");
            let post = post.header("authorization", value);
            post.await.unwrap().status().as_u16()
        };
        for value in [
            secret.clone(),
            format!("Bearer{secret}"),
            format!("Bearer {secret}="),
            format!("Bearer {secret} x"),
            format!("Bearer {secret}, Bearer {secret}"),
            format!("Bearer {}", secret.to_ascii_lowercase()),
            format!("Bearer \"{secret}\""),
            format!("Basic {secret}"),
            format!("Bearer {}", secret.repeat(100)),
        ] {
            assert_eq!(post("/room", &value).await, 401, "{value}");
        }
        // Neither the query nor a cookie has it.
        let query = format!("/room?secret={secret}&access_token={secret}");
        assert_eq!(post(&query, "").await, 401);
        let cookie = world.server.post("/room").body("x");
        let cookie = cookie.header("cookie", format!("secret={secret}"));
        assert_eq!(cookie.await.unwrap().status(), 401);
        assert_eq!(world.seen(), [""; 0]);
        assert_eq!(post("/room", &format!("bearer {secret}")).await, 204);
        ann.expect("you: x").await;
    });
}
