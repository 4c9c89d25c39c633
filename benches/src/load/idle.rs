use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Sample;
use super::clients::{Clients, Target, Then};
use super::deck::Deck;
use crate::process::Usage;

/// Connects the clients, lets the server settle, and measures the growth of its memory in bytes, as
/// the sample's `usage.resident`. If `said` is not 0, each client first has one message of that
/// size echoed.
pub(crate) fn hold(target: &Target, count: u32, said: usize) -> io::Result<Sample> {
    // The first connections load code into memory, which must not count.
    drop(connect(target, 16, said)?);
    sleep(Duration::from_millis(500));
    let before = target.process.resident()?;
    let from = Instant::now();
    let _clients = connect(target, count, said)?;
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

fn connect(target: &Target, count: u32, said: usize) -> io::Result<Clients> {
    if said == 0 {
        return Clients::connect(target, count, |_| "/idle/room".to_owned())?.greeted();
    }
    let mut clients = Clients::connect(target, count, |_| "/echo".to_owned())?;
    let deck = Deck::new(said, true);
    for who in 0..count {
        clients.send(who, |out| deck.put(out, who, 0, target.mask()))?;
    }
    let mut missing = count;
    clients.drive(|who, opcode, payload, _| {
        deck.check(opcode, payload, who, 0)?;
        missing -= 1;
        Ok(if missing == 0 {
            Then::Done
        } else {
            Then::Continue
        })
    })?;
    Ok(clients)
}
