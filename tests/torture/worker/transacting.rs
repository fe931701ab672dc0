//! How a caller mutates two keys in one transaction, and what it reads there.

use std::time::Duration;

use cache_runtime::try_transaction;
use futures_util::future::select;
use tokio::sync::oneshot;

use super::change::Change;
use super::reading::Reading;
use super::repository::{self, Failure};
use super::traffic::Caller;
use crate::clock::Moment;
use crate::keys::{KeySet, Place};
use crate::knobs::{KEYS, SLOW_KEY, takes_fences};
use crate::mutants::Fault;
use crate::record::{Asked, Found, Kind, Read, Record};

impl Caller {
    /// Which of the two it is to be.
    pub(super) fn transaction(&mut self, key: u64) -> Kind {
        let is_slow = key % (KEYS / 2) == SLOW_KEY % (KEYS / 2);
        if takes_fences(key) && !is_slow && self.random.bool() {
            Kind::FencedTransaction
        } else {
            Kind::Transaction
        }
    }

    /// Mutates these keys, reads what is asked for, and commits.
    pub(super) async fn transact(
        mut self,
        change: &Change,
        keys: KeySet,
        kind: Kind,
        snapshot: Option<(u64, u64)>,
    ) -> Result<u64, Failure> {
        let fault = self.fault;
        let body = async move {
            // All under their fences before anything of it is carried out.
            for at in keys.iter().map(Place::of) {
                if kind.needs_fence() {
                    repository::state_fenced(at).await?;
                } else {
                    repository::state(at).await;
                }
            }
            if let Some((key, version)) = snapshot {
                let source = self.source(Duration::ZERO, Duration::ZERO, false);
                self.read_within(key, source.of_snapshot(version)).await;
            } else if self.one_in(3) {
                for key in keys.iter() {
                    self.read_its_own(key).await;
                }
            }
            change.carry_out().await
        };
        match fault {
            Some(Fault::TransactsInName) => body.await,
            Some(Fault::NeverEnds) => never_ending(body).await,
            _ => try_transaction(body).await,
        }
    }

    async fn read_within(&mut self, key: u64, source: super::source::Source) {
        self.read(Reading {
            asked: Asked::Transaction,
            ..Reading::new(key, source)
        })
        .await;
    }

    /// What the transaction has mutated must be what it sees itself.
    async fn read_its_own(&mut self, key: u64) {
        let source = self.source(Duration::ZERO, Duration::ZERO, false);
        let start = Moment::now();
        self.read_within(key, source.clone()).await;
        if source.load_run(key).is_some() || self.fault.is_some() {
            return;
        }
        let what = "from the cache, within a transaction that has mutated it";
        self.journal.push(Record::Read(Read {
            key,
            start,
            end: Moment::now(),
            found: Found::Broken(what.to_owned()),
            load: None,
            local: false,
            asked: Asked::Transaction,
            several: false,
            review: false,
        }));
    }
}

/// A transaction that is left where it has committed.
async fn never_ending(body: impl Future<Output = Result<u64, Failure>>) -> Result<u64, Failure> {
    let (committed, has_committed) = oneshot::channel();
    let scope = Box::pin(try_transaction(async {
        // Its receiver waits.
        let _ = committed.send(body.await);
        std::future::pending::<Result<(), Failure>>().await
    }));
    match select(has_committed, scope).await {
        futures_util::future::Either::Left((committed, scope)) => {
            std::mem::forget(scope);
            committed.unwrap_or(Err(Failure::Asked))
        }
        futures_util::future::Either::Right((ended, _)) => ended.and(Err(Failure::Asked)),
    }
}
