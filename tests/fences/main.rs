//! Fences, and mutations that ask to fail: on a Redis store, with servers that are frozen and processes that are killed.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cache_runtime::{
    Cache, CacheConfig, InvalidationError, Key, Policy, cached, global, install, invalidates,
    transaction, try_transaction,
};
use cache_tests::{RedisServer, cut, eventually};
use tokio::sync::{Mutex, MutexGuard, oneshot};

static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

/// How long a fence lives here: long beside a busy machine's pauses, short beside a test.
const FENCE: Duration = Duration::from_secs(2);

/// The server, for one test at a time: some freeze it. Installs the cache of the annotated functions.
async fn server() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    let turn = TURN.lock().await;
    let config = CacheConfig::redis(&SERVER.url())
        .expect("a URL")
        .fence(FENCE);
    // Only the first test does; the others find it installed.
    let _ = install(Cache::new(config).expect("a cache"));
    eventually("the cache trusts its store", async || {
        global().undelivered() == 0 && global().invalidate(&Key::of("probe")).await.is_ok()
    })
    .await;
    turn
}

fn fresh() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

#[cached(key = "fences:<id>", ttl = "1h", skip(current))]
async fn read(id: u64, current: u64) -> u64 {
    current
}

/// Whether a read is answered from the store. The fence may expire between the two: the second stores then.
async fn is_cached(id: u64) -> bool {
    let before = read(id, fresh()).await;
    read(id, fresh()).await == before
}

#[derive(Debug, PartialEq)]
enum Failure {
    NotBegun,
    NotInForce(u64),
    OfTheBody,
}

impl From<InvalidationError<u64>> for Failure {
    fn from(error: InvalidationError<u64>) -> Self {
        error.into_value().map_or(Self::NotBegun, Self::NotInForce)
    }
}

#[invalidates("fences:<id>", fence)]
async fn fenced(id: u64, body: impl AsyncFnOnce() -> Result<u64, Failure>) -> Result<u64, Failure> {
    body().await
}

#[invalidates("fences:<id>", fence, on_error = "fail")]
async fn fenced_or_fail(
    id: u64,
    body: impl AsyncFnOnce() -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    body().await
}

#[invalidates("fences:<id>", on_error = "fail")]
async fn or_fail(
    id: u64,
    body: impl AsyncFnOnce() -> Result<u64, Failure>,
) -> Result<u64, Failure> {
    body().await
}

#[tokio::test]
async fn while_a_fenced_mutation_runs_its_key_is_read_past_the_cache() {
    let _turn = server().await;
    let id = fresh();
    assert_eq!(read(id, 1).await, 1);
    assert_eq!(read(id, 2).await, 1, "a hit");
    let (begun, has_begun) = oneshot::channel();
    let (go_on, goes_on) = oneshot::channel::<()>();
    let mutation = tokio::spawn(fenced(id, async move || {
        let _ = begun.send(());
        let _ = goes_on.await;
        Ok(0)
    }));
    has_begun.await.expect("it has begun");
    for current in [3, 4] {
        assert_eq!(
            read(id, current).await,
            current,
            "not cached, and not stored"
        );
    }
    go_on.send(()).expect("it waits");
    mutation.await.expect("it ends").expect("it succeeds");
    assert_eq!(read(id, 5).await, 5);
    assert_eq!(read(id, 6).await, 5, "a hit again");
}

#[tokio::test]
async fn a_fence_is_renewed_while_its_mutation_runs() {
    let _turn = server().await;
    let id = fresh();
    let (go_on, goes_on) = oneshot::channel::<()>();
    let mutation = tokio::spawn(fenced(id, async move || {
        let _ = goes_on.await;
        Ok(0)
    }));
    eventually("the fence is up", async || {
        read(id, 1).await;
        read(id, 2).await == 2
    })
    .await;
    // Longer than a fence lives: that is the point.
    let raised = tokio::time::Instant::now();
    while raised.elapsed() < FENCE + FENCE / 2 {
        read(id, 1).await;
        assert_eq!(read(id, 2).await, 2, "still read past the cache");
        tokio::time::sleep(FENCE / 20).await;
    }
    go_on.send(()).expect("it waits");
    mutation.await.expect("it ends").expect("it succeeds");
    assert_eq!(read(id, 3).await, 3);
    assert_eq!(read(id, 4).await, 3, "a hit again");
}

/// Its mutation has ended long before.
#[tokio::test]
async fn a_fence_is_renewed_until_its_transaction_ends() {
    let _turn = server().await;
    let id = fresh();
    let (go_on, goes_on) = oneshot::channel::<()>();
    let scope = tokio::spawn(transaction(async move {
        fenced(id, async || Ok(0)).await.expect("it succeeds");
        let _ = goes_on.await;
    }));
    eventually("the fence is up", async || mark_of_slot(id) == Some(0xFA)).await;
    // Longer than a fence lives: that is the point.
    let raised = tokio::time::Instant::now();
    while raised.elapsed() < FENCE + FENCE / 2 {
        assert_eq!(mark_of_slot(id), Some(0xFA), "a fence");
        tokio::time::sleep(FENCE / 20).await;
    }
    go_on.send(()).expect("it waits");
    scope.await.expect("it ends");
    assert_eq!(mark_of_slot(id), None, "lowered");
}

/// A commit that is on its way to the database may arrive after the caller is gone.
#[tokio::test]
async fn a_fenced_mutation_that_was_cut_off_keeps_its_fence_until_it_expires() {
    let _turn = server().await;
    let id = fresh();
    read(id, 1).await;
    let stuck = fenced(id, async || std::future::pending().await);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), stuck)
            .await
            .is_err()
    );
    eventually("the invalidation is delivered", async || {
        global().undelivered() == 0
    })
    .await;
    assert_eq!(mark_of_slot(id), Some(0xFA), "a fence");
    eventually("the fence expires", async || is_cached(id).await).await;
}

/// Wherever it was cut off; and until the fence has expired, each read is right.
#[tokio::test]
async fn a_fenced_mutation_keeps_its_fence_wherever_it_was_cut_off() {
    let _turn = server().await;
    let mut cut_off = Vec::new();
    // The raising of the fence has points of its own, before these.
    for times in 1..20 {
        let id = fresh();
        read(id, 0).await;
        let committed = AtomicU64::new(0);
        let mutation = fenced(id, async || {
            tokio::task::yield_now().await;
            committed.store(1, Ordering::SeqCst);
            tokio::task::yield_now().await;
            Ok(committed.load(Ordering::SeqCst))
        });
        if cut(mutation, times).await.is_some() {
            break;
        }
        cut_off.push((id, committed.load(Ordering::SeqCst)));
    }
    for &(id, value) in &cut_off {
        assert_eq!(read(id, value).await, value, "at once in this process");
    }
    eventually("all are delivered", async || global().undelivered() == 0).await;
    let mut fences = 0;
    for &(id, value) in &cut_off {
        fences += usize::from(mark_of_slot(id) == Some(0xFA));
        assert_eq!(read(id, value).await, value);
    }
    assert!(fences > 0, "some were cut off in the body: {cut_off:?}");
    for (id, _) in cut_off {
        eventually("the fence expires", async || is_cached(id).await).await;
    }
}

/// So may one that failed for its caller.
#[tokio::test]
async fn a_fenced_mutation_that_failed_keeps_its_fence_until_it_expires() {
    let _turn = server().await;
    let id = fresh();
    let failed = fenced(id, async || Err(Failure::OfTheBody)).await;
    assert_eq!(failed, Err(Failure::OfTheBody));
    assert_eq!(mark_of_slot(id), Some(0xFA), "a fence");
    assert_eq!(
        fenced_or_fail(id, async || Err(Failure::OfTheBody)).await,
        failed
    );
    assert_eq!(mark_of_slot(id), Some(0xFA), "a fence");
    eventually("the fence expires", async || is_cached(id).await).await;
}

/// The first byte of what stands in Redis.
fn mark_of_slot(id: u64) -> Option<u8> {
    let slot: Vec<u8> = redis::cmd("GET")
        .arg(SERVER.slot(&format!("fences:{id}")))
        .query(&mut SERVER.connection())
        .expect("an answer");
    slot.first().copied()
}

#[tokio::test]
async fn asked_to_fail_a_mutation_does_not_begin_without_its_fence() {
    let _turn = server().await;
    let id = fresh();
    SERVER.freeze();
    let failed = fenced_or_fail(id, async || panic!("it must not begin")).await;
    SERVER.thaw();
    assert_eq!(failed, Err(Failure::NotBegun));
    // Well again.
    eventually("it succeeds", async || {
        fenced_or_fail(id, async || Ok(7)).await == Ok(7)
    })
    .await;
}

#[tokio::test]
async fn asked_to_fail_a_mutation_tells_that_its_invalidation_is_not_in_force() {
    let _turn = server().await;
    let id = fresh();
    read(id, 1).await;
    SERVER.freeze();
    let failed = or_fail(id, async || Ok(7)).await;
    assert_eq!(
        failed,
        Err(Failure::NotInForce(7)),
        "with what the body returned"
    );
    assert_eq!(read(id, 2).await, 2, "this process knows");
    assert_eq!(
        or_fail(id, async || Err(Failure::OfTheBody)).await,
        Err(Failure::OfTheBody)
    );
    SERVER.thaw();
    eventually("it is delivered", async || global().undelivered() == 0).await;
    assert_eq!(read(id, 3).await, 3);
}

/// The default: the mutation's own result, whatever the store does.
#[tokio::test]
async fn a_fenced_mutation_proceeds_without_its_fence() {
    let _turn = server().await;
    let id = fresh();
    read(id, 1).await;
    SERVER.freeze();
    assert_eq!(fenced(id, async || Ok(7)).await, Ok(7));
    SERVER.thaw();
    eventually("it is delivered", async || global().undelivered() == 0).await;
    assert_eq!(read(id, 2).await, 2);
}

/// Before anything was committed, in either way.
#[tokio::test]
async fn asked_to_fail_a_mutation_within_a_transaction_can_be_rolled_back() {
    let _turn = server().await;
    let id = fresh();
    read(id, 1).await;
    SERVER.freeze();
    let rolled_back = try_transaction(async {
        assert_eq!(
            or_fail(id, async || Ok(7)).await,
            Err(Failure::NotInForce(7))
        );
        fenced_or_fail(id, async || panic!("it must not begin")).await
    })
    .await;
    assert_eq!(rolled_back, Err(Failure::NotBegun));
    assert_eq!(read(id, 2).await, 2, "this process knows");
    SERVER.thaw();
    eventually("it is delivered", async || global().undelivered() == 0).await;
    eventually("the fence expires", async || is_cached(id).await).await;
}

/// More than are sent in one go. Nobody waits for each part of it.
#[tokio::test]
async fn what_a_frozen_store_does_not_take_of_a_transaction_is_queued() {
    let _turn = server().await;
    let ids: Vec<u64> = (0..600).map(|_| fresh()).collect();
    for &id in &ids {
        read(id, 1).await;
    }
    let failed = global().stats().store_errors;
    transaction(async {
        for &id in &ids {
            change(id).await;
        }
        SERVER.freeze();
    })
    .await;
    assert_eq!(global().undelivered(), ids.len());
    let failed = global().stats().store_errors - failed;
    assert!(failed < 300, "{failed} steps were tried");
    for &id in &ids {
        assert_eq!(read(id, 2).await, 2, "this process knows");
    }
    SERVER.thaw();
    eventually("it is delivered", async || global().undelivered() == 0).await;
    for &id in &ids {
        assert_eq!(read(id, 3).await, 3);
    }
}

#[invalidates("fences:<id>")]
async fn change(id: u64) {}

/// What a process leaves that is killed between its commit and its invalidation: the value that others read afterwards.
async fn after_a_crash(mutation: &str) -> String {
    let server = RedisServer::start();
    let directory = tempfile::TempDir::new().expect("a folder");
    let database = directory.path().join("database");
    let cache = Cache::new(CacheConfig::redis(&server.url()).expect("a URL")).expect("a cache");
    let key = Key::of("crash");
    let read = async |database: &Path| {
        let policy = Policy::new(Duration::from_secs(3600));
        let load = async || std::fs::read_to_string(database);
        cache.get_or_load(&key, policy, load).await.expect("a file")
    };
    std::fs::write(&database, "old").expect("to write");
    assert_eq!(read(&database).await, "old");

    let died = Command::new(env!("CARGO_BIN_EXE_worker"))
        .args(["crash", mutation])
        .env("REDIS_URL", server.url())
        .env("DATABASE", &database)
        .status()
        .expect("a worker");
    assert!(!died.success(), "it was killed");
    assert_eq!(
        std::fs::read_to_string(&database).expect("a file"),
        "new",
        "after its commit"
    );
    read(&database).await
}

#[tokio::test]
async fn a_crash_after_a_fenced_commit_leaves_no_stale_value() {
    assert_eq!(after_a_crash("fenced").await, "new");
}

#[tokio::test]
async fn a_crash_in_a_transaction_after_a_fenced_commit_leaves_no_stale_value() {
    assert_eq!(after_a_crash("transaction").await, "new");
}

/// The tests above can fail: without a fence the invalidation is lost with the process.
#[tokio::test]
async fn a_crash_after_a_commit_without_a_fence_does() {
    assert_eq!(after_a_crash("plain").await, "old");
}
