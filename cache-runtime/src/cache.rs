//! The cache: a store, its settings, and what runs on it.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use crate::background::Background;
use crate::backoff::backoff;
use crate::budget::Budget;
use crate::changes::{Changed, Changes};
use crate::codec::{Codec, MessagePack};
use crate::coded::CodedCache;
use crate::config::{CacheConfig, ConfigError, Parts, Settings};
use crate::control;
use crate::envelope::{self, SealError, Unreadable};
use crate::error::{CacheError, ErrorKind, Undelivered};
use crate::fleet::Following;
use crate::flight::Flights;
use crate::form::Bare;
use crate::invalidation::Effects;
use crate::key::{Admits, CacheKey, KeyBuf, KeyWriter, RenderedKey};
use crate::lock::lock;
use crate::outcome::{CacheValue, NotShared, Outcome, ResultOf, ResultOfOption};
use crate::per_site::PerSite;
use crate::policy::Policy;
use crate::race::within;
use crate::read_through::{Call, Replacing, Start, read_through, start};
use crate::recovery::Recovery;
use crate::site::call_sites;
use crate::slot::{Reply, Step};
use crate::spans;
use crate::staleness::{Age, Aged, Freshness};
use crate::stats::{Count, Counters, Stats};
use crate::store::{Payload, Store};
use crate::storing::Every;
use crate::switch::{self, Mode, Switch};
use crate::tally::{At, Counted, Tally};
use crate::token::Tokens;
use crate::transaction;
use crate::verify::Verifications;

/// A cache. Cloning it is cheap and gives another handle to the same cache.
///
/// Annotated functions use the [global](global) one. A cache of one's own serves code without annotations:
///
/// ```
/// use std::time::Duration;
/// use cache_runtime::{Cache, CacheConfig, Key, Policy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::new(CacheConfig::embedded())?;
/// let key = Key::of("user").part(&42_u64);
/// let policy = Policy::new(Duration::from_secs(3600));
///
/// for _ in 0..3 {
///     // The first call loads, the others hit.
///     let name = cache.get_or_load(&key, policy, || async { Ok::<_, std::io::Error>("Ada".to_owned()) }).await?;
///     assert_eq!(name, "Ada");
/// }
/// assert_eq!(cache.stats().loads, 1);
/// assert_eq!(cache.stats().hits, 2);
///
/// cache.invalidate(&key).await?;
/// assert_eq!(cache.get::<String>(&key, policy).await?, None);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Cache {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    pub(crate) flights: Arc<Flights>,
    pub(crate) replacing: Arc<Replacing>,
    pub(crate) verifications: Verifications,
    pub(crate) recovery: Recovery,
    pub(crate) changes: Arc<Changes>,
    /// Of direct calls, and of what it does by itself.
    pub(crate) counters: Counters,
    /// Of the annotated functions that name it.
    pub(crate) per_site: PerSite,
    pub(crate) tokens: Tokens,
    pub(crate) switch: Switch,
    /// One change of the switch at a time.
    pub(crate) switching: Mutex<()>,
    pub(crate) following: Following,
    /// Whether a census is being taken.
    pub(crate) census: AtomicBool,
    background: Background,
    /// Why this cache stands in for the one that could not be made.
    misconfigured: Option<ConfigError>,
    prefix: KeyBuf,
}

impl Cache {
    /// Makes a cache. Nothing is connected yet: the first call does that.
    ///
    /// # Errors
    ///
    /// When a setting is out of bounds; the error names it.
    pub fn new(config: CacheConfig) -> Result<Self, ConfigError> {
        Ok(Self::assemble(config.into_parts()?, None))
    }

    fn assemble(parts: Parts, misconfigured: Option<ConfigError>) -> Self {
        let Parts {
            store,
            settings,
            changes,
            mode,
            prefix,
        } = parts;
        store.set_detached(mode == Mode::Detached);
        Self {
            inner: Arc::new(Inner {
                store,
                settings,
                flights: Arc::default(),
                replacing: Arc::default(),
                verifications: Verifications::default(),
                recovery: Recovery::default(),
                changes,
                counters: Counters::new(),
                per_site: PerSite::default(),
                tokens: Tokens::new(),
                switch: Switch::new(mode),
                switching: Mutex::new(()),
                following: Following::default(),
                census: AtomicBool::new(false),
                background: Background::default(),
                misconfigured,
                prefix: KeyBuf::of(&prefix),
            }),
        }
    }

    /// Answers from the cache, or runs `load` and stores the `Ok` it returns, whatever it holds. For a load that may find
    /// nothing there is [`get_or_load_optional`](Self::get_or_load_optional).
    ///
    /// The same as `#[cached]`, without the macro. `load` runs at most once, in this very future: it needs neither be
    /// `Send` nor `'static`.
    ///
    /// # Errors
    ///
    /// Only those of `load`. With the store gone, this is `load`.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops a running load. Another caller who waits for it takes over; if there is none, the key
    /// is free for the next.
    ///
    /// # Concurrent calls on the same key
    ///
    /// One of them loads, in all processes that share the store; the others wait for it, at most
    /// [`CacheConfig::wait`], and then load without storing. When the load fails, each of those who wait loads itself.
    pub async fn get_or_load<K, T, E, F, L>(&self, key: &K, policy: Policy, load: F) -> Result<T, E>
    where
        K: CacheKey<Admits: Admits<T>> + ?Sized,
        T: CacheValue,
        F: FnOnce() -> L,
        L: Future<Output = Result<T, E>>,
    {
        self.read_through::<_, _, ResultOf, MessagePack>(key, policy, load)
            .await
    }

    /// The same for a source that may have nothing: `Ok(None)` is not stored, or with [`Policy::none_ttl`] for that long.
    ///
    /// What is stored is a `T`, as by a function with `#[cached]` that returns `Result<Option<T>, E>`.
    ///
    /// # Errors
    ///
    /// Only those of `load`.
    ///
    /// # Cancel safety, concurrent calls on the same key
    ///
    /// As [`get_or_load`](Self::get_or_load).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cache_runtime::{Cache, CacheConfig, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// let key = Key::of("user").part(&7_u64);
    /// let policy = Policy::new(Duration::from_secs(3600)).none_ttl(Duration::from_secs(30));
    /// let load = || async { Ok::<Option<String>, std::io::Error>(None) };
    /// assert_eq!(cache.get_or_load_optional(&key, policy, load).await?, None);
    /// assert_eq!(cache.get_or_load_optional(&key, policy, load).await?, None);
    /// assert_eq!(cache.stats().loads, 1);
    /// # Ok(()) }
    /// ```
    pub async fn get_or_load_optional<K, T, E, F, L>(
        &self,
        key: &K,
        policy: Policy,
        load: F,
    ) -> Result<Option<T>, E>
    where
        K: CacheKey<Admits: Admits<T>> + ?Sized,
        T: CacheValue,
        F: FnOnce() -> L,
        L: Future<Output = Result<Option<T>, E>>,
    {
        self.read_through::<_, _, ResultOfOption, MessagePack>(key, policy, load)
            .await
    }

    pub(crate) async fn read_through<R, L, S, C>(
        &self,
        key: &(impl CacheKey + ?Sized),
        policy: Policy,
        load: impl FnOnce() -> L,
    ) -> R
    where
        R: Outcome<S, Value: CacheValue>,
        L: Future<Output = R>,
        C: Codec,
    {
        let inner = &self.inner;
        let asked = control::asked();
        let tally = Tally::new(inner, At::Cache);
        let write = |writer: &mut KeyWriter| key.write_key(writer);
        let (key, verifies) = match start::<R, S>(asked, inner, tally, policy, write) {
            Start::Plain => return load().await,
            Start::Hit(hit) => return hit,
            Start::Through(key) => (key, false),
            Start::ToVerify(key) => (key, true),
        };
        let call = Call::new(inner, key, policy, tally, asked).verifying(verifies);
        let storing = Every::value();
        read_through::<R, S, _, C, Bare>(call, NotShared, storing, async move { load().await })
            .await
    }

    /// This cache, with values encoded by a codec of choice, and not by [`MessagePack`].
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cache_runtime::{Cache, CacheConfig, Key, Policy};
    /// use cache_runtime::MessagePack;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// let cache = cache.with_codec::<MessagePack>(); // or `Json`, or your own
    /// let key = Key::of("price").part(&1_u64);
    /// let policy = Policy::new(Duration::from_secs(300));
    /// cache.put(&key, 9.99, policy).await?;
    /// assert_eq!(cache.get(&key, policy).await?, Some(9.99));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_codec<C: Codec>(&self) -> CodedCache<'_, C> {
        CodedCache::of(self)
    }

    /// Looks a value up, without loading it. `policy` tells which version is asked for; its TTL is of no account. Within a
    /// [`transaction`](Self::transaction) that has mutated the key, there is none.
    ///
    /// # Errors
    ///
    /// When the store cannot be asked. A value that this type cannot be read from is `None`, and counted.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens that could be cut off.
    pub async fn get<T: CacheValue>(
        &self,
        key: &(impl CacheKey<Admits: Admits<T>> + ?Sized),
        policy: Policy,
    ) -> Result<Option<T>, CacheError> {
        self.read::<T, MessagePack>(key, policy).await
    }

    pub(crate) async fn read<T: CacheValue, C: Codec>(
        &self,
        key: &(impl CacheKey + ?Sized),
        policy: Policy,
    ) -> Result<Option<T>, CacheError> {
        let inner = &self.inner;
        if !inner.admits(At::Cache) {
            return Ok(None);
        }
        let tally = Tally::new(inner, At::Cache);
        let counted = Counted::new(tally);
        let mut left = inner.settings.store_budget;
        if !inner.knows_fleet() {
            let budget = Budget::of(left);
            let learned = Box::pin(inner.learn_fleet(At::Cache, left)).await;
            left = budget.left();
            match learned {
                Ok(true) => {}
                Ok(false) => {
                    counted.ends_uncounted();
                    return Ok(None);
                }
                Err(error) => {
                    tally.add_error(&error);
                    counted.ends_as(Count::unanswered);
                    return Err(error.at(key.template()));
                }
            }
        }
        let found = self.find::<T, C>(key, policy, tally, left).await;
        let is_found = matches!(found, Ok(Some(_)));
        counted.ends_as(if is_found {
            Count::hits
        } else {
            Count::unanswered
        });
        found.map(Option::flatten)
    }

    /// Looks a value up, which is `None` if it is known to be absent.
    async fn find<T: CacheValue, C: Codec>(
        &self,
        key: &(impl CacheKey + ?Sized),
        policy: Policy,
        tally: Tally<'_>,
        budget: Duration,
    ) -> Result<Option<Option<T>>, CacheError> {
        let rendered = self.render(key);
        if self.inner.recovery.concerns(&rendered) {
            self.inner.work_on_recovery();
            return Ok(None);
        }
        if transaction::holds(&self.inner, &rendered) {
            return Ok(None);
        }
        let reply = self.look(key, &rendered, budget).await?;
        let Reply::Hit(_, payload) = reply else {
            return Ok(None);
        };
        tally.add_bytes(Count::bytes_read, &payload);
        let version = policy.site_version();
        let Ok((value, age)) = self.inner.open::<T, C>(&rendered, &payload, version) else {
            tally.add(Count::unreadable);
            return Ok(None);
        };
        let is_over = self.inner.freshness(age, policy) == Freshness::Over;
        Ok((!is_over).then_some(value))
    }

    /// Stores a value that the caller has just written to the source.
    ///
    /// Returns whether it was stored: `false` if a mutation or an invalidation of the key overlapped, so that it is not
    /// known which of the two is newer. The key is empty then.
    ///
    /// No other mutation of the key may commit between the caller's write and the return of this: its invalidation could
    /// come and go before this begins, and the older value would be stored. Where writers are not serialised, invalidate
    /// instead. To store what was *read* from the source, use [`get_or_load`](Self::get_or_load), which notices if it
    /// grows old meanwhile.
    ///
    /// Within a [`transaction`](Self::transaction) it is `false`, and the key is invalidated in the end: what was written may be rolled back.
    ///
    /// # Errors
    ///
    /// When the store did not take it, or the value cannot be stored. Whatever stood under the key is then invalidated,
    /// at once or as soon as the store answers.
    ///
    /// # Cancel safety
    ///
    /// A dropped future stores the value or invalidates the key.
    pub async fn put<T: CacheValue>(
        &self,
        key: &(impl CacheKey<Admits: Admits<T>> + ?Sized),
        value: T,
        policy: Policy,
    ) -> Result<bool, CacheError> {
        self.write::<T, MessagePack>(key, value, policy).await
    }

    pub(crate) async fn write<T: CacheValue, C: Codec>(
        &self,
        key: &(impl CacheKey + ?Sized),
        value: T,
        policy: Policy,
    ) -> Result<bool, CacheError> {
        let template = || key.template();
        let rendered = self.render(key);
        self.inner.follow_fleet();
        match self.mode() {
            Mode::Detached => return Err(CacheError::new(ErrorKind::Off).at(template())),
            Mode::Off => return self.invalidate(key).await.map(|()| false),
            // It must not be seen before the commit, and not at all if there is none.
            Mode::On if transaction::around(&self.inner).is_some() => {
                return self.invalidate(key).await.map(|()| false);
            }
            Mode::On => {}
        }
        let version = policy.site_version();
        let payload = self
            .inner
            .payload::<T, C>(&rendered, Some(&value), (version, None));
        let payload = match payload {
            Ok(payload) => payload,
            Err(error) => {
                self.invalidate(key).await?;
                return Err(seal_error(error).at(template()));
            }
        };
        // Dropped before its end, it lowers the fence, which empties the slot.
        let mut effects = Effects::new(self.clone(), At::Cache);
        effects.add(rendered);
        effects.fence();
        let stored = match effects.raise().await {
            Ok(()) => {
                let ttl = self.inner.settings.jittered(policy.ttl());
                effects.put(payload, ttl).await
            }
            Err(error) => Err(error),
        };
        stored.map_err(|error| error.at(template()))
    }

    /// Drops what is cached under a key. A load of it that is running now will not be stored.
    ///
    /// When this has returned `Ok`, no cached read that starts later, in any process sharing the store, returns a value
    /// loaded before. Within a [`transaction`](Self::transaction), that holds when the transaction has returned.
    ///
    /// # Errors
    ///
    /// When the store did not take it in time. It is then queued and retried, and this process reads past the cache
    /// for this key until it is delivered.
    ///
    /// # Cancel safety
    ///
    /// A dropped future is delivered by a task of the runtime.
    pub async fn invalidate(&self, key: &(impl CacheKey + ?Sized)) -> Result<(), CacheError> {
        let mut effects = Effects::new(self.clone(), At::Cache);
        effects.add(self.render(key));
        effects
            .deliver()
            .await
            .map_err(|error| error.at(key.template()))
    }

    /// Drops everything under a key: each entry whose key begins with it and has another segment. `Key::of("dashboard").part(&7)` is
    /// what `#[invalidates("dashboard:7:*")]` says.
    ///
    /// Redis looks through all its keys for it, in small steps between which it serves others; the embedded store looks through
    /// all of its own. For what is dropped often, a [tag](Self::invalidate_tag) costs one key.
    ///
    /// # Errors
    ///
    /// As of [`invalidate`](Self::invalidate); and when the scan has taken longer than two minutes, which is enough for some twenty million keys. At most 100 patterns are queued; beyond that,
    /// the epoch of the namespace is moved instead.
    ///
    /// # Cancel safety
    ///
    /// A dropped future is delivered by a task of the runtime.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cache_runtime::{Cache, CacheConfig, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// # let policy = Policy::new(Duration::from_secs(60));
    /// let user = Key::of("dashboard").part(&7_u64);
    /// let day = user.clone().part("2026-11-23");
    /// cache.put(&day, 1_u64, policy).await?;
    /// cache.invalidate_pattern(&user).await?;
    /// assert_eq!(cache.get::<u64>(&day, policy).await?, None);
    /// # Ok(()) }
    /// ```
    pub async fn invalidate_pattern(
        &self,
        under: &(impl CacheKey + ?Sized),
    ) -> Result<(), CacheError> {
        let mut effects = Effects::new(self.clone(), At::Cache);
        effects.pattern(|writer| under.write_key(writer));
        effects
            .deliver()
            .await
            .map_err(|error| error.at(under.template()))
    }

    /// Drops everything that was stored with a tag, at the cost of one key: see `tags` of [`#[cached]`](macro@crate::cached#tags). What is
    /// being loaded now with this tag will not be taken for current.
    ///
    /// # Errors
    ///
    /// As of [`invalidate`](Self::invalidate).
    ///
    /// # Cancel safety
    ///
    /// A dropped future is delivered by a task of the runtime.
    ///
    /// ```
    /// # use cache_runtime::{Cache, CacheConfig, Key};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// // What `#[invalidates(tag = "tenant:<id>")]` does:
    /// cache.invalidate_tag(&Key::of("tenant").part(&7_u64)).await?;
    /// # Ok(()) }
    /// ```
    pub async fn invalidate_tag(&self, tag: &(impl CacheKey + ?Sized)) -> Result<(), CacheError> {
        let mut effects = Effects::new(self.clone(), At::Cache);
        effects.tag(|writer| tag.write_key(writer));
        effects
            .deliver()
            .await
            .map_err(|error| error.at(tag.template()))
    }

    /// How far this cache is switched on: by the switch of this process, and by that of the [fleet](Self::fleet).
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.inner.switch.mode()
    }

    /// Throws the kill switch of this process. On the [global](global) cache this is the switch of every annotation in it. Switched on, it is on
    /// as far as the [fleet](Self::switch_fleet) is.
    ///
    /// Calls that are under way finish in the mode they began in.
    ///
    /// On the way back from [`Mode::Detached`] the namespace is emptied, as by [`advance_epoch`](Self::advance_epoch): while
    /// detached, mutations left no trace in the store. Until that is done, every read is the plain call.
    ///
    /// # Errors
    ///
    /// Where this cache stands in for one that the environment got wrong.
    pub fn set_mode(&self, mode: Mode) -> Result<(), CacheError> {
        self.set_mode_for(mode, None)
    }

    /// The same, on behalf of somebody.
    pub(crate) fn set_mode_for(&self, mode: Mode, by: Option<&str>) -> Result<(), CacheError> {
        let inner = &self.inner;
        let _turn = lock(&inner.switching);
        if inner.switch.own() == Mode::Detached && mode != Mode::Detached {
            if let Some(error) = &inner.misconfigured {
                return Err(CacheError::because(ErrorKind::Off, error.clone()));
            }
            // In this order:
            //
            // 1. Mutations that end from now on invalidate. One that ended before has committed.
            // 2. What was loaded before that, and the leases of loads that run, are gone, or nothing is read until they are.
            // 3. Reads may fill.
            inner.switch.set(Mode::Off);
            match inner.store.as_embedded() {
                Some(store) => store.clear(),
                None => inner.recovery.demand_epoch(),
            }
        }
        inner.switch.set(mode);
        inner.store.set_detached(mode == Mode::Detached);
        if mode == Mode::Detached {
            inner.recovery.clear();
        }
        self.switch_annotations();
        inner.changes.note(Changed::Switched { mode }, by);
        inner.work_on_recovery();
        inner.follow_fleet_anew();
        Ok(())
    }

    /// Empties the namespace in one step, for every process that shares it: no cached read that starts after this has
    /// returned, in any of them, returns a value loaded before.
    ///
    /// What stood under the old epoch expires by its TTL. While the store answers, this takes about a quarter of a second:
    /// the time after which no process reads what it knew before. For the embedded store it is immediate, and for this
    /// process alone.
    ///
    /// # Errors
    ///
    /// When the store did not take it in time. It is then retried until it does, and this process reads past the cache
    /// meanwhile. [`ErrorKind::Off`] in [`Mode::Detached`], where the store is not contacted; the way back does the same.
    ///
    /// # Cancel safety
    ///
    /// A dropped future is completed by a task of the runtime.
    ///
    /// ```
    /// # use cache_runtime::{Cache, CacheConfig, Key, Policy};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// # let (key, policy) = (Key::of("user").part(&1_u64), Policy::new(std::time::Duration::from_secs(60)));
    /// cache.put(&key, "Ada".to_owned(), policy).await?;
    /// // After a data import that no `#[invalidates]` saw:
    /// cache.advance_epoch().await?;
    /// assert_eq!(cache.get::<String>(&key, policy).await?, None);
    /// # Ok(()) }
    /// ```
    pub async fn advance_epoch(&self) -> Result<(), CacheError> {
        let inner = &self.inner;
        if self.mode() == Mode::Detached {
            return Err(CacheError::new(ErrorKind::Off));
        }
        inner.recovery.demand_epoch();
        // Not moved when this ends, also by being dropped: a task goes on.
        let _goes_on = WorksOnRecovery(inner);
        inner.move_epoch(inner.settings.store_budget).await
    }

    /// Delivers what is still on its way: queued invalidations, and leases that are being given back. Call it when a
    /// process ends, after its last call; what it leaves undelivered is lost with the process.
    ///
    /// The cache can be used on. Calls that run meanwhile are not waited for.
    ///
    /// # Errors
    ///
    /// When something is left after `timeout`: which keys. Their old values may be served by other processes until
    /// their TTL ends.
    ///
    /// # Cancel safety
    ///
    /// Dropped, nothing is lost: it is delivered as without this.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// if let Err(left) = cache_runtime::global().shutdown(Duration::from_secs(5)).await {
    ///     eprintln!("{left}: {}", left.keys().join(", "));
    /// }
    /// # }
    /// ```
    pub async fn shutdown(&self, timeout: Duration) -> Result<(), Undelivered> {
        let inner = &self.inner;
        let drained = async {
            let mut delays = backoff();
            while self.mode() != Mode::Detached && !inner.deliver_once(|| true).await {
                let delay = delays.next().unwrap_or_default();
                within(delay, inner.store.recovered()).await;
            }
            inner.background.ended().await;
        };
        within(timeout, drained).await;
        match inner.recovery.left() {
            (keys, false) if keys.is_empty() => Ok(()),
            (keys, epoch) => Err(Undelivered::new(&keys, epoch)),
        }
    }

    /// What happened in this cache since it was made, by annotated functions and by direct calls.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let inner = &self.inner;
        let parts = inner.per_site.used();
        let own = parts.fold(inner.counters.read(), |sum, (_, part)| sum + part.read());
        if self.is_global() {
            call_sites().fold(own, |sum, site| sum + site.counters.read())
        } else {
            own
        }
    }

    /// Has the annotated functions follow the switch, if this is the cache that they use. To be called while `switching` is held.
    pub(crate) fn switch_annotations(&self) {
        if self.is_global() {
            switch::set_annotations(&self.inner.switch);
        }
    }

    /// Whether the annotated functions use this one.
    pub(crate) fn is_global(&self) -> bool {
        GLOBAL
            .get()
            .is_some_and(|global| Arc::ptr_eq(&global.inner, &self.inner))
    }

    /// How many invalidations the store has not taken yet. At most 10 000 are kept; beyond that, the epoch of the namespace
    /// is moved instead, which counts as one.
    #[must_use]
    pub fn undelivered(&self) -> usize {
        self.inner.recovery.len()
    }

    pub(crate) fn render(&self, key: &(impl CacheKey + ?Sized)) -> RenderedKey {
        self.inner.render(|writer| key.write_key(writer))
    }

    async fn look(
        &self,
        key: &(impl CacheKey + ?Sized),
        rendered: &RenderedKey,
        budget: Duration,
    ) -> Result<Reply<Payload>, CacheError> {
        let (step, ttl, budget) = (Step::Read, Duration::ZERO, Budget::of(budget));
        spans::step(&self.inner.store, At::Cache, rendered, step, ttl, budget)
            .await
            .map_err(|error| {
                Tally::new(&self.inner, At::Cache).add_error(&error);
                error.at(key.template())
            })
    }
}

impl fmt::Debug for Cache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("store", &self.inner.store)
            .field("mode", &self.mode())
            .field("prefix", &self.inner.prefix)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// Why this cache stands in for the one that could not be made.
    pub(crate) fn misconfigured(&self) -> Option<&ConfigError> {
        self.misconfigured.as_ref()
    }

    /// What stands in front of every key.
    pub(crate) fn prefix(&self) -> &[u8] {
        self.prefix.as_slice()
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        self.switch.mode()
    }

    /// A key as far as it is that of every key.
    #[inline]
    pub(crate) fn begin_key(&self) -> KeyWriter {
        KeyWriter::after(&self.prefix)
    }

    pub(crate) fn render(&self, write: impl FnOnce(&mut KeyWriter)) -> RenderedKey {
        let mut key = self.begin_key();
        write(&mut key);
        key.finish()
    }

    /// Renders a key, and looks for its value where nothing must be waited for.
    #[allow(
        clippy::result_large_err,
        reason = "the key, for a call that is to wait; to box it would be an allocation for each of them"
    )]
    #[inline]
    pub(crate) fn look<R, S>(
        &self,
        write: impl FnOnce(&mut KeyWriter),
        policy: Policy,
    ) -> Result<(R, Count), RenderedKey>
    where
        R: Outcome<S, Value: CacheValue>,
    {
        let mut key = self.begin_key();
        write(&mut key);
        match self.at_hand::<R, S>(key.as_bytes(), policy) {
            Some(hit) => Ok(hit),
            None => Err(key.finish()),
        }
    }

    /// Looks for a value where nothing must be waited for.
    #[inline]
    pub(crate) fn at_hand<R, S>(&self, key: &[u8], policy: Policy) -> Option<(R, Count)>
    where
        R: Outcome<S, Value: CacheValue>,
    {
        // A value with tags is one only together with them.
        if policy.is_tagged() {
            return None;
        }
        match &self.store {
            Store::Embedded(store) => {
                let hit = store.hit(key, policy.site_version(), R::from_stored)?;
                Some((hit, Count::hits))
            }
            // With something undelivered, the long way finds out whether this key is concerned.
            #[cfg(feature = "redis")]
            Store::Redis(store) if policy.is_local() && self.recovery.len() == 0 => {
                let hit = store.hit(key, policy.site_version(), R::from_stored)?;
                Some((hit, Count::local_hits))
            }
            #[cfg(feature = "redis")]
            Store::Redis(_) => None,
        }
    }

    /// A value in the form that the store keeps.
    pub(crate) fn payload<T: CacheValue, C: Codec>(
        &self,
        key: &RenderedKey,
        value: Option<&T>,
        (version, age): (u32, Option<Age>),
    ) -> Result<Payload, SealError> {
        if let Some(store) = self.store.as_embedded() {
            let value = value.cloned();
            return Ok(match age {
                None => store.keep(key, value, version),
                Some(age) => store.keep(key, Some(Aged { age, value }), version),
            });
        }
        envelope::seal::<T, C>(key.as_bytes(), value, (version, age), self.settings.bounds)
            .map(Payload::Sealed)
    }

    /// The value in that form, or `None` for a value known to be absent; and its age, if that is told.
    pub(crate) fn open<T: CacheValue, C: Codec>(
        &self,
        key: &RenderedKey,
        payload: &Payload,
        version: u32,
    ) -> Result<(Option<T>, Option<Age>), Unreadable> {
        match payload {
            Payload::Typed(kept) => match kept.get(version, Some) {
                Some(value) => Ok((value, None)),
                None => match kept.get(version, |aged: Option<Aged<T>>| aged) {
                    Some(Aged { age, value }) => Ok((value, Some(age))),
                    None => Err(Unreadable),
                },
            },
            Payload::Sealed(bytes) => {
                envelope::open::<T, C>(key.as_bytes(), bytes, version, self.settings.bounds)
            }
        }
    }

    /// What a value of this age is to a call site of this policy now.
    pub(crate) fn freshness(&self, age: Option<Age>, policy: Policy) -> Freshness {
        age.map_or(Freshness::Fresh, |age| {
            age.freshness(self.settings.clock.unix_ms(), policy.beyond_ttl())
        })
    }

    /// Carries out a step that nobody waits for: at once in the embedded store, else in a task of the runtime. Without
    /// a runtime it is left undone, so it must only be one that expiry does as well, later.
    pub(crate) fn step_in_background(self: &Arc<Self>, key: &RenderedKey, step: Step<Payload>) {
        if let Some(store) = self.store.as_embedded() {
            store.apply(key, step, Duration::ZERO);
        } else if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (inner, key) = (self.clone(), key.clone());
            let running = self.background.begin();
            runtime.spawn(async move {
                let budget = Budget::of(inner.settings.store_budget);
                let _ = inner.store.apply(&key, step, Duration::ZERO, budget).await;
                drop(running);
            });
        }
    }
}

pub(crate) fn seal_error(error: SealError) -> CacheError {
    let kind = match error {
        SealError::Encode(_) => ErrorKind::Unencodable,
        SealError::TooLarge { .. } => ErrorKind::TooLarge,
    };
    CacheError::because(kind, error)
}

/// Starts the recovery when dropped.
struct WorksOnRecovery<'a>(&'a Arc<Inner>);

impl Drop for WorksOnRecovery<'_> {
    fn drop(&mut self) {
        self.0.work_on_recovery();
    }
}

static GLOBAL: OnceLock<Cache> = OnceLock::new();

/// The cache of the annotated functions. Unless one was [installed](install), the first use makes it from the
/// environment, see [`CacheConfig::from_env`]; if that is wrong, the error is logged and the cache stays off.
///
/// ```
/// println!("{} hits", cache_runtime::global().stats().hits);
/// ```
#[inline]
pub fn global() -> &'static Cache {
    GLOBAL.get_or_init(|| {
        let cache = CacheConfig::from_env()
            .and_then(Cache::new)
            .unwrap_or_else(|error| {
                tracing::error!(%error, "the cache stays off");
                let stand_in = CacheConfig::embedded().mode(Mode::Detached);
                Cache::assemble(stand_in.into_parts_in_bounds(), Some(error))
            });
        switch::set_annotations(&cache.inner.switch);
        cache
    })
}

/// Makes `cache` the one of the annotated functions. Call it before the first of them runs.
///
/// # Errors
///
/// When there is one already: installed, or made by the first call of an annotated function.
///
/// ```
/// use cache_runtime::{Cache, CacheConfig};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // At start-up, a wrong environment is an error to be seen, not a log line.
/// cache_runtime::install(Cache::new(CacheConfig::from_env()?)?)?;
/// # Ok(()) }
/// ```
pub fn install(cache: Cache) -> Result<(), InstallError> {
    let inner = cache.inner.clone();
    let _turn = lock(&inner.switching);
    GLOBAL.set(cache).map_err(InstallError)?;
    switch::set_annotations(&inner.switch);
    Ok(())
}

/// There is a global cache already.
#[derive(Debug, thiserror::Error)]
#[error(
    "the global cache exists already: it was installed before, or an annotated function was called first, which makes it \
     from the environment; install yours at the start of `main`"
)]
pub struct InstallError(Cache);

impl InstallError {
    /// The cache that was not installed.
    #[must_use]
    pub fn into_cache(self) -> Cache {
        self.0
    }
}
