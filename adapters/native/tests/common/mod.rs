//! A request, and a runtime whose time stands still.

use std::future::{Pending, pending};
use std::time::{Duration, Instant};

use crossws_native::Runtime;

/// As a program sends it that is no browser.
pub fn request(path: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .into_bytes()
}

/// Time that stands still.
#[derive(Clone)]
pub struct Still(pub Instant);

impl Runtime for Still {
    type Sleep = Pending<()>;

    fn sleep(&self, _: Duration) -> Pending<()> {
        pending()
    }

    fn now(&self) -> Instant {
        self.0
    }
}
