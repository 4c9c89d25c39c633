use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Sample;
use super::clients::{Clients, Target};
use crate::process::Usage;

/// Connects the clients, lets the server settle, and counts what its memory grew by, in bytes: the
/// sample's `usage.resident`.
pub(crate) fn hold(target: &Target, count: u32) -> io::Result<Sample> {
    let path = |_| "/idle/room".to_owned();
    // What the first connections bring into memory is code, not theirs.
    drop(Clients::connect(target, 16, path)?.greeted()?);
    sleep(Duration::from_millis(500));
    let before = target.process.resident()?;
    let from = Instant::now();
    let _clients = Clients::connect(target, count, path)?.greeted()?;
    let wall = from.elapsed();
    sleep(Duration::from_secs(2));
    let grown = target.process.resident()?.saturating_sub(before);
    Ok(Sample {
        count: u64::from(count),
        usage: Usage {
            resident: grown,
            ..Usage::default()
        },
        wall,
    })
}
