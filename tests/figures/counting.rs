//! What it costs to count and time a hit, and whether two threads that do so are in each other's way.

use std::hint::black_box;
use std::pin::pin;
use std::sync::Barrier;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use cache_runtime::__private::count_hit;
use cache_runtime::{Cache, CacheConfig, cached, install};

const ROUNDS: usize = 21;
const HITS: u32 = 2_000_000;

#[cached(key = "one:<id>", ttl = "1h")]
async fn one(id: u64) -> u64 {
    id
}

#[cached(key = "other:<id>", ttl = "1h")]
async fn other(id: u64) -> u64 {
    id
}

/// Awaits a call that need not wait.
fn now<T>(call: impl Future<Output = T>) -> Option<T> {
    match pin!(call).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Nanoseconds for each of many.
fn time(mut once: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..HITS {
        once();
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(HITS)
}

/// The same by two threads at a time: the mean of both.
fn time_two(first: impl FnMut() + Send, second: impl FnMut() + Send) -> f64 {
    let start = Barrier::new(2);
    std::thread::scope(|threads| {
        let other = threads.spawn(|| {
            start.wait();
            time(second)
        });
        start.wait();
        let own = time(first);
        f64::midpoint(own, other.join().unwrap_or(f64::NAN))
    })
}

pub(crate) fn measure() {
    let cache = Cache::new(CacheConfig::embedded()).expect("a cache");
    install(cache).expect("installed once");
    let site = cache_runtime::call_sites()
        .find(|site| site.templates() == ["one:<id>"])
        .expect("a call site");
    let hit = |id| {
        move || {
            black_box(now(one(black_box(id))));
        }
    };
    let hit_other = |id| {
        move || {
            black_box(now(other(black_box(id))));
        }
    };
    for id in [1, 2] {
        hit(id)();
        hit_other(id)();
    }
    let count = || count_hit(black_box(site));
    // In turn, so that all of them have the same machine.
    let mut taken: [Vec<f64>; 6] = Default::default();
    for _ in 0..ROUNDS {
        let round = [
            time(|| {
                black_box(site);
            }),
            time(count),
            time_two(count, count),
            time(hit(1)),
            time_two(hit(1), hit_other(2)),
            time_two(hit(1), hit(2)),
        ];
        for (taken, time) in taken.iter_mut().zip(round) {
            taken.push(time);
        }
    }
    let [empty, alone, both, hit, apart, together] = taken.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    println!(
        "{:<52}{:>8}",
        "what, median of 21 rounds of 2 000 000", "ns"
    );
    for (what, time) in [
        ("an empty loop", empty),
        ("counting and timing a hit", alone),
        ("the same by two threads at one call site", both),
        ("an embedded hit, counted", hit),
        ("the same by two threads, each at a call site", apart),
        ("the same by two threads at one call site", together),
    ] {
        println!("{what:<52}{time:>8.2}");
    }
    println!(
        "counting costs {:.2} ns; two threads that count at one call site take {:.2} times as long, whole hits {:.2} times \
         as long as at two",
        alone - empty,
        both / alone,
        together / apart
    );
}
