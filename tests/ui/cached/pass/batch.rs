//! Every form of a function that answers for several keys.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use cache_runtime::{CacheKey, cached, call_sites};

#[derive(Clone, serde::Serialize, serde::Deserialize)]
struct User {
    id: u64,
}

#[derive(Debug)]
struct DbError;

struct Repository {
    tenant: String,
}

#[derive(CacheKey)]
#[cache_key("typed:<tenant>:<id>", value = User)]
struct UserKey<'a> {
    tenant: &'a str,
    id: u64,
}

impl Repository {
    #[cached(batch, key = "user:<self.tenant>:<id>", ttl = "1h")]
    async fn slice(&self, ids: &[u64]) -> Result<HashMap<u64, User>, DbError> {
        if ids.len() > 1000 {
            return Err(DbError);
        }
        Ok(ids.iter().map(|id| (*id, User { id: *id })).collect())
    }

    #[cached(batch, key = UserKey { tenant: &self.tenant, id }, ttl = "1h", local_ttl = "5s", none_ttl = "1m", version = 2)]
    async fn typed(&self, ids: Vec<u64>) -> BTreeMap<u64, User> {
        ids.into_iter().map(|id| (id, User { id })).collect()
    }
}

// The argument and its item, where they are not plain.
#[cached(batch(word in words), key = "word:<lang>:<word>", ttl = "1h", tags = ["lang:<lang>", "word:<word>"], skip(more))]
async fn named(lang: &str, words: &[String], more: &[u8]) -> HashMap<String, usize> {
    let _ = (lang, more);
    words.iter().map(|word| (word.clone(), word.len())).collect()
}

// What the body borrows mutably, and what it owns.
#[cached(batch, key = "sum:<n>", when = |sum| *sum > 0, ttl_by = |sum| std::time::Duration::from_secs(*sum), skip(connection, pool))]
async fn mutable(connection: &mut u64, pool: String, mut numbers: Vec<u64>) -> HashMap<u64, u64> {
    *connection += pool.len() as u64;
    numbers.sort_unstable();
    numbers.into_iter().map(|n| (n, n + *connection)).collect()
}

#[cached(batch, key = "pair:<pair.0>:<pair.1>", ttl = "1h", codec = cache_runtime::MessagePack)]
async fn generic<K>(#[allow(clippy::ptr_arg)] pairs: &Vec<(K, u8)>) -> HashMap<(K, u8), String>
where
    K: cache_runtime::KeyPart + Clone + Eq + Hash,
{
    pairs.iter().map(|pair| (pair.clone(), String::new())).collect()
}

// An error that can be sent to another thread, and not be shared.
#[derive(Debug)]
struct Unshared(std::cell::Cell<u8>);

#[cached(batch, key = "unshared:<id>", ttl = "1h")]
async fn unshared(ids: &[u64]) -> Result<HashMap<u64, u64>, Unshared> {
    tokio::task::yield_now().await;
    match ids {
        [] => Err(Unshared(std::cell::Cell::new(0))),
        ids => Ok(ids.iter().map(|id| (*id, *id)).collect()),
    }
}

#[tokio::main]
async fn main() {
    let calls = tokio::spawn(async {
        let repository = Repository { tenant: String::from("a") };
        let mut connection = 1;
        for _ in 0..2 {
            assert_eq!(repository.slice(&[1, 2]).await.map_or(0, |users| users[&2].id), 2);
            assert_eq!(repository.typed(vec![1, 2]).await.len(), 2);
            assert_eq!(named("en", &[String::from("word")], &[]).await["word"], 4);
            assert_eq!(mutable(&mut connection, String::from("b"), vec![2, 1]).await[&1], 3);
            assert_eq!(generic(&vec![(7_u32, 1)]).await.len(), 1);
            assert_eq!(unshared(&[1]).await.map_or_else(|error| u64::from(error.0.get()), |found| found[&1]), 1);
        }
        connection
    });
    assert_eq!(calls.await.unwrap_or_default(), 2, "one run of the body");
    let types: Vec<_> = call_sites().filter_map(|site| site.value_type()).collect();
    assert!(types.iter().any(|name| name.ends_with("::User")), "{types:?}");
    assert!(types.contains(&"usize"), "{types:?}");
}
