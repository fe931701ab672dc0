//! One call for several keys: one look at all of them, and one run of the body for those that are missing.
//!
//! To the store and to other callers, each key is a call of its own, with its own lease, flight and fill. What is done for all of them
//! together is the look, and the body.
//!
//! **Nobody waits while holding a lease.** A key that another loads is waited for while the body runs, and after it. If nothing comes of that
//! load, the body runs once more, for such keys. Otherwise two calls could wait for each other:
//!
//! 1. A leads key 1, B leads key 2.
//! 2. A wants key 2, too, and waits for B before it runs its body; B wants key 1, and waits for A.

use std::any::Any;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tracing::{Instrument as _, Span};

use super::loading::{Loading, Next, To, renewal};
use super::together::{
    Missing, acquire_all, learn_fleet, look_at_all, make_generations, store_all,
};
use super::{Call, Lease, Looked, Turn, load_or_wait};
use crate::cache::Inner;
use crate::codec::Codec;
use crate::control::{self, Asked};
use crate::entries::{Entries, KeyOf, ManyOutcome, ValueOf};
use crate::form::Form;
use crate::key::{KeyWriter, RenderedKey};
use crate::outcome::{CacheValue, ErrorSharing, Outcome, ResultOfOption};
use crate::policy::Policy;
use crate::race::{Pool, alongside, together};
use crate::slot::{Reply, Step};
use crate::stats::{self, Count};
use crate::storing::Selects;
use crate::tags::{self, Tags};
use crate::tally::{At, Tally};
use crate::transaction;

/// How many keys are read in one pipeline, and how many pipelines are on their way at a time.
const IN_A_PART: usize = 256;
const PARTS: usize = 4;

/// A call of a function with `batch`, before anything was looked at.
pub struct Batch<'c, K> {
    ids: Vec<K>,
    /// `None`: with the body alone.
    through: Option<Through<'c>>,
}

/// How it goes through the cache.
struct Through<'c> {
    inner: &'c Arc<Inner>,
    at: At,
    asked: Asked,
    policy: Policy,
    /// One for each of the ids, no two of them equal.
    keys: Vec<RenderedKey>,
    tags: Vec<Tags>,
}

/// The tags of one key.
pub struct OneKey<'b> {
    inner: &'b Inner,
    tags: &'b mut Tags,
}

impl OneKey<'_> {
    /// Adds a tag.
    pub fn tag(&mut self, write: impl FnOnce(&mut KeyWriter)) {
        self.tags.add(tags::key(self.inner, write));
    }
}

impl<'c, K> Batch<'c, K> {
    /// Begins a call. An id that makes the key of an earlier one is left out.
    pub(crate) fn begin(
        inner: &'c Arc<Inner>,
        at: At,
        policy: Option<Policy>,
        ids: Vec<K>,
        write: impl Fn(&K, &mut KeyWriter),
    ) -> Self {
        let Some(policy) = policy else {
            return Self { ids, through: None };
        };
        let asked = control::asked();
        match (asked, inner.admits(at)) {
            (_, true) | (Asked::OnlyCached, false) => {}
            (_, false) => return Self { ids, through: None },
        }
        let all = ids
            .iter()
            .map(|id| inner.render(|writer| write(id, writer)));
        let all: Vec<RenderedKey> = all.collect();
        if asked == Asked::RefreshInTransaction {
            transaction::drop_in_the_end(inner, &all, at);
        }
        let mut seen = HashSet::with_capacity(all.len());
        let is_first: Vec<bool> = all.iter().map(|key| seen.insert(key.as_bytes())).collect();
        let firsts = is_first.iter().copied();
        let ids = ids.into_iter().zip(firsts.clone());
        let ids = ids
            .filter_map(|(id, is_first)| is_first.then_some(id))
            .collect();
        drop(seen);
        let keys = all.into_iter().zip(firsts);
        let keys: Vec<_> = keys
            .filter_map(|(key, is_first)| is_first.then_some(key))
            .collect();
        let through = Through {
            inner,
            at,
            asked,
            policy,
            tags: vec![Tags::default(); keys.len()],
            keys,
        };
        Self {
            ids,
            through: Some(through),
        }
    }

    /// Adds tags to what is stored under each key.
    #[must_use]
    pub fn tagged(mut self, tag: impl Fn(&K, &mut OneKey<'_>)) -> Self {
        if let Some(Through {
            inner, tags, asked, ..
        }) = &mut self.through
            && !asked.is_bypass()
        {
            for (id, tags) in self.ids.iter().zip(tags) {
                tag(id, &mut OneKey { inner, tags });
            }
        }
        self
    }

    /// Sets how long lives what this call stores.
    #[must_use]
    pub fn living(mut self, ttl: impl FnOnce() -> Duration) -> Self {
        if let Some(through) = &mut self.through
            && !through.asked.is_bypass()
        {
            through.policy = through.policy.living(ttl());
        }
        self
    }
}

/// What one key comes to.
type One<T> = Result<Option<T>, Captured>;

/// An error of the body, as far as it can be handed to others.
#[derive(Clone)]
struct Captured(Option<Arc<dyn Any + Send + Sync>>);

/// Hands on errors that are captured already.
struct Forwarding<C, E>(C, PhantomData<fn() -> E>);

impl<C: Copy, E> Clone for Forwarding<C, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Copy, E> Copy for Forwarding<C, E> {}

impl<C: ErrorSharing<E>, E> ErrorSharing<Captured> for Forwarding<C, E> {
    fn capture(&self, error: &Captured) -> Option<Arc<dyn Any + Send + Sync>> {
        error.0.clone()
    }
    fn restore(&self, shared: &Arc<dyn Any + Send + Sync>) -> Option<Captured> {
        // One of another function may be of another type.
        self.0.restore(shared)?;
        Some(Captured(Some(shared.clone())))
    }
}

/// The load of one key.
type Load<'c, 'w, R, S, C, W> = (
    KeyOf<R, S>,
    Box<Loading<'c, One<ValueOf<R, S>>, Forwarding<C, <R as Outcome<S>>::Error>, &'w W>>,
);

/// How a call for one key goes on.
type Goes<'c, 'w, R, S, C, W> =
    Next<'c, One<ValueOf<R, S>>, Forwarding<C, <R as Outcome<S>>::Error>, &'w W>;

/// A call after the first look: what was found, and what is to be loaded.
pub struct Loads<'c, 'w, R, S, C, D, F, W>
where
    R: ManyOutcome<S>,
{
    /// With the body alone, for these.
    plain: Option<Vec<KeyOf<R, S>>>,
    sharing: Forwarding<C, R::Error>,
    storing: &'w W,
    found: R::Value,
    /// To be loaded by the next run of the body.
    ready: Vec<Load<'c, 'w, R, S, C, W>>,
    /// Loaded by the one that goes on.
    running: Vec<Load<'c, 'w, R, S, C, W>>,
    /// Loaded by others.
    waiting: Vec<(KeyOf<R, S>, Call<'c>, Looked)>,
    /// The error of another's load of one of them.
    failed: Option<R::Error>,
    form: PhantomData<fn() -> (D, F)>,
}

/// What a look at one key has found.
enum Seen<'c, T> {
    Hit(One<T>),
    /// No value for this call.
    Nothing(Box<Call<'c>>, Looked),
}

/// The keys that others load.
pub struct Others<F: Future>(Pool<F>);

/// How a call for one of them goes on.
pub struct Ended<'c, 'w, R: ManyOutcome<S>, S, C, W>(KeyOf<R, S>, Goes<'c, 'w, R, S, C, W>);

#[allow(private_bounds, reason = "nobody needs to name it")]
impl<'c, 'w, R, S, C, D, F, W> Loads<'c, 'w, R, S, C, D, F, W>
where
    R: ManyOutcome<S>,
    KeyOf<R, S>: Clone,
    ValueOf<R, S>: CacheValue,
    C: ErrorSharing<R::Error> + Copy,
    D: Codec,
    F: Form,
    W: Selects<ValueOf<R, S>>,
{
    /// Looks for all values.
    ///
    /// # Cancel safety
    ///
    /// Leases that it has taken are given back.
    pub(crate) async fn look(batch: Batch<'c, KeyOf<R, S>>, sharing: C, storing: &'w W) -> Self {
        let mut loads = Self {
            plain: None,
            sharing: Forwarding(sharing, PhantomData),
            storing,
            found: R::Value::default(),
            ready: Vec::new(),
            running: Vec::new(),
            waiting: Vec::new(),
            failed: None,
            form: PhantomData,
        };
        let Some(through) = batch.through else {
            loads.plain = Some(batch.ids);
            return loads;
        };
        let Through {
            inner,
            at,
            asked,
            policy,
            keys,
            tags,
        } = through;
        let tally = Tally::new(inner, at);
        loads.found.reserve(keys.len());
        let is_answered = !asked.is_bypass() && asked != Asked::Refresh && inner.admits(at);
        let (mut calls, mut missing) = (Vec::new(), Vec::new());
        for (id, (key, tags)) in batch.ids.into_iter().zip(keys.into_iter().zip(tags)) {
            let is_held = asked != Asked::Nothing && transaction::holds(inner, &key);
            let timed = stats::timed();
            if is_answered
                && !is_held
                && let Some((hit, tier)) =
                    inner.at_hand::<One<_>, ResultOfOption>(key.as_bytes(), policy)
            {
                tally.hit_at_hand(tier, timed);
                loads.find(id, hit);
                continue;
            }
            let call = Call::new(inner, key, policy, tally, asked).with_tags(tags);
            let count = if asked.is_bypass() {
                Count::bypasses_asked
            } else if asked != Asked::Nothing && call.is_held_back() {
                Count::bypasses_transaction
            } else {
                calls.push((id, call));
                continue;
            };
            missing.push(Missing {
                id,
                call,
                to: To::Return,
                count,
            });
        }
        if !calls.is_empty() || !missing.is_empty() {
            // Boxed: what is at hand in this process needs none of it.
            Box::pin(loads.look_further(inner, asked, calls, missing)).await;
        }
        loads
    }

    fn find(&mut self, id: KeyOf<R, S>, found: One<ValueOf<R, S>>) {
        match found {
            Ok(Some(value)) => self.found.put(id, value),
            // Known to be absent.
            Ok(None) => {}
            Err(Captured(error)) => {
                self.failed = error.and_then(|error| self.sharing.0.restore(&error));
            }
        }
    }

    /// Looks for the values that are not at hand, and takes the leases of those that are nowhere. It is known of some that they are
    /// `missing`.
    async fn look_further(
        &mut self,
        inner: &Arc<Inner>,
        asked: Asked,
        calls: Vec<(KeyOf<R, S>, Call<'c>)>,
        mut missing: Vec<Missing<'c, KeyOf<R, S>>>,
    ) {
        let (mut empty, mut older) = (Vec::new(), Vec::new());
        for (id, seen) in Self::look_in_parts(inner, asked, calls, self.storing).await {
            let (call, looked) = match seen {
                Seen::Hit(hit) => {
                    self.find(id, hit);
                    continue;
                }
                Seen::Nothing(call, looked) => (*call, looked),
            };
            let (count, to) = match (looked, asked) {
                (Ok(Reply::Hit(token, _)), Asked::Refresh) => {
                    (Count::refreshes, To::Replace(token))
                }
                // Nothing is stored, and nobody is waited for.
                (Ok(Reply::Miss | Reply::Leased(_)), Asked::Transaction) => {
                    (Count::bypasses_transaction, To::Return)
                }
                // See what a refresh of a single key does.
                (Ok(Reply::Miss | Reply::Leased(_)), Asked::Refresh) => {
                    older.push((id, call));
                    continue;
                }
                (Ok(Reply::Miss), _) => {
                    empty.push((id, call));
                    continue;
                }
                (Ok(Reply::Leased(token)), _) => {
                    self.waiting.push((id, call, Ok(Reply::Leased(token))));
                    continue;
                }
                (Ok(_), Asked::Refresh) => (Count::bypasses_fenced, To::Drop),
                (Err(reason), Asked::Refresh) => (reason, To::Drop),
                (Ok(_), _) => (Count::bypasses_fenced, To::Return),
                (Err(reason), _) => (reason, To::Return),
            };
            missing.push(Missing {
                id,
                call,
                to,
                count,
            });
        }
        if asked == Asked::OnlyCached {
            return self.give_up(empty, missing).await;
        }
        let dropped = together(older.into_iter().map(|(id, mut call)| async move {
            let dropped = call.step(Step::Invalidate, Duration::ZERO).await.is_ok();
            (id, call, dropped)
        }));
        for (id, call, is_dropped) in dropped.await {
            if is_dropped {
                empty.push((id, call));
            } else {
                missing.push(Missing {
                    id,
                    call,
                    to: To::Drop,
                    count: Count::bypasses_store,
                });
            }
        }
        self.acquire(empty, &mut missing).await;
        make_generations(inner, &mut missing).await;
        self.begin(missing).await;
    }

    /// Looks at all keys at once, and takes apart what has come while the rest is on its way.
    async fn look_in_parts(
        inner: &Arc<Inner>,
        asked: Asked,
        calls: Vec<(KeyOf<R, S>, Call<'c>)>,
        storing: &'w W,
    ) -> Vec<(KeyOf<R, S>, Seen<'c, ValueOf<R, S>>)> {
        let mut all = Vec::with_capacity(calls.len());
        let mut calls = calls.into_iter();
        while !calls.as_slice().is_empty() {
            let parts = std::iter::repeat_with(|| calls.by_ref().take(IN_A_PART).collect());
            let parts: Vec<Vec<_>> = parts.take(PARTS).collect();
            let looks = parts.into_iter().map(|mut calls| async move {
                let learned = learn_fleet(inner, &mut calls).await;
                let first = calls.first().map(|(_, call)| call.tally.at());
                let looked = if let Err(reason) = learned {
                    calls.iter().map(|_| Err(reason)).collect()
                } else if first.is_some_and(|at| inner.admits(at)) {
                    look_at_all(inner, &mut calls).await
                } else {
                    // Off: an earlier part has found that out, or what is cached was asked for alone.
                    let off = calls.iter_mut().map(|(_, call)| {
                        call.is_off = true;
                        Err(Count::bypasses_asked)
                    });
                    off.collect()
                };
                let calls = calls.into_iter().zip(looked);
                let seen = calls.map(|((id, mut call), looked)| match looked {
                    Ok(Reply::Hit(token, payload)) if asked != Asked::Refresh => {
                        let hit = call.hit::<_, ResultOfOption, D, F>(token, &payload, storing);
                        match hit {
                            Some(hit) => (id, Seen::Hit(hit)),
                            // As good as absent, and to be replaced.
                            None => (id, Seen::Nothing(Box::new(call), Ok(Reply::Miss))),
                        }
                    }
                    looked => (id, Seen::Nothing(Box::new(call), looked)),
                });
                seen.collect::<Vec<_>>()
            });
            all.extend(together(looks).await.into_iter().flatten());
        }
        all
    }

    /// Takes the leases of keys that were found empty.
    async fn acquire(
        &mut self,
        empty: Vec<(KeyOf<R, S>, Call<'c>)>,
        missing: &mut Vec<Missing<'c, KeyOf<R, S>>>,
    ) {
        for (id, call, acquired) in acquire_all(empty).await {
            let (count, to) = match acquired {
                Ok(Turn::Lead(lease)) => (Count::misses, To::Fill(lease)),
                Ok(Turn::Alone(reason)) => (reason, To::Return),
                // Another was faster.
                Ok(Turn::Hit(token, payload)) => {
                    self.waiting
                        .push((id, call, Ok(Reply::Hit(token, payload))));
                    continue;
                }
                Err(token) => {
                    self.waiting.push((id, call, Ok(Reply::Leased(token))));
                    continue;
                }
                Ok(Turn::Landed(_)) => continue,
            };
            missing.push(Missing {
                id,
                call,
                to,
                count,
            });
        }
    }

    /// Begins the loads.
    async fn begin(&mut self, missing: Vec<Missing<'c, KeyOf<R, S>>>) {
        let (sharing, storing) = (self.sharing, self.storing);
        let begun = together(missing.into_iter().map(|missing| async move {
            let Missing {
                id,
                call,
                to,
                count,
            } = missing;
            let load = Loading::begin(call, sharing, storing, (Some(count), to)).await;
            (id, Box::new(load))
        }));
        self.ready.extend(begun.await);
    }

    /// Tells the [`only_cached`](crate::only_cached) around this call that something is missing. The body runs only where the call was
    /// carried out of there.
    async fn give_up(
        &mut self,
        empty: Vec<(KeyOf<R, S>, Call<'c>)>,
        missing: Vec<Missing<'c, KeyOf<R, S>>>,
    ) {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let waiting = waiting.map(|(id, call, _)| (id, call));
        let missing = missing
            .into_iter()
            .map(|missing| (missing.id, missing.call));
        let missing: Vec<_> = empty.into_iter().chain(waiting).chain(missing).collect();
        if missing.is_empty() {
            return;
        }
        for (_, call) in &missing {
            call.counted.ends_as(Count::unanswered);
        }
        control::unanswered().await;
        let (sharing, storing) = (self.sharing, self.storing);
        let loads = missing.into_iter().map(|(id, call)| {
            let load = Loading::uncounted(call, sharing, storing);
            (id, Box::new(load))
        });
        self.ready.extend(loads);
    }

    /// The calls for the keys that others load.
    pub fn others(
        &mut self,
    ) -> Others<impl Future<Output = Ended<'c, 'w, R, S, C, W>> + use<'c, 'w, R, S, C, D, F, W>>
    {
        let (sharing, storing) = (self.sharing, self.storing);
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        Others(Pool::of(waiting.map(|(id, call, looked)| async move {
            let next =
                load_or_wait::<_, ResultOfOption, _, D, F, _>(call, Some(looked), sharing, storing);
            Ended(id, next.await)
        })))
    }

    /// What the body is to load next; `None` if it is not to run any more.
    ///
    /// # Cancel safety
    ///
    /// Leases that it has taken are given back.
    pub async fn next<O>(&mut self, others: &mut Others<O>) -> Option<Vec<KeyOf<R, S>>>
    where
        O: Future<Output = Ended<'c, 'w, R, S, C, W>>,
    {
        if let Some(ids) = &self.plain {
            return Some(ids.clone());
        }
        while self.failed.is_none() {
            if !self.ready.is_empty() {
                self.running = std::mem::take(&mut self.ready);
                for (_, load) in &mut self.running {
                    load.start();
                }
                return Some(self.running.iter().map(|(id, _)| id.clone()).collect());
            }
            let ended = others.0.some().await;
            if ended.is_empty() {
                break;
            }
            for Ended(id, next) in ended {
                match next {
                    Next::Answer(answer) => self.find(id, answer),
                    Next::Load(load) => self.ready.push((id, load)),
                }
            }
        }
        None
    }

    /// Runs the body, and does meanwhile what is to be done.
    pub fn run<'o, B: Future, O: Future>(
        &self,
        body: B,
        others: &'o mut Others<O>,
    ) -> impl Future<Output = B::Output> + use<'c, 'w, 'o, R, S, C, D, F, W, B, O> {
        let span = match self.running.first() {
            Some((_, load)) => load.span(),
            None => Span::none(),
        };
        alongside(body.instrument(span), self.meanwhile(others))
    }

    /// What is to be done while the body runs. Never ends.
    fn meanwhile<'o, O: Future>(
        &self,
        others: &'o mut Others<O>,
    ) -> impl Future<Output = ()> + use<'c, 'w, 'o, R, S, C, D, F, W, O> {
        let leases = self.running.iter();
        let leases = leases.filter_map(|(_, load)| load.lease().map(Lease::place));
        let leases: Vec<_> = leases.collect();
        let inner = self.running.first().map(|(_, load)| load.inner().clone());
        async move {
            let renewal = async move {
                match inner {
                    Some(inner) => renewal(inner, leases).await,
                    None => std::future::pending().await,
                }
            };
            let (mut renewal, mut others) = (pin!(renewal), pin!(others.0.go_on()));
            std::future::poll_fn(move |context| {
                // Neither ends.
                let _ = renewal.as_mut().poll(context);
                let _ = others.as_mut().poll(context);
                Poll::<()>::Pending
            })
            .await;
        }
    }

    /// Stores what the body has returned. If the call ends with that, it is given back.
    ///
    /// # Cancel safety
    ///
    /// Each value is stored or not, and no lease stays.
    pub async fn store(&mut self, returned: R) -> Option<R> {
        if self.plain.is_some() {
            return Some(returned);
        }
        let running = std::mem::take(&mut self.running).into_iter();
        // Boxed, here and below: it is several times as large as what stands here while the body runs.
        match returned.split() {
            Err(error) => {
                let failed = Err(Captured(self.sharing.0.capture(&error)));
                let done = running.map(|(_, load)| load.done::<ResultOfOption, D, F>(&failed));
                let done = done.collect();
                Box::pin(store_all(done)).await;
                Some(R::from_error(error))
            }
            Ok(mut map) => {
                let mut done = Vec::with_capacity(running.len());
                for (id, load) in running {
                    let entry = map.take(&id);
                    let (id, value) = entry.map_or((id, None), |(id, value)| (id, Some(value)));
                    let value = Ok(value);
                    done.push(load.done::<ResultOfOption, D, F>(&value));
                    self.find(id, value);
                }
                Box::pin(store_all(done)).await;
                // What was not asked for is returned as it would be by the plain function.
                for (id, value) in map {
                    self.found.put(id, value);
                }
                None
            }
        }
    }

    /// The answer.
    #[must_use]
    pub fn end(self) -> R {
        match self.failed {
            Some(error) => R::from_error(error),
            None => R::of(self.found),
        }
    }
}

impl<K> fmt::Debug for Batch<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Batch")
    }
}

impl fmt::Debug for OneKey<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneKey")
    }
}

impl<R: ManyOutcome<S>, S, C, D, F, W> fmt::Debug for Loads<'_, '_, R, S, C, D, F, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loads")
    }
}

impl<R: ManyOutcome<S>, S, C, W> fmt::Debug for Ended<'_, '_, R, S, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ended")
    }
}

impl<F: Future> fmt::Debug for Others<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Others")
    }
}
