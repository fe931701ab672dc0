//! Replies to a pattern that are damaged on their way: what was not invalidated is not taken for invalidated.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cache_runtime::{Cache, CacheConfig, Key, Policy};
use cache_tests::meddler::Meddler;
use cache_tests::{RedisServer, eventually};

const HOUR: Policy = Policy::new(Duration::from_secs(3600));

fn cache(url: &str) -> Cache {
    let config = CacheConfig::redis(url).expect("a URL");
    Cache::new(config).expect("a cache")
}

fn day(user: u64) -> Key {
    Key::of("day").part(&user)
}

/// A pattern is invalidated over a line that does this to replies, and then there is nothing left of `keys` keys under it.
async fn leaves_nothing(keys: u64, damage: fn(&mut [u8]) -> bool) {
    let server = RedisServer::start();
    let [damages, has_damaged]: [Arc<AtomicBool>; 2] = Default::default();
    let line = Meddler::in_front_of(server.port(), {
        let (damages, has_damaged) = (damages.clone(), has_damaged.clone());
        move |reply| {
            if damages.load(Ordering::SeqCst) && damage(reply) {
                has_damaged.store(true, Ordering::SeqCst);
            }
        }
    });
    let (ours, theirs) = (cache(&line.url()), cache(&server.url()));
    let keys: Vec<_> = (0..keys).map(|n| day(7).part(&n)).collect();
    for key in &keys {
        theirs.put(key, 1_u64, HOUR).await.expect("stored");
    }

    damages.store(true, Ordering::SeqCst);
    let told = ours.invalidate_pattern(&day(7)).await;
    damages.store(false, Ordering::SeqCst);
    assert_eq!(
        told.is_err(),
        has_damaged.load(Ordering::SeqCst),
        "{told:?}"
    );
    assert_eq!(ours.undelivered(), usize::from(told.is_err()));

    eventually("the pattern is delivered", async || ours.undelivered() == 0).await;
    for key in &keys {
        let left = theirs.get::<u64>(key, HOUR).await.expect("an answer");
        assert_eq!(left, None, "{key:?}");
    }
}

/// A damaged name would be that of another slot.
#[tokio::test]
async fn the_names_of_slots() {
    leaves_nothing(3, |reply| {
        let name = b":day:7:";
        let found = reply.windows(name.len()).position(|bytes| bytes == name);
        found.is_some_and(|at| {
            reply[at + name.len()] ^= 8;
            true
        })
    })
    .await;
}

/// From a damaged cursor on, a scan would pass over slots.
#[tokio::test]
async fn the_cursor() {
    leaves_nothing(2000, |reply| {
        // A bulk string of a number, twice, or the number at the head of a page.
        let text = String::from_utf8_lossy(reply).into_owned();
        let mut lines = text.split("\r\n");
        let (Some(head), Some(next)) = (lines.next(), lines.next()) else {
            return false;
        };
        let (cursor, at) = match next.split_once(' ') {
            Some((cursor, again)) if cursor == again => (cursor, head.len() + 2),
            None if head == "*2" => match lines.next() {
                Some(cursor) => (cursor, head.len() + next.len() + 4),
                None => return false,
            },
            _ => return false,
        };
        let is_cursor = !cursor.is_empty() && cursor.bytes().all(|byte| byte.is_ascii_digit());
        if is_cursor {
            reply[at + cursor.len() - 1] ^= 1;
        }
        is_cursor && cursor != "0"
    })
    .await;
}
