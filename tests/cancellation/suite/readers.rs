//! Whoever loads, waits for another's load, or fills: the key is free afterwards, and nobody waits in vain.

use std::collections::HashMap;
use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};

use cache_runtime::{bypass, cached, global, only_cached, refresh, transaction};
use cache_tests::{cut, eventually, halted};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::{
    HOUR, LOADED, LOADING, Source, fresh, in_time, is_free, key, read, turn, turns_for_all,
};

async fn get_or_load(id: u64, source: &Source) -> u64 {
    let load = async || Ok::<_, Infallible>(source.load().await);
    let Ok(value) = global().get_or_load(&key(id), HOUR, load).await;
    value
}

async fn get_or_load_optional(id: u64, source: &Source) -> u64 {
    let load = async || Ok::<_, Infallible>(Some(source.load().await));
    let Ok(value) = global().get_or_load_optional(&key(id), HOUR, load).await;
    value.expect("what was loaded")
}

async fn refreshing(id: u64, source: &Source) -> u64 {
    refresh(read(id, source)).await
}

async fn bypassing(id: u64, source: &Source) -> u64 {
    bypass(read(id, source)).await
}

async fn in_a_transaction(id: u64, source: &Source) -> u64 {
    transaction(read(id, source)).await
}

#[cached(batch, key = "cancellation:<id>", ttl = "1h", skip(source))]
async fn several_of(ids: &[u64], source: &Source) -> HashMap<u64, u64> {
    let value = source.load().await;
    ids.iter().map(|id| (*id, value)).collect()
}

async fn several(id: u64, source: &Source) -> u64 {
    several_of(&[id], source).await[&id]
}

/// Two keys of two sources.
#[cached(batch, key = "cancellation:<id>", ttl = "1h", skip(sources))]
async fn of_two(ids: Vec<u64>, sources: &HashMap<u64, &Source>) -> HashMap<u64, u64> {
    let mut values = HashMap::new();
    for id in ids {
        values.insert(id, sources[&id].load().await);
    }
    values
}

const FOLLOWERS: usize = 3;

/// Alone: the lease is given back, or the value is stored.
async fn alone(reader: impl AsyncFn(u64, &Source) -> u64) {
    let _turn = turn().await;
    let mut loads = Vec::new();
    for times in 1.. {
        let (id, source) = (fresh(), Source::new());
        let value = cut(reader(id, &source), times).await;
        loads.push(source.loads());
        assert!(is_free(id, &source).await, "after {times} polls");
        if value.is_some() {
            break;
        }
    }
    assert!(loads.contains(&1), "it was cut while it loaded");
}

/// A leader is dropped at each of his await points. Those who wait for him go on, and one of them loads.
async fn leading(reader: impl AsyncFn(u64, &Source) -> u64) {
    leading_others(&reader, &reader).await;
}

async fn leading_others(
    leader: impl AsyncFn(u64, &Source) -> u64,
    reader: impl AsyncFn(u64, &Source) -> u64,
) {
    let _turn = turn().await;
    for times in 1.. {
        let (id, source) = (fresh(), Source::new());
        let Err(leader) = halted(leader(id, &source), times).await else {
            break;
        };
        let reads = crate::reads_of_the_store();
        let drop_him = async {
            eventually("all have read that there is a lease", async || {
                crate::reads_of_the_store() >= reads.saturating_add(FOLLOWERS as u64)
            })
            .await;
            turns_for_all().await;
            drop(leader);
        };
        let followers = join_all((0..FOLLOWERS).map(|_| reader(id, &source)));
        let (values, ()) = in_time(async { tokio::join!(followers, drop_him) }).await;
        assert_eq!(values, [0; FOLLOWERS]);
        assert!(source.loads() <= 2, "his load, and one in its place");
        assert!(is_free(id, &source).await, "after {times} polls");
    }
}

/// One who waits is dropped at each of his await points. That is nothing to the leader, nor to the others.
async fn following(reader: impl AsyncFn(u64, &Source) -> u64) {
    let _turn = turn().await;
    for times in 1.. {
        let (id, source) = (fresh(), Source::closed());
        let reads = crate::reads_of_the_store();
        let follow = async {
            eventually("the leader loads", async || source.loads() == 1).await;
            let others = join_all((1..FOLLOWERS).map(|_| reader(id, &source)));
            tokio::join!(cut(reader(id, &source), times), others)
        };
        let open = async {
            eventually("all have read that there is a lease", async || {
                // The leader before them.
                crate::reads_of_the_store() >= reads.saturating_add(FOLLOWERS as u64 + 1)
            })
            .await;
            turns_for_all().await;
            source.open();
        };
        let all = async { tokio::join!(reader(id, &source), follow, open) };
        let (value, (cut_off, others), ()) = in_time(all).await;
        assert_eq!(value, 0);
        assert_eq!(others, [0; FOLLOWERS - 1]);
        assert_eq!(source.loads(), 1);
        assert!(is_free(id, &source).await, "after {times} polls");
        if cut_off.is_some() {
            break;
        }
    }
}

/// A leader panics at each await point of his body. Those who wait for him load.
async fn panicking(reader: impl AsyncFn(u64, &Source) -> u64) {
    let _turn = turn().await;
    for point in [LOADING, LOADED] {
        let (id, source) = (fresh(), Source::panicking_at(point));
        let all = (0..=FOLLOWERS).map(|_| AssertUnwindSafe(reader(id, &source)).catch_unwind());
        let results = in_time(join_all(all)).await;
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        assert!(source.has_failed.load(Ordering::SeqCst));
        assert!(is_free(id, &source).await);
    }
}

#[tokio::test]
async fn a_refresh_of_an_empty_key() {
    alone(refreshing).await;
    leading_others(refreshing, read).await;
}

#[tokio::test]
async fn a_bypass() {
    alone(bypassing).await;
}

#[tokio::test]
async fn a_read_in_a_transaction() {
    alone(in_a_transaction).await;
}

/// The older value stays, or the new one stands there, or nothing does.
#[tokio::test]
async fn a_refresh_of_a_cached_value() {
    let _turn = turn().await;
    let mut loads = Vec::new();
    for times in 1.. {
        let (id, source) = (fresh(), Source::new());
        assert_eq!(read(id, &source).await, 0);
        let refreshed = cut(refreshing(id, &source), times).await;
        loads.push(source.loads());
        let is_free = is_free(id, &source).await;
        assert!(is_free, "after {times} polls");
        if refreshed.is_some() {
            break;
        }
    }
    assert!(loads.contains(&2), "it was cut while it loaded");
}

/// It takes no lease, so there is none to be left.
#[tokio::test]
async fn a_call_that_must_not_load() {
    let _turn = turn().await;
    for times in 1.. {
        let (id, source) = (fresh(), Source::new());
        let found = cut(only_cached(read(id, &source)), times).await;
        assert_eq!(source.loads(), 0);
        let first = in_time(read(id, &source)).await;
        assert_eq!((first, source.loads()), (0, 1));
        if let Some(found) = found {
            assert_eq!(found, None);
            break;
        }
    }
}

macro_rules! readers {
    ($($name:ident)*) => {$(
        mod $name {
            #[tokio::test]
            async fn alone() {
                super::alone(super::$name).await;
            }

            #[tokio::test]
            async fn leading() {
                super::leading(super::$name).await;
            }

            #[tokio::test]
            async fn following() {
                super::following(super::$name).await;
            }

            #[tokio::test]
            async fn panicking() {
                super::panicking(super::$name).await;
            }
        }
    )*};
}
readers! {
    read
    get_or_load
    get_or_load_optional
    several
}

/// Those who ask for several keys, and those who ask for one of them.
#[tokio::test]
async fn a_leader_of_several_and_followers_of_one() {
    leading_others(several, read).await;
    leading_others(read, several).await;
}

/// Two keys, of which another loads one: dropped at each await point, it leaves its own key free, and is nothing to the other.
#[tokio::test]
async fn leading_one_and_following_another() {
    let _turn = turn().await;
    for times in 1.. {
        let (led, followed) = (fresh(), fresh());
        let (own, others) = (Source::new(), Source::closed());
        let sources = HashMap::from([(led, &own), (followed, &others)]);
        let is_cut = AtomicBool::new(false);
        let follow = async {
            eventually("the other loads", async || others.loads() == 1).await;
            let found = cut(of_two(vec![led, followed], &sources), times).await;
            is_cut.store(true, Ordering::SeqCst);
            found
        };
        let open = async {
            eventually("its own is loaded, or it was cut before", async || {
                own.loads() == 1 || is_cut.load(Ordering::SeqCst)
            })
            .await;
            turns_for_all().await;
            others.open();
        };
        let all = async { tokio::join!(read(followed, &others), follow, open) };
        let (value, found, ()) = in_time(Box::pin(all)).await;
        assert_eq!((value, others.loads()), (0, 1));
        assert!(is_free(led, &own).await, "after {times} polls");
        assert!(is_free(followed, &others).await, "after {times} polls");
        if let Some(found) = found {
            assert_eq!(found, HashMap::from([(led, 0), (followed, 0)]));
            break;
        }
    }
}
