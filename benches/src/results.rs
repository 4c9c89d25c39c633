//! The results of a run, as stored in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load::Sample;
use crate::row::Measure;

/// All measurements, row by row. Rows may come from different runs; the values within a row come
/// from one run.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// Keyed by the row's name.
    pub(crate) rows: BTreeMap<String, RowResult>,
}

/// One row.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RowResult {
    /// The machine, and the versions of the servers.
    pub(crate) facts: BTreeMap<String, String>,
    /// Keyed by the peer's name.
    pub(crate) peers: BTreeMap<String, PeerResult>,
}

/// One server in one row, with a value for each round.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PeerResult {
    /// The row's measure: nanoseconds per message, connections per second, or bytes.
    pub(crate) values: Vec<f64>,
    /// User time per message, in nanoseconds.
    pub(crate) user: Vec<f64>,
    /// Wall time per message, in nanoseconds.
    pub(crate) wall: Vec<f64>,
    /// Busy cores.
    #[serde(default)]
    pub(crate) cores: Vec<f64>,
    /// Why there are no values, if there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
}

impl RowResult {
    /// Returns the median of a server that took part.
    pub(crate) fn median(&self, name: &str) -> Option<f64> {
        self.peers.get(name)?.median()
    }
}

impl PeerResult {
    pub(crate) fn add(&mut self, measure: Measure, sample: &Sample) {
        let count = sample.count as f64;
        let cpu = sample.usage.cpu as f64 / count;
        let wall = sample.wall.as_nanos() as f64 / count;
        self.values.push(match measure {
            Measure::Cpu => cpu,
            Measure::Rate => 1e9 / cpu,
            Measure::Wall => wall,
            Measure::Memory => sample.usage.resident as f64 / count,
        });
        self.user.push(sample.usage.user as f64 / count);
        self.wall.push(wall);
        self.cores.push(cpu / wall);
    }

    pub(crate) fn median(&self) -> Option<f64> {
        median(&self.values)
    }

    /// Returns the smallest and the largest value.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let least = self.values.iter().copied().reduce(f64::min)?;
        let most = self.values.iter().copied().reduce(f64::max)?;
        Some((least, most))
    }
}

/// Returns the middle value, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values.get(values.len() / 2 - 1)? + upper) / 2.0)
}
