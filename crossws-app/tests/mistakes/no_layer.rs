use crossws_app::Router;
use crossws_core::UpgradeRequest;

async fn admin_only(_: &mut UpgradeRequest) -> bool {
    true
}

async fn user(_: &UpgradeRequest) -> String {
    String::new()
}

fn main() {
    let _ = Router::new().before(admin_only).authenticate(user);
}
