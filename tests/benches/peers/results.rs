//! Everything that was measured, kept between runs so that one table can be measured anew.

use std::path::PathBuf;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::build::Costs;
use crate::codecs::Codecs;
use crate::measure::Measure;
use crate::stampede::Stampede;
use crate::table::Table;

/// All parts of the page, as far as there are any.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Results {
    tables: Vec<Table>,
    pub(crate) stampede: Option<Stampede>,
    pub(crate) codecs: Option<Codecs>,
    pub(crate) build: Option<Costs>,
}

impl Results {
    /// Those of the last run; none, if there was none or if it was of another form.
    pub(crate) fn load() -> Self {
        let text = std::fs::read(Self::path()).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    pub(crate) fn save(&self) -> Result<()> {
        Ok(std::fs::write(
            Self::path(),
            serde_json::to_vec_pretty(self)?,
        )?)
    }

    /// The table of a measure.
    pub(crate) fn table(&self, measure: Measure) -> Option<&Table> {
        self.tables.iter().find(|table| table.measure == measure)
    }

    pub(crate) fn replace(&mut self, table: Table) {
        self.tables.retain(|old| old.measure != table.measure);
        self.tables.push(table);
    }

    fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("benchmarks.json")
    }
}
