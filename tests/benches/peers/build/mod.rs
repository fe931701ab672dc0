//! What a build costs: of 500 functions, and of the crates that they need.

mod functions;
mod project;
mod tree;

use std::time::Duration;

use anyhow::Result;
use serde::{Deserialize, Serialize};

pub(crate) use functions::{FUNCTIONS, Functions};
pub(crate) use tree::Tree;

/// What a project of 500 functions costs, and a project of none.
#[derive(Serialize, Deserialize)]
pub(crate) struct Costs {
    pub(crate) date: String,
    pub(crate) functions: Vec<Functions>,
    pub(crate) trees: Vec<Tree>,
}

impl Costs {
    /// Builds everything, `rounds` times in turns.
    pub(crate) fn measured(rounds: usize, date: &str) -> Result<Self> {
        Ok(Self {
            date: date.to_owned(),
            trees: tree::measured(rounds)?,
            functions: functions::measured(rounds)?,
        })
    }
}

/// In seconds.
fn seconds(times: &[Duration]) -> f64 {
    crate::statistics::median(times.iter().map(Duration::as_secs_f64))
}
