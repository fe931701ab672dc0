//! Races that are seldom met by chance, and are therefore staged.

use std::time::Duration;

use super::mutating::Mutation;
use super::reading::Reading;
use super::traffic::Caller;
use crate::database::Ask;
use crate::knobs::{COLD_KEYS, FENCE, KEYS, LEASE, SLOW_KEY};
use crate::record::{Asked, Kind};

impl Caller {
    /// A mutation ends, and lowers its fence, shortly before another of the same key commits under its own: between two looks of
    /// that one at it.
    pub(super) async fn overlap_mutations(&mut self) {
        let key = self.random.u64(COLD_KEYS / 2..SLOW_KEY / 2) * 2;
        let mut other = self.fork();
        let (before, later) = (self.up_to(FENCE / 3), self.up_to(FENCE / 12));
        let kind = Kind::FencedOrFail;
        let slow = self.change(Mutation::new(key, kind, before));
        let quick = async {
            tokio::time::sleep(later).await;
            let before = other.up_to_ms(8);
            // Its value must not stay: the slow one commits after it.
            let kind = if other.one_in(3) { Kind::Through } else { kind };
            other.change(Mutation::new(key, kind, before)).await;
        };
        tokio::join!(slow, quick);
    }

    /// A mutation raises its fence when a load is about to take its lease, or has it; and that load ends, or fails and gives its
    /// lease back, before the mutation commits. Then the next load may fill what it still finds, which is
    /// read until after the commit.
    pub(super) async fn overtake_a_load(&mut self) {
        let key = self.random.u64(0..COLD_KEYS / 2) * 2;
        let before = self.up_to_ms(4);
        // Leaves the slot empty, so that the load is likely to take the lease.
        self.change(Mutation::new(key, Kind::Plain, before)).await;
        let mut other = self.fork();
        let (there, back) = (self.up_to_ms(10), self.up_to(FENCE / 8));
        let fails = self.random.bool();
        let load = async {
            let source = self.source(there, back, fails);
            self.read(Reading::new(key, source)).await;
            for _ in 0..8 {
                let source = self.source(Duration::ZERO, Duration::ZERO, false);
                self.read(Reading::new(key, source)).await;
                let pause = self.up_to(FENCE / 12);
                tokio::time::sleep(pause).await;
            }
        };
        let mutation = async {
            // At once, the fence is raised between the look at the empty slot and the lease.
            if other.random.bool() {
                let later = other.up_to(FENCE / 16);
                tokio::time::sleep(later).await;
            }
            let before = FENCE / 10 + other.up_to(FENCE / 5);
            let kind = other.one_in(4).then(|| other.pattern());
            let mutation = Mutation::new(key, kind.unwrap_or(Kind::FencedOrFail), before);
            // Long after its commit, so that what was filled is read.
            let after = FENCE / 5;
            other.change(Mutation { after, ..mutation }).await;
        };
        tokio::join!(load, mutation);
    }

    /// A load goes on that was overtaken shortly before its lease is renewed: the slot is likely to be empty then.
    pub(super) async fn overtake_a_renewed_lease(&mut self) {
        let key = self.random.u64(0..COLD_KEYS);
        let before = self.up_to_ms(4);
        self.change(Mutation::new(key, Kind::Plain, before)).await;
        let mut other = self.fork();
        let renewed = LEASE / 3;
        let (there, back) = (self.up_to_ms(8), renewed + self.up_to(renewed / 2));
        let reading = Reading::new(key, self.source(there, back, false));
        let load = self.read(reading);
        let mutation = async {
            let before = renewed * 4 / 5 + other.up_to(renewed / 5);
            let kind = other.one_in(3).then(|| other.pattern());
            let kind = kind.unwrap_or(Kind::Plain);
            other.change(Mutation::new(key, kind, before)).await;
        };
        tokio::join!(load, mutation);
    }

    /// A write-through has committed, and takes its time; another mutation commits meanwhile, and tells. What was written first must
    /// not be stored.
    pub(super) async fn overtake_a_write_through(&mut self) {
        let key = self.random.u64(COLD_KEYS / 2..SLOW_KEY / 2) * 2;
        let slowest = Duration::from_millis(60);
        let mut other = self.fork();
        let first = Mutation::new(key, Kind::Through, self.up_to_ms(4));
        let first = self.change(Mutation {
            after: slowest,
            ..first
        });
        let second = async {
            let kind = if other.one_in(3) {
                other.pattern()
            } else {
                Kind::Plain
            };
            let before = other.up_to(slowest / 2);
            other.change(Mutation::new(key, kind, before)).await;
        };
        tokio::join!(first, second);
    }

    /// A value is replaced by what a refresh has loaded, while a mutation commits and takes its time to tell; and a second refresh
    /// may begin in between. In a cold slot, an invalidation is not soon followed by a load.
    pub(super) async fn overtake_a_refresh(&mut self) {
        let is_cold = self.random.bool();
        let key = if is_cold {
            self.random.u64(0..COLD_KEYS)
        } else {
            self.random.u64(COLD_KEYS..KEYS)
        };
        let source = self.source(Duration::ZERO, Duration::ZERO, false);
        self.read(Reading::new(key, source)).await;

        let slowest = Duration::from_millis(60);
        let [mut writer, mut another] = [self.fork(), self.fork()];
        let (there, back) = (self.up_to_ms(8), self.up_to(slowest));
        let first = self.refresh(key, there, back);
        let mutation = async {
            let kind = if writer.one_in(3) {
                writer.pattern()
            } else {
                Kind::Plain
            };
            let mutation = Mutation::new(key, kind, writer.up_to(slowest / 3));
            let after = if writer.random.bool() {
                slowest * 2
            } else {
                slowest / 3
            };
            writer.change(Mutation { after, ..mutation }).await;
        };
        let second = async {
            if another.random.bool() {
                let later = another.up_to(slowest * 2 / 3);
                tokio::time::sleep(later).await;
                let back = another.up_to(slowest);
                another.refresh(key, Duration::ZERO, back).await;
            }
        };
        tokio::join!(first, mutation, second);
    }

    /// A transaction has taken its snapshot, and then another mutation commits and tells. What the transaction reads now is older than
    /// that. In a cold slot, it is likely to be alone.
    pub(super) async fn read_an_old_snapshot(&mut self) {
        let key = self.random.u64(0..COLD_KEYS);
        let Some(version) = self.database.ask(Ask::Read { key }).await else {
            return;
        };
        let before = self.up_to_ms(4);
        self.change(Mutation::new(key, Kind::Plain, before)).await;
        // Of neither of its two keys.
        let (other, before) = ((key + 5) % (KEYS / 2), self.up_to_ms(8));
        self.change(Mutation {
            snapshot: Some((key, version)),
            ..Mutation::new(other, Kind::Transaction, before)
        })
        .await;
        let source = self.source(Duration::ZERO, Duration::ZERO, false);
        self.read(Reading::new(key, source)).await;
    }

    async fn refresh(&mut self, key: u64, there: Duration, back: Duration) {
        let reading = Reading::new(key, self.source(there, back, false));
        self.read(Reading {
            asked: Asked::Refresh,
            ..reading
        })
        .await;
    }
}
