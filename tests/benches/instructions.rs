//! How many instructions the hot paths take, counted by valgrind: unlike time, the same in every run, whatever else the
//! machine does. More than the bound is an error.
//!
//! `cargo bench -p cache-tests --bench instructions`, with valgrind and the `gungraun-runner` of the same version as in
//! `Cargo.toml`; `tests/run.sh` installs both.

#![allow(
    missing_docs,
    reason = "the macros of gungraun write functions without docs"
)]

use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use cache_runtime::__private::{count_hit, open, read_slot, seal, with_key};
use cache_runtime::slot::Token;
use cache_runtime::{Cache, CacheConfig, CallSite, MessagePack, Mode, cached, install};
use gungraun::prelude::*;
use gungraun::{Callgrind, EventKind};
use serde::{Deserialize, Serialize};

const KEY: &[u8] = b"cache:0:user:12345";

#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    roles: Vec<String>,
}

fn user(id: u64) -> User {
    User {
        id,
        name: format!("user number {id}"),
        roles: (0..8).map(|role| format!("role {role} of {id}")).collect(),
    }
}

#[cached(key = "user:<id>", ttl = "1h")]
async fn find(id: u64) -> Arc<User> {
    Arc::new(user(id))
}

#[cached(key = "number:<id>", ttl = "1h")]
async fn number(id: u64) -> u64 {
    id + 1
}

/// Awaits a call that need not wait, where it stands: to move its future would count, too.
macro_rules! now {
    ($call:expr) => {
        match pin!($call).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => unreachable!("the embedded store does not wait"),
        }
    };
}

fn at_most(instructions: u64) -> LibraryBenchmarkConfig {
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, instructions)]);
    LibraryBenchmarkConfig::default().tool(callgrind).clone()
}

fn embedded(mode: Mode) -> u64 {
    let cache = Cache::new(CacheConfig::embedded().mode(mode)).ok();
    let _ = cache.map(install);
    let id = 12_345;
    // Whatever is made once is made here: the entry, the counters, the thread's own data.
    for _ in 0..3 {
        now!(find(id));
        now!(number(id));
    }
    id
}

/// What `GET` answers for a value: a mark, a token, an envelope.
fn reply(id: u64) -> Vec<u8> {
    let sealed = seal::<_, MessagePack>(KEY, Some(&user(id)), 0, usize::MAX).unwrap_or_default();
    [&[0xF8][..], Token::next().as_bytes(), &sealed].concat()
}

#[library_benchmark(config = at_most(190))]
#[bench::on(embedded(Mode::On))]
fn key(id: u64) -> usize {
    with_key(
        |key| {
            key.literal("user:");
            key.part(&black_box(id));
        },
        |key| black_box(key).len(),
    )
}

#[library_benchmark(config = at_most(580))]
#[bench::arc(embedded(Mode::On))]
fn local_hit(id: u64) -> Arc<User> {
    now!(find(black_box(id)))
}

fn counted(mode: Mode) -> Option<&'static CallSite> {
    embedded(mode);
    cache_runtime::call_sites().find(|site| site.templates() == ["number:<id>"])
}

// What of a hit is for the figures alone.
#[library_benchmark(config = at_most(70))]
#[bench::on(counted(Mode::On))]
fn counting(site: Option<&'static CallSite>) {
    if let Some(site) = site {
        count_hit(black_box(site));
    }
}

#[library_benchmark(config = at_most(55))]
#[bench::off(embedded(Mode::Off))]
fn disabled(id: u64) -> u64 {
    now!(number(black_box(id)))
}

#[library_benchmark(config = at_most(6200))]
#[bench::canned(reply(12_345))]
fn redis_hit(reply: Vec<u8>) -> Option<User> {
    match read_slot(black_box(reply)) {
        cache_runtime::slot::Reply::Hit(_, sealed) => {
            open::<_, MessagePack>(KEY, &sealed, 0).ok().flatten()
        }
        _ => None,
    }
}

library_benchmark_group!(
    name = hot_paths,
    benchmarks = [key, local_hit, counting, disabled, redis_hit]
);
main!(library_benchmark_groups = hot_paths);
