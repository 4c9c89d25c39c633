use std::io;
use std::time::{Duration, Instant};

use super::Sample;
use crate::process::{Process, Usage};

/// The part of a load that counts. It begins after a while, when buffers have their sizes and code
/// is compiled, and ends with the load.
pub(crate) struct Window {
    process: Process,
    began: Instant,
    warm: Duration,
    time: Duration,
    from: Option<(Instant, Usage, u64)>,
}

impl Window {
    pub(crate) fn new(process: Process, time: Duration) -> Self {
        Self {
            process,
            began: Instant::now(),
            warm: time / 5,
            time,
            from: None,
        }
    }

    /// Returns whether the time is over. Called between messages, `count` of which have been
    /// delivered.
    pub(crate) fn is_over(&mut self, count: u64) -> io::Result<bool> {
        let now = Instant::now();
        match self.from {
            Some((from, ..)) => Ok(now.duration_since(from) >= self.time),
            None if now.duration_since(self.began) >= self.warm => {
                self.from = Some((now, self.process.usage()?, count));
                Ok(false)
            }
            None => Ok(false),
        }
    }

    /// Returns the sample, once everything has been delivered.
    pub(crate) fn end(self, count: u64) -> io::Result<Sample> {
        let (from, before, counted) = self.from.ok_or_else(|| io::Error::other("too short"))?;
        let wall = from.elapsed();
        // The server's work after its last message, up to its next sleep, counts too.
        std::thread::sleep(Duration::from_millis(5));
        Ok(Sample {
            count: count - counted,
            usage: self.process.usage()?.since(before),
            wall,
        })
    }
}
