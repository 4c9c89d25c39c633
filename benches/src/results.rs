//! What a run found, as it is kept in a file.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::load::Sample;
use crate::rows::Measure;

/// Everything that was measured, row by row. Rows may come from different runs; what stands in one
/// row comes from one.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Results {
    /// By the row's name.
    pub(crate) rows: BTreeMap<String, RowResult>,
}

/// One row.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RowResult {
    /// The machine, and the versions of what ran.
    pub(crate) facts: BTreeMap<String, String>,
    /// By the peer's name.
    pub(crate) peers: BTreeMap<String, PeerResult>,
}

/// One server in one row: a value for each round.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct PeerResult {
    /// What the row is about: nanoseconds for each message, connections a second, or bytes.
    pub(crate) values: Vec<f64>,
    /// User time for each message, nanoseconds.
    pub(crate) user: Vec<f64>,
    /// Time on the wall for each message, nanoseconds.
    pub(crate) wall: Vec<f64>,
    /// Cores that were busy.
    #[serde(default)]
    pub(crate) cores: Vec<f64>,
    /// Why there is no value, where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) failed: Option<String>,
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

    /// The smallest and the largest value.
    pub(crate) fn range(&self) -> Option<(f64, f64)> {
        let least = self.values.iter().copied().reduce(f64::min)?;
        let most = self.values.iter().copied().reduce(f64::max)?;
        Some((least, most))
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some((values.get(values.len() / 2 - 1)? + upper) / 2.0)
}
