//! What the callers do: mostly read, now and then mutate; some are dropped, some fail.

use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;

use super::journal::Journal;
use super::mutating::Mutation;
use super::reading::Reading;
use super::switch::Switch;
use crate::database::{Database, Fate};
use crate::knobs::THINK;
use crate::mutants::Fault;
use crate::record::Kind;

/// One of those who call at the same time.
pub(super) struct Caller {
    pub(super) database: Arc<Database>,
    pub(super) journal: Arc<Journal>,
    pub(super) switch: Arc<Switch>,
    pub(super) random: Rng,
    pub(super) fault: Option<Fault>,
}

impl Caller {
    /// Calls until the process is to rest.
    pub(super) async fn call_on(mut self) {
        while !self.journal.rests() {
            let think = self.up_to(THINK);
            tokio::time::sleep(think).await;
            if self.random.u8(0..100) < 98 {
                if self.one_in(12) {
                    self.read_several().await;
                } else {
                    let reading = self.reading();
                    self.read(reading).await;
                }
                continue;
            }
            match self.random.u32(0..1000) {
                0..25 => self.overlap_mutations().await,
                25..185 => Box::pin(self.overtake_a_load()).await,
                185..250 => Box::pin(self.overtake_a_renewed_lease()).await,
                250..350 => Box::pin(self.overtake_a_refresh()).await,
                350..395 => self.overtake_a_write_through().await,
                395..425 => Box::pin(self.read_an_old_snapshot()).await,
                _ => self.mutate().await,
            }
        }
    }

    /// Another, for what this one does at the same time.
    pub(super) fn fork(&mut self) -> Self {
        Self {
            database: self.database.clone(),
            journal: self.journal.clone(),
            switch: self.switch.clone(),
            random: self.random.fork(),
            fault: self.fault,
        }
    }

    /// Reads a key when all is over.
    pub(super) async fn review(&mut self, key: u64) {
        let source = self.source(Duration::ZERO, Duration::ZERO, false);
        let reading = Reading::new(key, source);
        self.read(Reading {
            review: true,
            ..reading
        })
        .await;
    }

    /// A mutation that its process does not survive.
    pub(super) async fn die(&mut self, key: u64, after_ms: u64) {
        let before = Duration::from_millis(after_ms);
        let kind = if self.random.bool() {
            Kind::FencedOrFail
        } else {
            Kind::FencedTransaction
        };
        self.change(Mutation {
            fate: Fate::CommitAndKill,
            ..Mutation::new(key, kind, before)
        })
        .await;
    }

    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.random.u32(0..n) == 0
    }

    pub(super) fn up_to(&mut self, most: Duration) -> Duration {
        most.mul_f64(self.random.f64())
    }

    pub(super) fn up_to_ms(&mut self, most: u64) -> Duration {
        self.up_to(Duration::from_millis(most))
    }
}
