use crossws_app::{NoToken, RequestExt, Router, route};
use crossws_core::http::header::WWW_AUTHENTICATE;
use crossws_core::{BoxError, HookResult, UpgradeRequest, hooks};
use crossws_memory::TestServer;

use crate::common::*;

struct User(String);

async fn by_token(request: &UpgradeRequest) -> Result<Option<User>, BoxError> {
    match &*request.query_token("token")? {
        "broken" => Err("the database is gone".into()),
        "good" => Ok(Some(User("ann".to_owned()))),
        _ => Ok(None),
    }
}

async fn by_cookie(request: &UpgradeRequest) -> bool {
    request.cookie("session") == Some("s")
}

async fn by_protocol(request: &UpgradeRequest) -> Result<bool, NoToken> {
    Ok(request.protocol_token("bearer")? == "secret")
}

#[test]
fn only_an_authenticated_user_is_let_in_and_attached() {
    let private = hooks().on_open(|peer| async move {
        let user = peer.attached::<User>()?;
        peer.send(format!("welcome, {}", user.0))?;
        HookResult::Ok(())
    });
    let router = Router::new()
        .authenticate(by_token)
        .route("/private", private);
    let server = TestServer::new(router);
    assert_eq!(answer(&server, "/private?token=good"), "welcome, ann");
    for query in ["", "?token=", "?token=bad", "?token=broken"] {
        let path = format!("/private{query}");
        let refusal = block_on(async { server.connect(&path).await.unwrap_err() });
        let response = refusal.into_response();
        assert_eq!(response.status(), 401, "{query}");
        assert_eq!(response.headers()[WWW_AUTHENTICATE], "Bearer");
        assert_eq!(
            response.body(),
            "unauthorized",
            "no reason goes to the client"
        );
    }
}

#[test]
fn a_yes_or_no_is_enough() {
    let app = route(says("in")).authenticate(by_cookie);
    let server = TestServer::new(Router::new().route("/", app).route("/open", says("open")));
    block_on(async {
        let with = |cookie: &str| server.connect("/").header("cookie", cookie);
        let mut client = with("a=1; session=s").await.unwrap();
        assert_eq!(first_text(&mut client).await, "in");
        assert_eq!(with("session=t").await.unwrap_err().status(), 401);
    });
    assert_eq!(answer(&server, "/open"), "open");
}

#[test]
fn a_token_among_the_subprotocols_is_never_answered() {
    let app = || says("in");
    let router = Router::new()
        .authenticate(by_protocol)
        .route("/chat", route(app()).protocols(["chat.v1"]))
        .route("/marker", route(app()).protocols(["bearer"]))
        .route("/none", app());
    let server = TestServer::new(router);
    let answered = |path: &str, offered: &[&str]| {
        let connect = server.connect(path).protocols(offered);
        let client = block_on(async { connect.await.unwrap() });
        client.protocol().map(str::to_owned)
    };
    let offered = ["chat.v1", "bearer", "secret"];
    assert_eq!(answered("/chat", &offered).as_deref(), Some("chat.v1"));
    assert_eq!(answered("/marker", &offered).as_deref(), Some("bearer"));
    assert_eq!(answered("/none", &offered), None);
    assert_eq!(answered("/chat", &["bearer", "secret"]), None);
    let refused = server.connect("/chat").protocols(["secret", "bearer"]);
    assert_eq!(block_on(async { refused.await.unwrap_err() }).status(), 401);
}

#[test]
fn wrong_and_missing_basic_credentials_get_the_realms_challenge() {
    async fn user(request: &UpgradeRequest) -> Result<Option<String>, NoToken> {
        let credentials = request.basic_credentials("rooms")?;
        match credentials.password_is("open sesame") {
            true => Ok(Some(credentials.user().to_owned())),
            false => Err(credentials.refused()),
        }
    }
    block_on(async {
        let app = Router::new().authenticate(user).route("/", says("in"));
        let server = TestServer::new(app);
        for header in ["", "Basic QWxhZGRpbjpvdGhlcg=="] {
            let refused = server
                .connect("/")
                .header("authorization", header)
                .await
                .unwrap_err();
            assert_eq!(refused.status(), 401);
            let challenge = &refused.response().headers()["www-authenticate"];
            assert_eq!(challenge, r#"Basic realm="rooms", charset="UTF-8""#);
        }
        let aladdin = "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==";
        assert!(
            server
                .connect("/")
                .header("authorization", aladdin)
                .await
                .is_ok()
        );
    });
}
