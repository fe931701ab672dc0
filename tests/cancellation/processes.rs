//! Two processes, as two caches on one Redis: one loads, the other waits for its lease.

use std::convert::Infallible;

use cache_runtime::Cache;
use cache_tests::{eventually, halted};
use futures_util::future::join_all;

use crate::reads_of_the_store;
use crate::suite::{HOUR, Source, cache, fresh, in_time, key, turn, turns_for_all};

const WAITING: usize = 3;

async fn read(cache: &Cache, id: u64, source: &Source) -> u64 {
    let load = async || Ok::<_, Infallible>(source.load().await);
    let Ok(value) = cache.get_or_load(&key(id), HOUR, load).await;
    value
}

/// Whether the next call is answered from the store.
async fn is_hit(cache: &Cache, id: u64, source: &Source) -> bool {
    let before = source.loads();
    in_time(read(cache, id, source)).await;
    source.loads() == before
}

/// A leader is dropped at each of his await points. Those in the other process go on, and one of them loads.
#[tokio::test]
async fn a_leader_who_is_dropped_is_replaced_by_another_process() {
    let _turn = turn().await;
    let (ours, theirs) = (cache(), cache());
    for times in 1.. {
        let (id, source) = (fresh(), Source::new());
        let Err(leader) = halted(read(&ours, id, &source), times).await else {
            break;
        };
        let reads = reads_of_the_store();
        let drop_him = async {
            eventually("they look again and again", async || {
                reads_of_the_store() >= reads + WAITING as u64 + 2 || source.loads() > 0
            })
            .await;
            drop(leader);
        };
        let waiting = join_all((0..WAITING).map(|_| read(&theirs, id, &source)));
        let (values, ()) = in_time(async { tokio::join!(waiting, drop_him) }).await;
        assert_eq!(values, [0; WAITING]);
        assert!(source.loads() <= 2, "his load, and one in its place");
        assert!(is_hit(&ours, id, &source).await && is_hit(&theirs, id, &source).await);
    }
}

/// One who watches the lease of another process is dropped at each of his await points. Another watches on.
#[tokio::test]
async fn one_who_waits_for_another_process_can_be_dropped() {
    let _turn = turn().await;
    let (ours, theirs) = (cache(), cache());
    // He looks at the lease until it is over: at some points of the first few looks.
    for times in 1..20 {
        let (id, source) = (fresh(), Source::closed());
        let wait = async {
            eventually("the leader loads", async || source.loads() == 1).await;
            let watching = halted(read(&theirs, id, &source), times).await;
            let reads = reads_of_the_store();
            let drop_him = async {
                eventually("the others have read that there is a lease", async || {
                    reads_of_the_store() >= reads + WAITING as u64
                })
                .await;
                turns_for_all().await;
                assert!(watching.is_err(), "the leader still loads");
                drop(watching);
                source.open();
            };
            let others = join_all((0..WAITING).map(|_| read(&theirs, id, &source)));
            tokio::join!(others, drop_him).0
        };
        let all = async { tokio::join!(read(&ours, id, &source), wait) };
        let (value, others) = Box::pin(in_time(all)).await;
        assert_eq!(value, 0);
        assert_eq!(others, [0; WAITING]);
        assert_eq!(source.loads(), 1);
        assert!(is_hit(&ours, id, &source).await && is_hit(&theirs, id, &source).await);
    }
}
