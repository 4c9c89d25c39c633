//! A connection that an upgrade takes, without a runtime's traits.

use std::future::poll_fn;
use std::io::{self, IoSlice};

use crossws_core::Upgrade;
use crossws_native::{Io, RawStream};

/// Returns the upgrade that takes a connection for the suite's application: see `App::taking`.
pub fn take() -> Upgrade {
    Upgrade::take(|mut stream: RawStream| async move {
        let mut bytes = [0; 64];
        poll_fn(|cx| stream.poll_read(cx, &mut bytes)).await?;
        let mut left: &[u8] = b"\x81\x05taken";
        while !left.is_empty() {
            let slices = [IoSlice::new(left)];
            let count = poll_fn(|cx| stream.poll_write_vectored(cx, &slices)).await?;
            left = &left[count..];
        }
        poll_fn(|cx| stream.poll_flush(cx)).await?;
        poll_fn(|cx| stream.poll_shutdown(cx)).await?;
        io::Result::Ok(())
    })
}
