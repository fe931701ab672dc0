//! What a subject does when it is measured, for a slice of time after another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, LazyLock};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::JoinSet;

use crate::user;

/// How many keys there are. All values of a subject together fit the second-level cache of a common core.
pub(crate) const KEYS: u64 = 1000;

/// A way of calling, prepared once.
pub(crate) trait Workload {
    /// Calls for as long as `length`, from `callers` threads or tasks.
    fn slice(&self, callers: usize, length: Duration) -> Slice;

    /// Calls on this thread, and tells how often; `None` if the calls cannot stay on one thread.
    fn batch(&self) -> Option<usize> {
        None
    }
}

/// What was seen in one slice.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Slice {
    /// How many calls ended.
    pub(crate) calls: u64,
    /// Nanoseconds of wall time for one call: of all callers together, so the inverse of the throughput.
    pub(crate) wall: f64,
    /// Nanoseconds of this process's CPU time for one call.
    pub(crate) cpu: f64,
    /// The time of a call in nanoseconds: half of them took longer, and one in a hundred. Zero where a call is too short to be timed alone.
    pub(crate) p50: f64,
    /// See `p50`.
    pub(crate) p99: f64,
    /// How many of the calls ran the body.
    pub(crate) loads: u64,
}

/// A call that answers without waiting, in a tight loop of each thread.
pub(crate) struct Tight<F> {
    batch: F,
    ids: Vec<u64>,
}

impl<F: Fn(&[u64]) + Sync> Tight<F> {
    /// `batch` calls once for each of these ids. It is given many at a time, so that what surrounds its loop costs nothing.
    pub(crate) fn boxed<'a>(batch: F) -> Box<dyn Workload + 'a>
    where
        F: 'a,
    {
        let ids: Vec<_> = std::iter::repeat_with(|| fastrand::u64(..KEYS))
            .take(4096)
            .collect();
        let all: Vec<_> = (0..KEYS).collect();
        // Fills the cache, so that from here on there are hits only.
        batch(&all);
        batch(&all);
        Box::new(Self { batch, ids })
    }
}

impl<F: Fn(&[u64]) + Sync> Workload for Tight<F> {
    fn slice(&self, callers: usize, length: Duration) -> Slice {
        let (barrier, calls, longest) =
            (Barrier::new(callers), AtomicU64::new(0), AtomicU64::new(0));
        let (loads, cpu) = (user::loads(), cpu_time());
        std::thread::scope(|scope| {
            for _ in 0..callers {
                scope.spawn(|| {
                    barrier.wait();
                    let started = Instant::now();
                    let mut own = 0;
                    while started.elapsed() < length {
                        (self.batch)(&self.ids);
                        own += self.ids.len() as u64;
                    }
                    calls.fetch_add(own, Ordering::Relaxed);
                    longest.fetch_max(nanos(started.elapsed()), Ordering::Relaxed);
                });
            }
        });
        let cpu = cpu_time().saturating_sub(cpu);
        let calls = calls.into_inner();
        Slice {
            calls,
            wall: ratio(longest.into_inner(), calls),
            cpu: ratio(nanos(cpu), calls),
            p50: 0.0,
            p99: 0.0,
            loads: user::loads() - loads,
        }
    }

    fn batch(&self) -> Option<usize> {
        (self.batch)(&self.ids);
        Some(self.ids.len())
    }
}

/// What awaits an async function of an id that answers without waiting, as a [`Tight`] loop.
macro_rules! tight_async {
    ($place:expr, |$id:ident| $call:expr) => {{
        let runtime = $place.runtime.clone();
        $crate::workload::Tight::boxed(move |ids| {
            runtime.block_on(async {
                for &id in ids {
                    let $id = ::std::hint::black_box(id);
                    ::std::hint::black_box($call);
                }
            });
        })
    }};
}
pub(crate) use tight_async;

/// A call that waits for a server, in a loop of each task, as the handlers of a service make it.
pub(crate) struct Tasks<F> {
    runtime: Handle,
    call: F,
    ids: Ids,
}

/// Which ids are asked for.
#[derive(Clone, Copy)]
pub(crate) enum Ids {
    /// Any of the keys, which are all filled: hits.
    Uniform,
    /// Never the same twice: misses.
    Fresh,
}

impl<F, A> Tasks<F>
where
    F: Fn(u64) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = ()> + Send,
{
    pub(crate) fn boxed(runtime: &Handle, ids: Ids, call: F) -> Box<dyn Workload> {
        if matches!(ids, Ids::Uniform) {
            let call = call.clone();
            let fill = runtime.spawn(async move {
                for id in (0..KEYS).chain(0..KEYS) {
                    call(id).await;
                }
            });
            runtime.block_on(fill).expect("the cache is filled");
        }
        Box::new(Self {
            runtime: runtime.clone(),
            call,
            ids,
        })
    }
}

/// The next fresh id. Each process starts anywhere: two of them may share a server.
static FRESH: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(fastrand::u64(1 << 40..1 << 50)));

impl<F, A> Workload for Tasks<F>
where
    F: Fn(u64) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = ()> + Send,
{
    fn slice(&self, callers: usize, length: Duration) -> Slice {
        let (loads, started, cpu) = (user::loads(), Instant::now(), cpu_time());
        let mut tasks = JoinSet::new();
        for _ in 0..callers {
            let (call, ids) = (self.call.clone(), self.ids);
            let task = async move {
                let mut times = histogram();
                let mut begun = Instant::now();
                while begun.duration_since(started) < length {
                    let id = match ids {
                        Ids::Uniform => fastrand::u64(..KEYS),
                        Ids::Fresh => FRESH.fetch_add(1, Ordering::Relaxed),
                    };
                    call(id).await;
                    let ended = Instant::now();
                    times.saturating_record(nanos(ended - begun));
                    begun = ended;
                }
                times
            };
            tasks.spawn_on(task, &self.runtime);
        }
        let all = self.runtime.block_on(tasks.join_all());
        let (took, cpu) = (started.elapsed(), cpu_time().saturating_sub(cpu));
        let mut times = histogram();
        for own in all {
            times.add(own).expect("of one shape");
        }
        Slice {
            calls: times.len(),
            wall: ratio(nanos(took), times.len()),
            cpu: ratio(nanos(cpu), times.len()),
            p50: float(times.value_at_quantile(0.5)),
            p99: float(times.value_at_quantile(0.99)),
            loads: user::loads() - loads,
        }
    }
}

/// Two significant digits are less than the noise; with three, the histograms of 256 tasks would outgrow the caches of the CPU.
fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(256, 1_000_000_000, 2).expect("valid bounds")
}

/// The CPU time of this process so far.
fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).expect("never negative")
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[allow(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

fn ratio(sum: u64, count: u64) -> f64 {
    float(sum) / float(count.max(1))
}
