//! Transactions: what is invalidated within one is held back until it ends.
//!
//! An invalidation that is delivered before the commit is worth nothing:
//!
//! 1. T changes a row within `BEGIN`, and its invalidation completes.
//! 2. R misses, takes a lease, loads the old row, because T has not committed, and fills.
//! 3. T commits. The old value stays.
//!
//! And what is loaded within one is not stored, nor waited for by others, whichever cache it is of. It may be uncommitted, and then
//! rolled back; and it may be old:
//!
//! 1. T begins, and its database takes the snapshot that T reads from here on.
//! 2. W changes a row and commits. Its invalidation completes.
//! 3. T misses, takes a lease (after that invalidation), loads the old row from its snapshot, and would fill.
//!
//! Nor does a call within wait for the load of another: that may wait for the rows that the transaction has locked.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use crate::budget::Budget;
use crate::cache::{Cache, Inner, global};
use crate::control::{self, Asked};
use crate::error::ErrorKind;
use crate::invalidation::Effects;
use crate::key::RenderedKey;
use crate::lock::lock;
use crate::race::together;
use crate::recovery::{CAPACITY, MAX_PATTERNS};
use crate::slot::Step;
use crate::switch::{self, Annotations, Mode};
use crate::tally::{At, Tally};
use crate::timer;
use crate::token::Token;

/// How many keys are sent to the store in one go.
const AT_A_TIME: usize = 256;

thread_local! {
    /// The transactions that the code which runs now is within, the innermost last.
    static ENTERED: RefCell<Vec<Arc<Transaction>>> = const { RefCell::new(Vec::new()) };
}

/// What is held back by one scope.
pub(crate) struct Transaction {
    cache: Cache,
    /// That of all its mutations: on a key which it mutates again and again there stands one.
    fence: Token,
    held: Mutex<Held>,
    /// The one that this is a part of: what is held back here is held back there as well.
    outer: Option<Arc<Self>>,
}

#[derive(Debug, Default)]
struct Held {
    keys: HashMap<RenderedKey, Mutated>,
    /// How each key of a pattern begins.
    patterns: HashMap<RenderedKey, At>,
    /// There is a fence to be kept up.
    is_fenced: bool,
    /// There was more than is kept.
    overflowed: bool,
    has_ended: bool,
}

/// What becomes of a key in the end.
#[derive(Clone, Copy, Debug)]
struct Mutated {
    /// Where its last mutation is counted.
    at: At,
    is_fenced: bool,
    /// How many fenced bodies are not known to have ended well: they run, were cut off, or failed.
    open: usize,
}

/// A mutation that begins within a transaction, or ends there.
pub(crate) struct Mutating<'a> {
    pub(crate) keys: &'a [RenderedKey],
    pub(crate) patterns: &'a [RenderedKey],
    pub(crate) at: At,
}

/// The innermost transaction of this cache that this code runs within.
pub(crate) fn around(inner: &Arc<Inner>) -> Option<Arc<Transaction>> {
    if !Annotations::now().may_be_controlled() {
        return None;
    }
    let found = ENTERED.try_with(|entered| {
        let entered = entered.borrow();
        let of_cache = |of: &&Arc<Transaction>| Arc::ptr_eq(&of.cache.inner, inner);
        entered.iter().rev().find(of_cache).cloned()
    });
    found.ok().flatten()
}

/// Whether this code runs within a transaction of any cache.
pub(crate) fn is_around() -> bool {
    ENTERED.try_with(|entered| !entered.borrow().is_empty()) == Ok(true)
}

/// Whether a key is to be read past the cache here: a transaction around has mutated it, or may have.
pub(crate) fn holds(inner: &Arc<Inner>, key: &RenderedKey) -> bool {
    if !Annotations::now().may_be_controlled() {
        return false;
    }
    let holds =
        |of: &Arc<Transaction>| Arc::ptr_eq(&of.cache.inner, inner) && lock(&of.held).concerns(key);
    ENTERED.try_with(|entered| entered.borrow().iter().any(holds)) == Ok(true)
}

/// Has what is cached under these keys dropped when the transaction around ends.
pub(crate) fn drop_in_the_end(inner: &Arc<Inner>, keys: &[RenderedKey], at: At) {
    if let Some(transaction) = around(inner) {
        let mutating = Mutating {
            keys,
            patterns: &[],
            at,
        };
        transaction.hold_back(&mutating, false);
    }
}

impl Held {
    fn concerns(&self, key: &RenderedKey) -> bool {
        let mut patterns = self.patterns.keys();
        self.overflowed
            || self.keys.contains_key(key)
            || patterns.any(|under| key.as_bytes().starts_with(under.as_bytes()))
    }

    /// The entry of a key, if there is one, or room for one.
    fn key(&mut self, key: &RenderedKey, at: At) -> Option<&mut Mutated> {
        if self.keys.len() >= CAPACITY && !self.keys.contains_key(key) {
            if !self.overflowed {
                tracing::warn!(
                    capacity = CAPACITY,
                    "a transaction mutates more keys than are held back: in its end it moves the epoch of the namespace, which \
                     empties it for every process"
                );
            }
            self.overflowed = true;
            return None;
        }
        let mutated = self.keys.entry(key.clone()).or_insert(Mutated {
            at,
            is_fenced: false,
            open: 0,
        });
        mutated.at = at;
        Some(mutated)
    }

    fn pattern(&mut self, under: &RenderedKey, at: At) {
        if self.patterns.len() >= MAX_PATTERNS && !self.patterns.contains_key(under) {
            self.overflowed = true;
        } else {
            self.patterns.insert(under.clone(), at);
        }
    }
}

impl Transaction {
    fn begin(cache: &Cache) -> Arc<Self> {
        let outer = around(&cache.inner);
        Arc::new(Self {
            cache: cache.clone(),
            fence: match &outer {
                Some(outer) => outer.fence,
                None => cache.inner.tokens.next(),
            },
            held: Mutex::default(),
            outer,
        })
    }

    /// The fence of all its mutations.
    pub(crate) fn fence(&self) -> Token {
        self.fence
    }

    /// Whether this code runs within it. It has then not ended, and will deliver what it holds back.
    pub(crate) fn is_entered(self: &Arc<Self>) -> bool {
        let entered = ENTERED.try_with(|entered| {
            let entered = entered.borrow();
            entered.iter().any(|of| Arc::ptr_eq(of, self))
        });
        entered.unwrap_or(false)
    }

    /// Changes what is held back, here and in those that this is a part of, as far as they have not ended.
    fn change(&self, change: impl Fn(&mut Held)) {
        let mut next = Some(self);
        while let Some(transaction) = next {
            let mut held = lock(&transaction.held);
            if !held.has_ended {
                change(&mut held);
            }
            drop(held);
            next = transaction.outer.as_deref();
        }
    }

    /// Holds back a mutation. Where it `is_fenced`, each of its keys is in doubt from now on, until it is [`settled`](Self::settle).
    pub(crate) fn hold_back(&self, mutating: &Mutating<'_>, is_fenced: bool) {
        self.change(|held| {
            held.is_fenced |= is_fenced;
            for key in mutating.keys {
                if let Some(mutated) = held.key(key, mutating.at)
                    && is_fenced
                {
                    mutated.is_fenced = true;
                    mutated.open += 1;
                }
            }
            for under in mutating.patterns {
                held.pattern(under, mutating.at);
            }
        });
    }

    /// A fenced body has ended well, or has not begun.
    pub(crate) fn settle(&self, keys: &[RenderedKey]) {
        self.change(|held| {
            for key in keys {
                if let Some(mutated) = held.keys.get_mut(key) {
                    mutated.open = mutated.open.saturating_sub(1);
                }
            }
        });
    }

    /// Whether there is a fence to be kept up.
    fn has_fences(&self) -> bool {
        lock(&self.held).is_fenced
    }

    fn fenced(&self) -> Vec<RenderedKey> {
        let held = lock(&self.held);
        let keys = held.keys.iter();
        keys.filter(|(_, mutated)| mutated.is_fenced)
            .map(|(key, _)| key.clone())
            .collect()
    }

    /// Renews the fences of bodies that have ended, for as long as this is polled. Never ends.
    async fn renew_fences(self: Arc<Self>) {
        let inner = &self.cache.inner;
        let life = inner.settings.fence;
        loop {
            timer::sleep(life / 3).await;
            if inner.mode() == Mode::Detached {
                continue;
            }
            for keys in self.fenced().chunks(AT_A_TIME) {
                let budget = Budget::of(inner.settings.store_budget);
                let step = || Step::Hold(self.fence);
                let renewals = keys
                    .iter()
                    .map(|key| inner.store.apply(key, step(), life, budget));
                // A failure is made good by the next round: a lost fence is raised again.
                for error in together(renewals).await.into_iter().filter_map(Result::err) {
                    Tally::new(inner, At::Cache).add_error(&error);
                }
            }
        }
    }

    /// Ends it: what is to be delivered now. Where its end leaves it `in_doubt` whether it has committed, or will, its fences are
    /// left to expire.
    fn end(&self, in_doubt: bool) -> Delivery {
        let Held {
            keys,
            patterns,
            overflowed,
            ..
        } = std::mem::replace(
            &mut *lock(&self.held),
            Held {
                has_ended: true,
                ..Held::default()
            },
        );
        let mut delivery = Delivery {
            cache: self.cache.clone(),
            effects: Vec::new(),
            moves_epoch: false,
        };
        let outer = self.outer.as_ref();
        if let Some(outer) = outer.filter(|outer| outer.is_entered()) {
            if in_doubt {
                outer.change(|held| {
                    for (key, mutated) in &keys {
                        if let Some(held) = held.keys.get_mut(key)
                            && mutated.is_fenced
                        {
                            held.open += 1;
                        }
                    }
                });
            }
            return delivery;
        }
        let inner = &self.cache.inner;
        if inner.mode() == Mode::Detached {
            return delivery;
        }
        if overflowed {
            if let Some(store) = inner.store.as_embedded() {
                store.clear();
            } else {
                inner.recovery.demand_epoch();
                delivery.moves_epoch = true;
            }
            return delivery;
        }
        // Carried out of the one that it is a part of, it must not lower what that one has raised.
        let in_doubt = in_doubt || outer.is_some();
        for (key, mutated) in keys {
            let is_lowered = mutated.is_fenced && mutated.open == 0 && !in_doubt;
            let fence = is_lowered.then_some(self.fence);
            delivery.add(mutated.at, fence, |effects| effects.add(key));
        }
        for (under, at) in patterns {
            delivery.add(at, None, |effects| effects.add_under(under));
        }
        delivery
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").finish_non_exhaustive()
    }
}

/// What was held back, on its way. Dropped, it is delivered as [`Effects`] are.
struct Delivery {
    cache: Cache,
    effects: Vec<Effects>,
    moves_epoch: bool,
}

impl Delivery {
    /// Adds to those that are counted there, and lower this fence.
    fn add(&mut self, at: At, fence: Option<Token>, add: impl FnOnce(&mut Effects)) {
        let has_room = |effects: &&mut Effects| {
            effects.len() < AT_A_TIME && effects.at().is(at) && effects.lowers() == fence
        };
        if let Some(effects) = self.effects.iter_mut().find(has_room) {
            return add(effects);
        }
        let mut effects = Effects::held_back(self.cache.clone(), at, fence);
        add(&mut effects);
        self.effects.push(effects);
    }

    /// Delivers all of it. What the store does not take is queued.
    ///
    /// # Cancel safety
    ///
    /// Dropped, the rest is delivered without it.
    async fn run(mut self) {
        while !self.effects.is_empty() {
            let mut len = 0;
            let fitting = self.effects.iter().take_while(|effects| {
                len += effects.len();
                len <= AT_A_TIME
            });
            let fitting = fitting.count().max(1);
            let mut next: Vec<Effects> = self.effects.drain(..fitting).collect();
            let delivered = together(next.iter_mut().map(Effects::deliver)).await;
            let failed = |delivered: &Result<(), crate::error::CacheError>| matches!(delivered, Err(error) if error.kind() != ErrorKind::Rejected);
            if delivered.iter().any(failed) {
                // The store is away: the rest is queued and not tried, or each part of it would wait for the store's budget.
                break;
            }
        }
        let inner = &self.cache.inner;
        if self.moves_epoch && inner.move_epoch(inner.settings.store_budget).await.is_ok() {
            self.moves_epoch = false;
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if self.moves_epoch {
            self.cache.inner.work_on_recovery();
        }
    }
}

/// One poll of a future within a transaction.
struct Entered {
    /// `false` where this thread ends, and has no place for it any more.
    is_noted: bool,
    asked_around: Asked,
}

impl Entered {
    fn enter(transaction: &Arc<Transaction>) -> Self {
        let noted = ENTERED.try_with(|entered| entered.borrow_mut().push(transaction.clone()));
        Self {
            is_noted: noted.is_ok(),
            asked_around: control::ask(control::asked().within_transaction()),
        }
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        control::ask(self.asked_around);
        if self.is_noted {
            let left = ENTERED.try_with(|entered| entered.borrow_mut().pop());
            drop(left);
        }
    }
}

/// A transaction that has begun.
struct Open<F> {
    transaction: Arc<Transaction>,
    /// `None` when it has ended.
    future: Option<Pin<Box<F>>>,
    /// Keeps the fences up, since there was the first.
    renewal: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// Dropped after the future, also if that panics while it is dropped.
    end: End,
}

/// Delivers when it is dropped, unless that was done.
struct End(Option<Arc<Transaction>>);

impl End {
    fn now(&mut self, in_doubt: bool) -> Option<Delivery> {
        let transaction = self.0.take()?;
        Some(transaction.end(in_doubt))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        drop(self.now(true));
    }
}

impl<F: Future> Open<F> {
    fn begin(cache: &Cache, future: Pin<Box<F>>) -> Self {
        switch::control_annotations();
        let transaction = Transaction::begin(cache);
        Self {
            future: Some(future),
            renewal: None,
            end: End(Some(transaction.clone())),
            transaction,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<F::Output> {
        let Some(future) = &mut self.future else {
            return Poll::Pending;
        };
        let entered = Entered::enter(&self.transaction);
        let polled = future.as_mut().poll(context);
        drop(entered);
        if polled.is_pending() {
            if self.renewal.is_none() && self.transaction.has_fences() {
                self.renewal = Some(Box::pin(self.transaction.clone().renew_fences()));
            }
            if let Some(renewal) = &mut self.renewal {
                // It never ends.
                let _ = renewal.as_mut().poll(context);
            }
        }
        polled
    }
}

impl<F> Open<F> {
    /// Drops the future where it ran: a mutation that is cut off by this is held back, too.
    fn leave(&mut self) {
        let _entered = Entered::enter(&self.transaction);
        self.future = None;
    }
}

impl<F> Drop for Open<F> {
    fn drop(&mut self) {
        if self.future.is_some() {
            self.leave();
        }
    }
}

/// Runs a future within a transaction. It comes boxed: what is pinned in here would stand twice in this future, and four times in one
/// around it.
async fn run<F: Future>(
    cache: &Cache,
    future: Pin<Box<F>>,
    is_in_doubt: impl FnOnce(&F::Output) -> bool,
) -> F::Output {
    let mut open = Open::begin(cache, future);
    let output = std::future::poll_fn(|context| open.poll(context)).await;
    open.leave();
    let delivery = open.end.now(is_in_doubt(&output));
    if let Some(delivery) = delivery {
        Box::pin(delivery.run()).await;
    }
    output
}

impl Cache {
    /// Holds back what is invalidated within `future` until that has ended, and delivers it before this returns: for mutations that
    /// take effect together, with the `COMMIT` of a transaction of the source. Begin that transaction within `future`, and commit it there.
    ///
    /// An invalidation that is delivered before the commit is undone by the next reader: he loads the old value, and fills. With this,
    /// when the transaction has returned, no cached read that starts later, in any process, returns a value loaded before its end.
    ///
    /// # What holds within
    ///
    /// It holds for whatever `future` awaits on this cache, annotated functions and direct calls alike, also in all branches of a `join!` or
    /// `select!`, and not for a task that is spawned inside: that invalidates at once, and stores what it loads.
    ///
    /// - **A mutation** runs its body. Its keys, tags and patterns are delivered in the end, each once, whatever became of the mutation.
    ///   A fence is raised before the body as always, and stands until the end.
    /// - **What is written through, or [`put`](Self::put),** is not stored: the transaction may be rolled back. Its key is invalidated in the end
    ///   (`put` returns `false`).
    /// - **A read of what was mutated** goes past the cache: it sees what the transaction sees. So does one with a tag, or under a pattern.
    /// - **Any other read** may be a hit, also a stale one. If it is none, the body runs, and nothing is stored, refreshed, or waited for: what
    ///   is loaded within may be uncommitted, or from a snapshot that is older than an invalidation which has completed. That goes for
    ///   calls on other caches, too; [`Stats::bypasses_transaction`](crate::Stats::bypasses_transaction) counts them.
    ///   `stale_if_error` and `timeout` have no effect then.
    /// - [`bypass`](crate::bypass) and [`only_cached`](crate::only_cached) mean what they always mean. [`refresh`](crate::refresh) is a
    ///   `bypass`, and its key is invalidated in the end.
    /// - **With `on_error = "fail"`** and a fence, a mutation fails before its body, as always. Without a fence its invalidation is also
    ///   delivered at once, so that it can fail while there is something to roll back.
    /// - **A transaction within** is a part of this one: what it holds back is delivered when this ends. One of another cache ends by itself.
    /// - [`advance_epoch`](Self::advance_epoch) does not wait.
    ///
    /// A mutation of another cache is delivered at once. One that is carried out of `future` and awaited elsewhere delivers for itself.
    ///
    /// # However it ends
    ///
    /// What was held back is delivered after `Ok` and `Err`, after a panic, and when this is dropped: the commit may have been carried out, and an
    /// invalidation too many costs a load. Fences are lowered when `future` has returned, and left to expire after a panic or a drop,
    /// which leave in doubt whether a `COMMIT` is on its way. This cannot tell an `Err` from any other output; use
    /// [`try_transaction`](Self::try_transaction) where fences matter.
    ///
    /// What the store does not take is queued, and in force in this process at once, as that of any mutation. In [`Mode::Detached`], asked
    /// in the end, nothing is delivered.
    ///
    /// # Bounds
    ///
    /// 10 000 keys (tags are keys) and 100 patterns are held back. With more, all reads within go past the cache, and in the end the epoch of
    /// the namespace is moved instead, as by [`advance_epoch`](Self::advance_epoch). The fence of a key beyond the bound is renewed
    /// while its mutation runs, and not afterwards. Keys are sent 256 at a time, each time within one store budget; after the first
    /// that the store does not take, the rest is queued.
    ///
    /// # Cancel safety
    ///
    /// Dropped at any await, everything that was held back is delivered: at once by the embedded store, by a task of the runtime to Redis.
    ///
    /// ```
    /// # use std::sync::atomic::{AtomicU64, Ordering};
    /// # use cache_runtime::{Cache, CacheConfig, cached, invalidates};
    /// # struct Pool;
    /// # impl Pool { async fn begin(&self) -> Result<Tx, DbError> { Ok(Tx) } }
    /// # struct Tx;
    /// # impl Tx { async fn commit(self) -> Result<(), DbError> { Ok(()) } }
    /// # #[derive(Debug)] struct DbError;
    /// # static BALANCE: AtomicU64 = AtomicU64::new(100);
    /// struct Bank {
    ///     cache: Cache,
    ///     pool: Pool,
    /// }
    ///
    /// impl Bank {
    ///     #[cached(key = "balance:<account>", ttl = "1h", cache = self.cache)]
    ///     async fn balance(&self, account: u64) -> Result<u64, DbError> {
    ///         // SQL
    /// #       let _ = account; Ok(BALANCE.load(Ordering::SeqCst))
    ///     }
    ///
    ///     #[invalidates("balance:<account>", cache = self.cache)]
    ///     async fn add(&self, tx: &mut Tx, account: u64, cents: i64) -> Result<(), DbError> {
    ///         // SQL
    /// #       let _ = tx; BALANCE.fetch_add(cents.unsigned_abs(), Ordering::SeqCst); Ok(())
    ///     }
    ///
    ///     async fn transfer(&self, from: u64, to: u64, cents: i64) -> Result<(), DbError> {
    ///         self.cache
    ///             .try_transaction(async {
    ///                 let mut tx = self.pool.begin().await?;
    ///                 self.add(&mut tx, from, -cents).await?;
    ///                 self.add(&mut tx, to, cents).await?;
    ///                 tx.commit().await
    ///             })
    ///             .await
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let bank = Bank { cache: Cache::new(CacheConfig::embedded())?, pool: Pool };
    /// # assert_eq!(bank.balance(1).await.ok(), Some(100));
    /// bank.transfer(1, 2, 500).await.expect("transferred");
    /// # assert_eq!(bank.balance(1).await.ok(), Some(1100));
    /// assert_eq!(bank.cache.stats().invalidations, 2);
    /// # Ok(()) }
    /// ```
    pub fn transaction<F: Future>(&self, future: F) -> impl Future<Output = F::Output> {
        let future = Box::pin(future);
        async move { run(self, future, |_| false).await }
    }

    /// The same, with fences that are left to expire after an `Err`: a `COMMIT` that failed for its caller may still arrive at the database.
    ///
    /// # Errors
    ///
    /// Those of `future`.
    ///
    /// # Cancel safety
    ///
    /// As [`transaction`](Self::transaction).
    pub fn try_transaction<T, E>(
        &self,
        future: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, E>> {
        let future = Box::pin(future);
        async move { run(self, future, Result::is_err).await }
    }
}

/// Holds back what is invalidated within `future` until that has ended: [`Cache::transaction`] of the [global](crate::global) cache, for
/// annotated functions that name no cache of their own.
///
/// # Cancel safety
///
/// Dropped at any await, everything that was held back is delivered.
///
/// ```
/// # use cache_runtime::{cached, invalidates};
/// # #[cached(key = "stock:<item>", ttl = "1h")]
/// # async fn stock(item: u64) -> u64 { item }
/// # #[cached(key = "orders", ttl = "1h")]
/// # async fn orders() -> u64 { 0 }
/// #[invalidates("stock:<item>")]
/// async fn take(item: u64) {
///     // SQL
/// }
///
/// #[invalidates("orders")]
/// async fn order(item: u64) {
///     // SQL
/// #   let _ = item;
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// cache_runtime::transaction(async {
///     // BEGIN
///     take(7).await;
///     order(7).await;
/// #   assert_eq!(cache_runtime::global().stats().invalidations, 0);
///     // COMMIT
/// })
/// .await;
/// assert_eq!(cache_runtime::global().stats().invalidations, 2);
/// # }
/// ```
pub fn transaction<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let future = Box::pin(future);
    async move { run(global(), future, |_| false).await }
}

/// The same, with fences that are left to expire after an `Err`: [`Cache::try_transaction`] of the [global](crate::global) cache.
///
/// # Errors
///
/// Those of `future`.
///
/// # Cancel safety
///
/// As [`transaction`].
pub fn try_transaction<T, E>(
    future: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    let future = Box::pin(future);
    async move { run(global(), future, Result::is_err).await }
}
