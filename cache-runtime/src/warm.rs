//! Warming up: many keys loaded before anybody asks for them.

use crate::cache::Cache;
use crate::key::{Admits, CacheKey};
use crate::outcome::CacheValue;
use crate::policy::Policy;
use crate::race::together;

/// How many keys are loaded at a time.
const AT_A_TIME: usize = 32;

impl Cache {
    /// Loads what is not cached of `keys`, 32 at a time, and tells `progress` how many of them are done after each of these. Returns
    /// those that failed, with their errors.
    ///
    /// It takes a load and not a value: what was read from the source before the cache was asked may have been changed since, and
    /// its invalidation have come and gone. Each key is [`get_or_load`](Self::get_or_load), with what that promises.
    ///
    /// Within a [`transaction`](Cache::transaction) nothing is stored, and so nothing is warmed.
    ///
    /// # Cancel safety
    ///
    /// Dropped, what is loaded already stays.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cache_runtime::{Cache, CacheConfig, CacheKey, Policy};
    /// # #[derive(Clone, serde::Serialize, serde::Deserialize)]
    /// # struct User { id: u64 }
    /// #[derive(CacheKey)]
    /// #[cache_key("user:<id>", value = User)]
    /// struct UserKey { id: u64 }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// let keys = (0..1000).map(|id| UserKey { id });
    /// let load = async |key: &UserKey| Ok::<_, std::io::Error>(User { id: key.id });
    /// let policy = Policy::new(Duration::from_secs(3600));
    /// let failed = cache.warm(keys, policy, load, |done| println!("{done} of 1000")).await;
    /// assert!(failed.is_empty());
    /// # Ok(()) }
    /// ```
    pub async fn warm<K, T, E>(
        &self,
        keys: impl IntoIterator<Item = K>,
        policy: Policy,
        load: impl AsyncFn(&K) -> Result<T, E>,
        mut progress: impl FnMut(usize),
    ) -> Vec<(K, E)>
    where
        K: CacheKey<Admits: Admits<T>>,
        T: CacheValue,
    {
        let mut keys = keys.into_iter();
        let (mut failed, mut done) = (Vec::new(), 0);
        loop {
            let next: Vec<K> = keys.by_ref().take(AT_A_TIME).collect();
            if next.is_empty() {
                return failed;
            }
            let loads = next
                .iter()
                .map(|key| self.get_or_load(key, policy, || load(key)));
            let ended = together(loads).await;
            done += next.len();
            let ended = next.into_iter().zip(ended);
            failed.extend(ended.filter_map(|(key, ended)| Some((key, ended.err()?))));
            progress(done);
        }
    }
}
