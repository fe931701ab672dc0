//! What expanded code calls. No part of the public API: it changes without notice.

pub use linkme;

pub use crate::key::{Admits, AnyValue, CacheKey, KeyPart, KeyWriter, Only, PartWriter};
pub use crate::outcome::{
    CacheValue, ErrorSharing, Outcome, Probe, ViaClone, ViaNothing, ViaOptionOf, ViaPlain,
    ViaResultOf, ViaResultOfOption, error_probe,
};
pub use crate::policy::Policy;
pub use crate::site::{CALL_SITES, CallSite, Effect};

use crate::key::RenderedKey;

/// A call of a cached function that goes through the cache.
#[derive(Debug)]
pub struct CachedCall {
    site: &'static CallSite,
    key: RenderedKey,
}

/// Begins a call of a cached function; `None` if the cache is off.
pub fn cached_call(site: &'static CallSite, write: impl FnOnce(&mut KeyWriter)) -> Option<CachedCall> {
    let mut key = KeyWriter::new(b"cache:0:");
    write(&mut key);
    Some(CachedCall { site, key: key.finish() })
}

/// The same for a typed key, whose value type must be the function's.
pub fn cached_call_typed<R, S, K>(site: &'static CallSite, _shape: &S, key: impl FnOnce() -> K) -> Option<CachedCall>
where
    R: Outcome<S>,
    K: CacheKey<Admits: Admits<R::Value>>,
{
    cached_call(site, |writer| key().write_key(writer))
}

/// Runs a cached function: answers from the cache, or runs `body` and stores what it returned.
pub async fn cached<R, S, C>(call: Option<CachedCall>, shape: S, sharing: C, body: impl Future<Output = R>) -> R
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
{
    let _ = (&call.as_ref().map(|c| (c.site, &c.key)), shape, sharing);
    body.await
}

/// The keys that a mutation invalidates. Delivered by [`invalidated`]; if that is dropped, then on drop.
#[derive(Debug)]
pub struct Effects {
    site: &'static CallSite,
    keys: Vec<RenderedKey>,
}

/// Begins a call of an invalidating function.
#[must_use]
pub fn effects(site: &'static CallSite) -> Effects {
    Effects { site, keys: Vec::new() }
}

impl Effects {
    /// Adds a key written by a template.
    pub fn key(&mut self, write: impl FnOnce(&mut KeyWriter)) {
        let mut key = KeyWriter::new(b"cache:0:");
        write(&mut key);
        self.keys.push(key.finish());
    }

    /// Adds a typed key.
    pub fn typed(&mut self, key: &impl CacheKey) {
        self.key(|writer| key.write_key(writer));
    }
}

/// Runs a mutation, then delivers its invalidations.
pub async fn invalidated<R>(effects: Effects, body: impl Future<Output = R>) -> R {
    let _ = (effects.site, &effects.keys);
    body.await
}

/// The same, with keys that are made of what the mutation returned; an `Err` or a `None` adds none of these.
pub async fn invalidated_by_return<R, S>(
    mut effects: Effects,
    _shape: S,
    body: impl Future<Output = R>,
    by_return: impl FnOnce(&R::Value, &mut Effects),
) -> R
where
    R: Outcome<S>,
{
    let returned = body.await;
    if let crate::outcome::View::Value(value) = returned.view() {
        by_return(value, &mut effects);
    }
    returned
}
