//! What expanded code calls. No part of the public API: it changes without notice.

pub use linkme;

pub use crate::audit::FindingKind;
pub use crate::codec::{Codec, MessagePack};
pub use crate::key::{Admits, AnyValue, CacheKey, KeyPart, KeyWriter, Only, PartWriter};
pub use crate::outcome::{
    CacheValue, ErrorSharing, Outcome, Probe, ViaClone, ViaNothing, ViaOptionOf, ViaPlain,
    ViaResultOf, ViaResultOfOption, error_probe,
};
pub use crate::policy::Policy;
pub use crate::site::{CALL_SITES, CallSite, Effect, KEY_TYPES, KeyType, Unnamed, value_type};
pub use crate::staleness::{RefreshAhead, Staleness};

pub use crate::entries::{Entries, KeyOf, ManyOutcome, ValueOf};
pub use crate::envelope::Unreadable;
pub use crate::form::{Bare, WithTags};
pub use crate::invalidation::Effects;
pub use crate::read_through::batch::{Batch, Loads, OneKey, Others};
pub use crate::storing::{Selects, every};
pub use crate::write_through::{Keyed, Made, made, write_through, write_through_with_tags};

use std::borrow::Borrow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::budget::Budget;
use crate::cache::{Cache, Inner, global, seal_error};
use crate::control::{self, Asked};
use crate::envelope::{self, Bounds};
use crate::error::{CacheError, InvalidationError};
use crate::form::Form;
use crate::invalidation::run_or_fail;
use crate::key::RenderedKey;
use crate::outcome::{ResultOf, View};
use crate::read_through::{
    Call, First, Going, Start, first_look, in_background, inline, read_through, start,
};
use crate::slot::{Reply, Step};
use crate::stats::{self, Count};
use crate::store::Payload;
use crate::storing::Every;
use crate::switch::Annotations;
use crate::tags::{self, Tags};
use crate::tally::{At, Tally};

/// How a call of a cached function goes on.
#[allow(
    clippy::large_enum_variant,
    reason = "to box a call that is to wait would be an allocation for each of them"
)]
#[derive(Debug)]
pub enum Begun<'c, R> {
    /// The cache is off: with the body alone.
    Plain,
    /// It does not: the value was at hand.
    Hit(R),
    /// Through the cache.
    Cached(CachedCall<'c>),
}

/// A call of a cached function that goes through the cache.
#[derive(Debug)]
pub struct CachedCall<'c> {
    inner: &'c Arc<Inner>,
    at: At,
    policy: Policy,
    key: RenderedKey,
    asked: Asked,
    verifies: bool,
    tags: Tags,
}

impl<'c> CachedCall<'c> {
    /// Adds a tag to what is stored.
    pub fn tag(&mut self, write: impl FnOnce(&mut KeyWriter)) {
        self.tags.add(tags::key(self.inner, write));
    }

    fn into_call(self) -> Call<'c> {
        let Self {
            inner,
            at,
            policy,
            key,
            tags: _,
            asked,
            verifies,
        } = self;
        let tally = Tally::new(inner, at);
        Call::new(inner, key, policy, tally, asked).verifying(verifies)
    }
}

impl<R> Begun<'_, R> {
    /// Adds tags to what this call stores, if it may store anything.
    #[must_use]
    pub fn tagged(mut self, tag: impl FnOnce(&mut CachedCall<'_>)) -> Self {
        if let Self::Cached(call) = &mut self
            && !call.asked.is_bypass()
        {
            tag(call);
        }
        self
    }

    /// Sets how long lives what this call stores, if it may store anything.
    #[must_use]
    pub fn living(mut self, ttl: impl FnOnce() -> Duration) -> Self {
        if let Self::Cached(call) = &mut self
            && !call.asked.is_bypass()
        {
            call.policy = call.policy.living(ttl());
        }
        self
    }
}

/// Begins a call of a cached function.
#[inline]
pub fn begin<R, S>(
    site: &'static CallSite,
    _shape: &S,
    write: impl FnOnce(&mut KeyWriter),
) -> Begun<'static, R>
where
    R: Outcome<S, Value: CacheValue>,
{
    let annotations = Annotations::now();
    if !annotations.are_ordinary() {
        if annotations.may_be_controlled() && control::is_anything_asked() {
            return begin_as_asked::<R, S>(&global().inner, site, At::Site(site), write);
        }
        if annotations.are_off() {
            if annotations.are_off_by_fleet() {
                global().inner.follow_fleet();
            }
            return Begun::Plain;
        }
    }
    begin_at(&global().inner, site, At::Site(site), write)
}

/// The cache that an annotation names.
#[must_use]
pub fn handle(cache: &Cache) -> Cache {
    cache.clone()
}

/// Begins a call of a cached function on a cache of its own.
#[inline]
pub fn begin_on<'c, R, S>(
    cache: &'c Cache,
    site: &'static CallSite,
    _shape: &S,
    write: impl FnOnce(&mut KeyWriter),
) -> Begun<'c, R>
where
    R: Outcome<S, Value: CacheValue>,
{
    if Annotations::now().may_be_controlled() && control::is_anything_asked() {
        return begin_as_asked::<R, S>(&cache.inner, site, At::Both(site), write);
    }
    begin_at(&cache.inner, site, At::Both(site), write)
}

#[inline]
fn begin_at<'c, R, S>(
    inner: &'c Arc<Inner>,
    site: &'static CallSite,
    at: At,
    write: impl FnOnce(&mut KeyWriter),
) -> Begun<'c, R>
where
    R: Outcome<S, Value: CacheValue>,
{
    let Effect::Caches(policy) = site.effect() else {
        return Begun::Plain;
    };
    if !inner.admits(at) {
        return Begun::Plain;
    }
    let through = |key, verifies| CachedCall {
        inner,
        at,
        policy,
        key,
        tags: Tags::default(),
        asked: Asked::Nothing,
        verifies,
    };
    if policy.is_to_be_verified(inner.settings.verify) {
        return Begun::Cached(through(inner.render(write), true));
    }
    let timed = stats::timed();
    match inner.look::<R, S>(write, policy) {
        Ok((hit, tier)) => {
            Tally::new(inner, at).hit_at_hand(tier, timed);
            Begun::Hit(hit)
        }
        Err(key) => Begun::Cached(through(key, false)),
    }
}

/// All that a hit does to be counted and timed, for what measures that.
pub fn count_hit(site: &'static CallSite) {
    let timed = stats::timed();
    Tally::new(&global().inner, At::Site(site)).hit_at_hand(Count::hits, timed);
}

/// Begins a call of which something was asked for.
#[cold]
#[inline(never)]
fn begin_as_asked<'c, R, S>(
    inner: &'c Arc<Inner>,
    site: &'static CallSite,
    at: At,
    write: impl FnOnce(&mut KeyWriter),
) -> Begun<'c, R>
where
    R: Outcome<S, Value: CacheValue>,
{
    let mut write = Some(write);
    begin_with::<R, S>(inner, site, at, &mut |writer| {
        if let Some(write) = write.take() {
            write(writer);
        }
    })
}

/// The same, for any key: compiled once for each type of value, and not for each call site.
fn begin_with<'c, R, S>(
    inner: &'c Arc<Inner>,
    site: &'static CallSite,
    at: At,
    write: &mut dyn FnMut(&mut KeyWriter),
) -> Begun<'c, R>
where
    R: Outcome<S, Value: CacheValue>,
{
    let Effect::Caches(policy) = site.effect() else {
        return Begun::Plain;
    };
    let (asked, tally) = (control::asked(), Tally::new(inner, at));
    let through = |key, verifies| CachedCall {
        inner,
        at,
        policy,
        key,
        tags: Tags::default(),
        asked,
        verifies,
    };
    match start::<R, S>(asked, inner, tally, policy, write) {
        Start::Plain => Begun::Plain,
        Start::Hit(hit) => Begun::Hit(hit),
        Start::Through(key) => Begun::Cached(through(key, false)),
        Start::ToVerify(key) => Begun::Cached(through(key, true)),
    }
}

/// Writes a typed key, whose value type must be the function's.
#[inline]
pub fn write_typed<R, S, K>(_shape: &S, key: &K, writer: &mut KeyWriter)
where
    R: Outcome<S>,
    K: CacheKey<Admits: Admits<R::Value>>,
{
    key.write_key(writer);
}

/// The same for a value of a map.
#[inline]
pub fn write_typed_entry<R, S, K>(_shape: &S, key: &K, writer: &mut KeyWriter)
where
    R: ManyOutcome<S>,
    K: CacheKey<Admits: Admits<ValueOf<R, S>>>,
{
    key.write_key(writer);
}

/// Goes on with a call: answers from the cache, or runs `body` and stores what it returned.
pub async fn cached<R, S, C, D>(
    call: CachedCall<'_>,
    _shape: S,
    sharing: C,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    D: Codec,
{
    let call = call.into_call();
    let storing = Every::value();
    read_through::<R, S, C, D, Bare>(call, sharing, storing, body).await
}

/// The same, where values are chosen.
pub async fn cached_by<R, S, C, D>(
    call: CachedCall<'_>,
    _shape: S,
    sharing: C,
    storing: impl Selects<R::Value>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    D: Codec,
{
    let call = call.into_call();
    read_through::<R, S, C, D, Bare>(call, sharing, storing, body).await
}

/// The same, where values have tags.
pub async fn cached_with_tags<R, S, C, D>(
    mut call: CachedCall<'_>,
    _shape: S,
    sharing: C,
    storing: impl Selects<R::Value>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    D: Codec,
{
    let tags = std::mem::take(&mut call.tags);
    let call = call.into_call().with_tags(tags);
    read_through::<R, S, C, D, WithTags>(call, sharing, storing, body).await
}

/// How a call goes on of a function whose values may be used beyond their TTL, or are refreshed before its end.
pub enum Looked<'c, R, F> {
    /// It does not: the value was at hand.
    Hit(R),
    /// With a body.
    Going(Ahead<'c, R, F>),
}

/// What such a call does with its body.
pub struct Ahead<'c, R, F> {
    /// `None`: no more than to run it.
    going: Option<Box<Going<'c, R>>>,
    form: PhantomData<fn() -> F>,
}

impl<R, F> fmt::Debug for Ahead<'_, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ahead")
    }
}

impl<R, F> fmt::Debug for Looked<'_, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Looked")
    }
}

/// Looks for a value, on behalf of such a call.
pub async fn look<'c, R, S, D>(
    begun: Begun<'c, R>,
    _shape: &S,
    storing: &impl Selects<R::Value>,
) -> Looked<'c, R, Bare>
where
    R: Outcome<S, Value: CacheValue>,
    D: Codec,
{
    look_in::<R, S, D, Bare>(begun, storing).await
}

/// The same, where values have tags.
pub async fn look_with_tags<'c, R, S, D>(
    begun: Begun<'c, R>,
    _shape: &S,
    storing: &impl Selects<R::Value>,
) -> Looked<'c, R, WithTags>
where
    R: Outcome<S, Value: CacheValue>,
    D: Codec,
{
    look_in::<R, S, D, WithTags>(begun, storing).await
}

async fn look_in<'c, R, S, D, F>(
    begun: Begun<'c, R>,
    storing: &impl Selects<R::Value>,
) -> Looked<'c, R, F>
where
    R: Outcome<S, Value: CacheValue>,
    D: Codec,
    F: Form,
{
    let going = match begun {
        Begun::Plain => None,
        Begun::Hit(value) => return Looked::Hit(value),
        Begun::Cached(mut call) => {
            let tags = std::mem::take(&mut call.tags);
            let call = call.into_call().with_tags(tags);
            match first_look::<R, S, D, F>(call, storing).await {
                First::Hit(value) => return Looked::Hit(value),
                First::Going(going) => Some(going),
            }
        }
    };
    Looked::Going(Ahead {
        going,
        form: PhantomData,
    })
}

/// Goes on with such a call, whose loads may outlive it.
#[allow(private_bounds, reason = "nobody needs to name it")]
pub async fn refreshed_in_background<R, S, C, D, F>(
    ahead: Ahead<'_, R, F>,
    _shape: S,
    sharing: C,
    storing: impl Selects<R::Value> + Send + 'static,
    body: impl Future<Output = R> + Send + 'static,
) -> R
where
    R: Outcome<S, Value: CacheValue> + Send + 'static,
    S: 'static,
    C: ErrorSharing<R::Error> + Send + 'static,
    D: Codec + 'static,
    F: Form + 'static,
{
    match ahead.going {
        None => body.await,
        Some(going) => {
            Box::pin(in_background::<R, S, C, D, F>(
                *going, sharing, storing, body,
            ))
            .await
        }
    }
}

/// Goes on with such a call, which awaits its loads itself.
#[allow(private_bounds, reason = "nobody needs to name it")]
pub async fn refreshed_inline<R, S, C, D, F>(
    ahead: Ahead<'_, R, F>,
    _shape: S,
    sharing: C,
    storing: impl Selects<R::Value>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    D: Codec,
    F: Form,
{
    match ahead.going {
        None => body.await,
        Some(going) => Box::pin(inline::<R, S, C, D, F>(*going, sharing, storing, body)).await,
    }
}

/// Begins a call of a cached function that answers for several keys.
pub fn begin_batch<R, S>(
    site: &'static CallSite,
    _shape: &S,
    ids: Vec<KeyOf<R, S>>,
    write: impl Fn(&KeyOf<R, S>, &mut KeyWriter),
) -> Batch<'static, KeyOf<R, S>>
where
    R: ManyOutcome<S>,
{
    Batch::begin(&global().inner, At::Site(site), policy_of(site), ids, write)
}

/// The same on a cache of its own.
pub fn begin_batch_on<'c, R, S>(
    cache: &'c Cache,
    site: &'static CallSite,
    _shape: &S,
    ids: Vec<KeyOf<R, S>>,
    write: impl Fn(&KeyOf<R, S>, &mut KeyWriter),
) -> Batch<'c, KeyOf<R, S>>
where
    R: ManyOutcome<S>,
{
    Batch::begin(&cache.inner, At::Both(site), policy_of(site), ids, write)
}

fn policy_of(site: &CallSite) -> Option<Policy> {
    match site.effect() {
        Effect::Caches(policy) => Some(policy),
        Effect::Invalidates | Effect::WritesThrough(_) => None,
    }
}

/// Looks for the values of such a call. `F`: [`Bare`], or [`WithTags`] where values have tags.
#[allow(private_bounds, reason = "nobody needs to name it")]
pub async fn look_for_all<'c, 'w, R, S, C, D, F, W>(
    batch: Batch<'c, KeyOf<R, S>>,
    _shape: &S,
    sharing: C,
    storing: &'w W,
) -> Loads<'c, 'w, R, S, C, D, F, W>
where
    R: ManyOutcome<S>,
    KeyOf<R, S>: Clone,
    ValueOf<R, S>: CacheValue,
    C: ErrorSharing<R::Error> + Copy,
    D: Codec,
    F: Form,
    W: Selects<ValueOf<R, S>>,
{
    Loads::look(batch, sharing, storing).await
}

/// Every value of a map is stored, for as long as the policy says.
#[must_use]
pub const fn each<R: ManyOutcome<S>, S>(_: &S) -> Every<ValueOf<R, S>> {
    Every::value()
}

/// The name of the type that such a function stores; `None` if that is made of an [`Unnamed`].
#[must_use]
pub fn entry_type<R: ManyOutcome<S>, S>(_shape: &S) -> Option<&'static str> {
    crate::site::name_of::<ValueOf<R, S>>()
}

/// What a body is given that takes a slice.
#[must_use]
pub fn slice<K>(ids: &Vec<K>) -> &[K] {
    ids
}

/// What an argument must be that a load takes along which outlives the call.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be taken along into a refresh in the background",
    label = "borrowed by the call, which the refresh outlives, and it cannot be cloned",
    note = "derive `Clone` for it (cheap for what holds a pool or an `Arc`), pass an `Arc` of it, or let one caller refresh: `refresh = \"inline\"`"
)]
pub trait TakenAlong {
    /// The same as one's own.
    type Owned: Borrow<Self>;
    /// Makes it.
    fn own(&self) -> Self::Owned;
}

#[diagnostic::do_not_recommend]
impl<T: Clone> TakenAlong for T {
    type Owned = T;
    fn own(&self) -> T {
        self.clone()
    }
}

macro_rules! taken_along {
    ($([$($generics:tt)*] $borrowed:ty),*) => {$(
        #[diagnostic::do_not_recommend]
        impl<$($generics)*> TakenAlong for $borrowed {
            type Owned = <$borrowed as ToOwned>::Owned;
            fn own(&self) -> Self::Owned {
                self.to_owned()
            }
        }
    )*};
}
taken_along!([] str, [T: Clone] [T], [] std::path::Path, [] std::ffi::OsStr);

/// An argument of one's own.
#[must_use]
pub fn own<T: TakenAlong + ?Sized>(borrowed: &T) -> T::Owned {
    borrowed.own()
}

/// That argument, borrowed as the function has it.
pub fn lend<T: ?Sized, O: Borrow<T>>(owned: &O) -> &T {
    owned.borrow()
}

/// Renders a key of the global cache, as a call does, for the benchmarks.
#[inline]
pub fn with_key<T>(write: impl FnOnce(&mut KeyWriter), read: impl FnOnce(&[u8]) -> T) -> T {
    let mut key = global().inner.begin_key();
    write(&mut key);
    read(key.as_bytes())
}

/// Begins a call of an invalidating function.
#[must_use]
pub fn effects(site: &'static CallSite) -> Effects {
    Effects::new(global().clone(), At::Site(site))
}

/// The same on a cache of its own.
#[must_use]
pub fn effects_on(cache: &Cache, site: &'static CallSite) -> Effects {
    Effects::new(cache.clone(), At::Both(site))
}

/// A policy whose TTL is that of one call.
pub fn living(policy: Policy, ttl: impl FnOnce() -> Duration) -> Policy {
    policy.living(ttl())
}

/// The text of one part. A key that needs what a mutation returned is written after it; its other parts are rendered
/// before, because the mutation may consume the arguments that they are made of.
#[must_use]
pub fn rendered(write: impl FnOnce(&mut KeyWriter)) -> String {
    let mut part = KeyWriter::new(b"");
    write(&mut part);
    String::from_utf8_lossy(part.finish().as_bytes()).into_owned()
}

/// Runs a mutation, then delivers its invalidations. If it is dropped, they are delivered as well.
///
/// What the store did not take is queued: the mutation has happened, and its caller gets its result.
///
/// The effects are borrowed, and the body may be: dropped at an await, the caller's frame drops the body first, and the
/// effects, declared before it, deliver afterwards.
pub async fn invalidated<R>(effects: &mut Effects, body: impl Future<Output = R>) -> R {
    let _ = effects.raise().await;
    effects.run(body, |_, _| {}).await.0
}

/// The same, with keys that are made of what the mutation returned; an `Err` or a `None` adds none of these.
pub async fn invalidated_by_return<R, S>(
    effects: &mut Effects,
    _shape: S,
    body: impl Future<Output = R>,
    by_return: impl FnOnce(&R::Value, &mut Effects),
) -> R
where
    R: Outcome<S>,
{
    let _ = effects.raise().await;
    effects.run(body, of_value(by_return)).await.0
}

/// Runs a mutation that fails if its invalidation is not in force.
///
/// # Errors
///
/// Those of the body, and the failed invalidation.
pub async fn invalidated_or_fail<T, E>(
    effects: &mut Effects,
    body: impl Future<Output = Result<T, E>>,
) -> Result<T, E>
where
    E: From<InvalidationError<T>>,
{
    run_or_fail(effects, body, of_value::<_, ResultOf>(|_, _| {})).await
}

/// The same, with keys that are made of what the mutation returned.
///
/// # Errors
///
/// Those of the body, and the failed invalidation.
pub async fn invalidated_or_fail_by_return<T, E, S>(
    effects: &mut Effects,
    _shape: S,
    body: impl Future<Output = Result<T, E>>,
    by_return: impl FnOnce(&<Result<T, E> as Outcome<S>>::Value, &mut Effects),
) -> Result<T, E>
where
    Result<T, E>: Outcome<S>,
    E: From<InvalidationError<T>>,
{
    run_or_fail(effects, body, of_value(by_return)).await
}

/// Looks into what was returned: a value may make keys, and an error leaves in doubt whether anything was changed.
fn of_value<R: Outcome<S>, S>(
    by_return: impl FnOnce(&R::Value, &mut Effects),
) -> impl FnOnce(&R, &mut Effects) {
    |returned, effects| match returned.view() {
        View::Value(value) => by_return(value, effects),
        View::Failed(_) => effects.doubt(),
        View::Absent => {}
    }
}

/// A value as it stands in a store of bytes, for the tests with hostile ones. With the feature `lz4`, it is compressed if it is
/// longer than `compress_above`.
///
/// # Errors
///
/// When it cannot be encoded.
pub fn seal<T: Serialize + DeserializeOwned, C: Codec>(
    key: &[u8],
    value: Option<&T>,
    version: u32,
    compress_above: usize,
) -> Result<Bytes, CacheError> {
    envelope::seal::<T, C>(key, value, (version, None), bounds(compress_above)).map_err(seal_error)
}

/// Reads what stands in a store of bytes.
///
/// # Errors
///
/// When it is no value for this reader.
pub fn open<T: DeserializeOwned, C: Codec>(
    key: &[u8],
    bytes: &[u8],
    version: u32,
) -> Result<Option<T>, Unreadable> {
    envelope::open::<T, C>(key, bytes, version, bounds(usize::MAX)).map(|(value, _)| value)
}

fn bounds(compress_above: usize) -> Bounds {
    Bounds {
        max_len: usize::MAX,
        compress_above: Some(compress_above),
    }
}

/// What a reader of a slot in Redis is told.
#[cfg(feature = "redis")]
#[must_use]
pub fn read_slot(slot: Vec<u8>) -> Reply<Bytes> {
    crate::store::redis::read_slot(slot).map(Payload::into_bytes)
}

/// Carries out one step on one slot of a cache's store, for the tests of the stores.
///
/// # Errors
///
/// When the store fails it.
pub async fn apply_step(
    cache: &Cache,
    key: &impl CacheKey,
    step: Step<Bytes>,
    ttl: Duration,
) -> Result<Reply<Bytes>, CacheError> {
    let inner = &cache.inner;
    let budget = Budget::of(inner.settings.store_budget);
    let reply = inner
        .store
        .apply(&cache.render(key), step.map(Payload::Sealed), ttl, budget)
        .await?;
    Ok(reply.map(Payload::into_bytes))
}

/// The same on several slots together: a read, the taking of a lease, or a fill.
///
/// # Errors
///
/// When the store fails it.
pub async fn apply_step_to_all(
    cache: &Cache,
    keys: &[impl CacheKey],
    step: &Step<Bytes>,
    ttl: Duration,
) -> Result<Vec<Reply<Bytes>>, CacheError> {
    let inner = &cache.inner;
    let budget = Budget::of(inner.settings.store_budget);
    let keys: Vec<RenderedKey> = keys.iter().map(|key| cache.render(key)).collect();
    let replies = if matches!(step, Step::Read) {
        let keys: Vec<&RenderedKey> = keys.iter().collect();
        inner.store.read_all(&keys, budget).await?
    } else {
        let step = step.clone().map(Payload::Sealed);
        let steps = keys.iter().map(|key| (key, step.clone(), ttl));
        let replies = inner.store.apply_all(steps.collect(), budget).await;
        replies.into_iter().collect::<Result<_, _>>()?
    };
    Ok(replies
        .into_iter()
        .map(|reply| reply.map(Payload::into_bytes))
        .collect())
}
