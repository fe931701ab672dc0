//! Invalidations on their way: delivered when the mutation is over, or when it is dropped.

use std::sync::Arc;
use std::time::Duration;

use crate::budget::Budget;
use crate::cache::Cache;
use crate::error::{CacheError, InvalidationError};
use crate::key::{CacheKey, KeyWriter, RenderedKey};
use crate::race::{alongside, together};
use crate::slot::{Reply, Step};
use crate::spans;
use crate::stats::Count;
use crate::store::Payload;
use crate::switch::Mode;
use crate::tags;
use crate::tally::{At, Tally};
use crate::timer;
use crate::token::Token;
use crate::transaction::{self, Mutating, Transaction};

/// The keys that a mutation invalidates.
///
/// Dropping this delivers what was not delivered: the mutation may have committed, whatever became of its caller.
#[derive(Debug)]
pub struct Effects {
    cache: Cache,
    at: At,
    keys: Vec<RenderedKey>,
    /// How each key of a pattern begins.
    patterns: Vec<RenderedKey>,
    fence: Option<Token>,
    /// Whether it is open if the body has committed, or will: it runs, it was cut off, or it failed.
    in_doubt: bool,
    /// The transaction that it began in: while that runs, it is held back there.
    within: Option<Arc<Transaction>>,
    /// How many of the keys that knows already.
    announced: usize,
    /// Whether it is delivered also while it is held back.
    at_once: bool,
}

impl Effects {
    pub(crate) fn new(cache: Cache, at: At) -> Self {
        let within = transaction::around(&cache.inner);
        let mut effects = Self::held_back(cache, at, None);
        effects.within = within;
        effects
    }

    /// Those of a transaction that has ended, by which its fence is lowered if one is given.
    pub(crate) fn held_back(cache: Cache, at: At, fence: Option<Token>) -> Self {
        Self {
            cache,
            at,
            keys: Vec::new(),
            patterns: Vec::new(),
            fence,
            in_doubt: false,
            within: None,
            announced: 0,
            at_once: false,
        }
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    /// The key that is written, of those who write one.
    pub(crate) fn written(&self) -> Option<&RenderedKey> {
        self.keys.first()
    }

    pub(crate) fn add(&mut self, key: RenderedKey) {
        self.keys.push(key);
    }

    /// Adds how each key of a pattern begins.
    pub(crate) fn add_under(&mut self, under: RenderedKey) {
        self.patterns.push(under);
    }

    /// Where it is counted.
    pub(crate) fn at(&self) -> At {
        self.at
    }

    /// How many keys there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The fence that it lowers now.
    pub(crate) fn lowers(&self) -> Option<Token> {
        match self.ending() {
            Ending::Lower(fence) => Some(fence),
            Ending::Invalidate => None,
        }
    }

    /// Whether it began within a transaction.
    pub(crate) fn is_within_transaction(&self) -> bool {
        self.within.is_some()
    }

    /// Adds a key written by a template.
    pub fn key(&mut self, write: impl FnOnce(&mut KeyWriter)) {
        self.add(self.cache.inner.render(write));
    }

    /// Adds a tag written by a template.
    pub fn tag(&mut self, write: impl FnOnce(&mut KeyWriter)) {
        self.add(tags::key(&self.cache.inner, write));
    }

    /// Adds everything under a key written by a template: whatever begins with it and has another segment.
    pub fn pattern(&mut self, write: impl FnOnce(&mut KeyWriter)) {
        let under = self.cache.inner.render(|writer| {
            write(writer);
            writer.literal(":");
        });
        self.patterns.push(under);
    }

    /// Adds a typed key.
    pub fn typed(&mut self, key: &impl CacheKey) {
        self.key(|writer| key.write_key(writer));
    }

    /// Raises a fence over all keys before the body, and keeps it up while the body runs.
    pub fn fence(&mut self) {
        self.fence = Some(match &self.within {
            Some(transaction) => transaction.fence(),
            None => self.cache.inner.tokens.next(),
        });
    }

    /// Leaves the fence standing until it expires: a commit that failed for its caller may still arrive at the database.
    ///
    /// 1. W raises; its COMMIT is sent, and the connection breaks. W gets an error.
    /// 2. W lowers. The slot is empty.
    /// 3. R misses, takes a lease, and loads the old value.
    /// 4. The COMMIT is carried out.
    /// 5. R fills: the old value stays.
    pub fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// Runs the body, between raising and lowering the fence if there is one, and delivers.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any await, everything is delivered. A fence over a body that was cut off half-way is not lowered but
    /// left to expire, as [after an error](Self::doubt).
    pub(crate) async fn run<R>(
        &mut self,
        body: impl Future<Output = R>,
        by_return: impl FnOnce(&R, &mut Self),
    ) -> (R, Result<(), CacheError>) {
        let returned = self.run_body(body).await;
        by_return(&returned, self);
        let delivered = self.deliver().await;
        (returned, delivered)
    }

    /// Runs the body alone, and keeps the fence up meanwhile if there is one.
    ///
    /// # Cancel safety
    ///
    /// That of [`run`](Self::run).
    pub(crate) async fn run_body<R>(&mut self, body: impl Future<Output = R>) -> R {
        self.in_doubt = true;
        // Boxed, and only where there is a fence: it is larger than most bodies.
        let hold = self.fence.map(|fence| Box::pin(self.hold(fence)));
        let returned = alongside(body, async {
            match hold {
                Some(hold) => hold.await,
                None => std::future::pending().await,
            }
        })
        .await;
        self.in_doubt = false;
        returned
    }

    /// Raises the fence. An error means that some keys may be without.
    pub(crate) async fn raise(&mut self) -> Result<(), CacheError> {
        self.announce();
        let Some(fence) = self.fence else {
            return Ok(());
        };
        let inner = &self.cache.inner;
        if inner.mode() == Mode::Detached {
            return Ok(());
        }
        // Of several mutations in a transaction, each finds the fence of those before.
        let step = if self.is_within_transaction() {
            Step::Hold(fence)
        } else {
            Step::Raise(fence)
        };
        let raised = self.step_on_all(step, inner.settings.fence).await;
        raised.into_iter().find_map(Result::err).map_or(Ok(()), Err)
    }

    fn mutating(&self, announced: usize) -> Mutating<'_> {
        Mutating {
            keys: self.keys.get(announced..).unwrap_or_default(),
            patterns: &self.patterns,
            at: self.at,
        }
    }

    /// Tells the transaction that this mutation begins.
    ///
    /// 1. One branch of T mutates a key: its statement is carried out, and its body waits for the answer.
    /// 2. Another branch of T reads the key. If the transaction were told when the body ends, it would be handed what is cached.
    fn announce(&mut self) {
        if let Some(transaction) = &self.within {
            transaction.hold_back(&self.mutating(0), self.fence.is_some());
            self.announced = self.keys.len();
        }
    }

    /// Leaves this mutation, which is over, to its transaction; `false` where it must be delivered here: there is none, or it has
    /// ended, or this is polled outside of it.
    fn leave_to_transaction(&mut self) -> bool {
        let Some(transaction) = &self.within else {
            return false;
        };
        let announced = std::mem::take(&mut self.announced);
        if self.fence.is_some() && !self.in_doubt {
            transaction.settle(self.keys.get(..announced).unwrap_or_default());
        }
        transaction.hold_back(&self.mutating(announced), false);
        transaction.is_entered()
    }

    /// Carries out one step on each key, all at once, within one store budget.
    async fn step_on_all(
        &self,
        step: Step<Payload>,
        ttl: Duration,
    ) -> Vec<Result<Reply<Payload>, CacheError>> {
        let inner = &self.cache.inner;
        let budget = Budget::of(inner.settings.store_budget);
        let steps = self
            .keys
            .iter()
            .map(|key| spans::step(&inner.store, self.at, key, step.clone(), ttl, budget));
        let results = together(steps).await;
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            self.tally().add_error(error);
        }
        results
    }

    /// Renews the fence for as long as this is polled. Never ends.
    async fn hold(&self, fence: Token) {
        let inner = &self.cache.inner;
        loop {
            timer::sleep(inner.settings.fence / 3).await;
            if inner.mode() == Mode::Detached {
                continue;
            }
            // A failure is made good by the next round: a lost fence is raised again.
            self.step_on_all(Step::Hold(fence), inner.settings.fence)
                .await;
        }
    }

    /// What is to be done to each key now.
    fn ending(&self) -> Ending {
        match self.fence {
            Some(fence) if !self.in_doubt => Ending::Lower(fence),
            _ => Ending::Invalidate,
        }
    }

    /// Delivers all keys at once, within one store budget. What the store does not take is queued.
    ///
    /// # Errors
    ///
    /// The first one, after everything was delivered or queued.
    pub(crate) async fn deliver(&mut self) -> Result<(), CacheError> {
        let inner = self.cache.inner.clone();
        let is_held_back = self.leave_to_transaction() && !self.at_once;
        // Asked now, not when the mutation began: it may have been switched on meanwhile.
        if is_held_back || inner.mode() == Mode::Detached {
            self.keys.clear();
            self.patterns.clear();
            return Ok(());
        }
        inner.work_on_recovery();
        inner.follow_fleet();
        let patterns = self.deliver_patterns().await;
        // Keys leave the list when they are delivered, not before: this may be dropped here.
        let results = self.step_on_all(self.ending().step(), Duration::ZERO).await;
        for _ in results.iter().filter(|result| result.is_ok()) {
            self.count(Count::invalidations);
        }
        let mut delivered = results.iter().map(Result::is_ok);
        self.keys.retain(|_| !delivered.next().unwrap_or(false));
        let first_error = results.into_iter().find_map(Result::err);
        self.queue();
        first_error.map_or(patterns, Err)
    }

    /// Delivers the patterns, one after the other. What the store does not take is queued.
    async fn deliver_patterns(&mut self) -> Result<(), CacheError> {
        let inner = self.cache.inner.clone();
        let mut first_error = Ok(());
        // They leave the list when they are delivered or queued, not before: this may be dropped here.
        while let Some(under) = self.patterns.last() {
            let limit = inner.settings.store_budget;
            let delivered = inner.store.invalidate_under(under, limit).await;
            let under = self.patterns.pop();
            match delivered {
                Ok(()) => self.count(Count::invalidations),
                Err(error) => {
                    self.tally().add_error(&error);
                    self.count(Count::invalidations_queued);
                    if let Some(under) = under {
                        inner.queue_pattern(under);
                    }
                    first_error = first_error.and(Err(error));
                }
            }
        }
        first_error
    }

    /// Ends the mutation by storing what it wrote; `false` if another overlapped, so that nothing was stored.
    ///
    /// # Errors
    ///
    /// When the store did not answer. What it did is then not known, and dropping this lowers the fence.
    pub(crate) async fn put(
        &mut self,
        payload: Payload,
        ttl: Duration,
    ) -> Result<bool, CacheError> {
        let Some(fence) = self.fence else {
            return Ok(false);
        };
        self.tally().add_bytes(Count::bytes_written, &payload);
        let mut stored = true;
        for reply in self.step_on_all(Step::Put(fence, payload), ttl).await {
            stored &= matches!(reply?, Reply::Done);
        }
        self.keys.clear();
        self.tally().add_fill(stored);
        Ok(stored)
    }

    /// Leaves what is not delivered to the recovery.
    fn queue(&mut self) {
        for under in std::mem::take(&mut self.patterns) {
            self.count(Count::invalidations_queued);
            self.cache.inner.queue_pattern(under);
        }
        if self.keys.is_empty() {
            return;
        }
        for _ in &self.keys {
            self.count(Count::invalidations_queued);
        }
        let ending = self.ending();
        let keys = std::mem::take(&mut self.keys);
        self.cache.inner.queue_invalidations(keys, ending);
    }

    pub(crate) fn count(&self, count: Count) {
        self.tally().add(count);
    }

    fn tally(&self) -> Tally<'_> {
        Tally::new(&self.cache.inner, self.at)
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        let is_done = self.keys.is_empty() && self.patterns.is_empty();
        if is_done || self.leave_to_transaction() || self.cache.mode() == Mode::Detached {
            return;
        }
        if let Some(store) = self.cache.inner.store.as_embedded() {
            for under in &self.patterns {
                store.invalidate_under(under);
                self.count(Count::invalidations);
            }
            for key in &self.keys {
                store.apply(key, self.ending().step(), Duration::ZERO);
                self.count(Count::invalidations);
            }
        } else {
            self.queue();
        }
    }
}

/// How a mutation of one key ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// What was loaded before is dropped. A fence stays up, tainted.
    Invalidate,
    /// The same, and the fence is taken down.
    Lower(Token),
}

impl Ending {
    pub(crate) fn step(self) -> Step<Payload> {
        match self {
            Self::Invalidate => Step::Invalidate,
            Self::Lower(fence) => Step::Lower(fence),
        }
    }
}

/// Runs a mutation whose caller asked to be told when its invalidation is not in force.
pub(crate) async fn run_or_fail<T, E>(
    effects: &mut Effects,
    body: impl Future<Output = Result<T, E>>,
    by_return: impl FnOnce(&Result<T, E>, &mut Effects),
) -> Result<T, E>
where
    E: From<InvalidationError<T>>,
{
    if let Err(error) = effects.raise().await {
        // Nothing has happened, and nothing will: what was raised is lowered when the effects are dropped.
        return Err(InvalidationError::before(error).into());
    }
    // Where no fence tells before the body, the invalidation must be tried within a transaction as well: when that ends, it is too late
    // to roll it back.
    effects.at_once = effects.fence.is_none();
    match effects.run(body, by_return).await {
        (Ok(value), Err(error)) => Err(InvalidationError::after(value, error).into()),
        (returned, _) => returned,
    }
}
