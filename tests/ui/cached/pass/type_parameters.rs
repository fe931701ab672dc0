use cache_runtime::{KeyPart, cached};

trait Executor: Sync {}
impl Executor for () {}

#[cached(key = "first:<id>", ttl = 60, skip(executor))]
async fn of_an_argument<E: Executor, K: KeyPart>(executor: &E, id: K) -> u64 {
    let _ = (executor, id);
    1
}

#[cached(key = "second", ttl = 60)]
async fn of_the_value<T: Default + cache_runtime::CacheValue>() -> Vec<T> {
    vec![T::default()]
}

#[cached(key = "third:<id>", ttl = 60, skip(E, N))]
async fn skipped<E: Executor, const N: usize>(id: u64) -> u64 {
    id + N as u64
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    assert_eq!(of_an_argument(&(), 1).await, 1);
    assert_eq!(of_the_value::<u8>().await, [0]);
    assert_eq!(of_the_value::<String>().await, [""]);
    assert_eq!(skipped::<(), 2>(1).await, 3);
}
