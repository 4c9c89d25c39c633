use crossws_core::Upgrade;

fn main() {
    let _ = Upgrade::take(|_: std::net::TcpStream| async {});
}
