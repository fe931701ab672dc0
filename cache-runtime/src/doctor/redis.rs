//! What there is to know of a Redis.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use redis::{InfoDict, Value};

use super::Check;
use crate::budget::Budget;
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;
use crate::race::within;
use crate::site::{CallSite, call_sites};
use crate::slot::{Reply, Step, Token};
use crate::store::Payload;
use crate::store::redis::RedisStore;

/// How long one step may take. Longer than a call's budget: nobody waits for it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How often it asks for the round trip.
const PINGS: usize = 9;

/// A round trip that a hit should not take.
const SLOW: Duration = Duration::from_millis(5);

/// How far apart two clocks may be.
const APART: Duration = Duration::from_secs(1);

/// The oldest version that has what the scripts and the local tier use.
const OLDEST: (u32, u32) = (6, 0);

impl RedisStore {
    /// Looks at the server, and at what it lets the cache do.
    pub(crate) async fn examine(self: &Arc<Self>, probe: &RenderedKey) -> Vec<Check> {
        let mut checks = Vec::new();
        match self.round_trip().await {
            Ok(median) => checks.push(connection(&self.address(), median)),
            Err(error) => {
                checks.push(no_connection(&self.address(), &error));
                return checks;
            }
        }
        let is_open = self.is_breaker_open();
        if is_open {
            checks.push(Check::warning(
                "breaker",
                "open: calls go to the source",
                "nothing: it closes by itself, about a second after Redis answers",
            ));
        }
        match self.info().await {
            Ok(info) => {
                checks.push(version(&info));
                checks.push(role(&info));
                checks.push(memory(&info));
                checks.push(evictions(&info));
                checks.push(persistence(&info));
            }
            Err(error) => checks.push(Check::warning(
                "server",
                format!("it tells nothing of itself: {error}"),
                "allow `INFO` to the user of the cache (`ACL SETUSER … +info`): without it, a restart from a snapshot is not noticed",
            )),
        }
        checks.extend(self.clock().await);
        if !is_open {
            checks.push(self.protocol(probe).await);
        }
        checks.push(self.changes().await);
        checks
    }

    async fn round_trip(&self) -> Result<Duration, CacheError> {
        let mut times = Vec::with_capacity(PINGS);
        for _ in 0..PINGS {
            let begun = Instant::now();
            self.command::<Value>(redis::cmd("PING")).await?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(times.get(PINGS / 2).copied().unwrap_or_default())
    }

    async fn info(&self) -> Result<InfoDict, CacheError> {
        self.command(redis::cmd("INFO")).await
    }

    async fn clock(&self) -> Option<Check> {
        const WHAT: &str = "clock";
        let begun = Instant::now();
        let (seconds, micros): (u64, u32) = self.command(redis::cmd("TIME")).await.ok()?;
        let now = SystemTime::now() - begun.elapsed() / 2;
        let theirs = SystemTime::UNIX_EPOCH + Duration::new(seconds, micros.saturating_mul(1000));
        let distance = match theirs.duration_since(now) {
            Ok(ahead) => ahead,
            Err(behind) => behind.duration(),
        };
        let found = format!("{} apart from this machine's", told(distance));
        Some(if distance > APART {
            Check::warning(
                WHAT,
                found,
                "synchronise the machines (NTP): values that are returned past their TTL grow stale by the clock of the process that \
                 loaded them; nothing else depends on it",
            )
        } else {
            Check::ok(WHAT, found)
        })
    }

    /// Does once with a key of its own what the cache does with each.
    #[allow(clippy::items_after_statements, reason = "the names of one line")]
    async fn protocol(self: &Arc<Self>, probe: &RenderedKey) -> Check {
        const WHAT: &str = "protocol";
        let lease = Token::next();
        let value = Payload::Sealed(Bytes::from_static(b"doctor"));
        let steps = [
            ("take a lease", Step::Acquire { lease, over: None }),
            ("fill", Step::Fill(lease, value)),
            ("read", Step::Read),
            ("raise a fence", Step::Raise(lease)),
            ("lower it", Step::Lower(lease)),
            ("invalidate", Step::Invalidate),
            ("read", Step::Read),
        ];
        let mut replies = Vec::new();
        for (what, step) in steps {
            let applied = self
                .apply(probe, step, PATIENCE, Budget::of(PATIENCE))
                .await;
            match applied {
                Ok(reply) => replies.push(reply),
                Err(error) => {
                    return Check::failure(
                        WHAT,
                        format!("it does not let the cache {what}: {error}"),
                        "see \"What Redis must not do\" in the guide on operations for the commands that the cache needs, such as \
                         `EVALSHA` and `SCRIPT LOAD`",
                    );
                }
            }
        }
        use Reply::{Done, Granted, Hit, Miss};
        if matches!(*replies, [Granted, Done, Hit(..), Done, Done, Done, Miss]) {
            Check::ok(WHAT, "leases, fills, fences and invalidations work")
        } else {
            Check::failure(
                WHAT,
                format!("the steps of the cache are answered with {replies:?}"),
                "name a Redis 6.0 or later, or one that is compatible",
            )
        }
    }

    /// Whether it tells of changes, where that is wanted.
    async fn changes(self: &Arc<Self>) -> Check {
        const WHAT: &str = "local tier";
        if !call_sites().any(CallSite::is_local) {
            return Check::ok(
                WHAT,
                "no function keeps values in this process (`local_ttl`)",
            );
        }
        match within(PATIENCE, self.is_telling()).await {
            Some(true) => Check::ok(WHAT, "Redis tells of changes"),
            Some(false) => Check::warning(
                WHAT,
                "Redis does not tell of changes (`CLIENT TRACKING`): values in this process live by their `local_ttl`",
                "allow `HELLO` and `CLIENT TRACKING` to the user of the cache, unless you want it so (`CacheConfig::tracking(false)`)",
            ),
            None => Check::warning(
                WHAT,
                "not known: Redis has not answered whether it tells of changes",
                "look again: until it does, nothing is kept in this process",
            ),
        }
    }
}

fn connection(address: &str, median: Duration) -> Check {
    const WHAT: &str = "connection";
    let found = format!("{address} answers within {}", told(median));
    if median > SLOW {
        Check::warning(
            WHAT,
            found,
            "every hit takes that long: bring Redis nearer, or keep hot values in the process with `local_ttl`",
        )
    } else {
        Check::ok(WHAT, found)
    }
}

fn no_connection(address: &str, error: &CacheError) -> Check {
    let advice = match error.kind() {
        ErrorKind::Timeout => {
            "is it frozen, overloaded, or behind a firewall that drops packets? `redis-cli -h … ping` from this machine tells"
        }
        ErrorKind::Rejected => {
            "it is there and refuses: check `REDIS_PASSWORD`, the user and the number of the database in `REDIS_URL`"
        }
        ErrorKind::NoRuntime => {
            "call this from a task of a tokio runtime with its I/O and time drivers (`enable_all`)"
        }
        _ => {
            "is it running there? Check `REDIS_URL` (or `REDIS_HOST` and `REDIS_PORT`), that it listens on that address (`bind`), and \
             TLS (`rediss://`)"
        }
    };
    Check::failure("connection", format!("{address}: {error}"), advice)
}

fn version(info: &InfoDict) -> Check {
    const WHAT: &str = "version";
    let Some(version) = info.get::<String>("redis_version") else {
        return Check::warning(
            WHAT,
            "unknown",
            "use Redis 6.0 or later, or one that is compatible",
        );
    };
    let mut numbers = version.split('.').map_while(|number| number.parse().ok());
    let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if number < OLDEST {
        Check::failure(WHAT, version, "use Redis 6.0 or later")
    } else {
        Check::ok(WHAT, version)
    }
}

fn role(info: &InfoDict) -> Check {
    const WHAT: &str = "role";
    let count = |name| info.get::<u64>(name).unwrap_or(0);
    match info.get::<String>("role").as_deref() {
        Some("master") => {
            let found = match count("connected_slaves") {
                0 => "master, without replicas".to_owned(),
                replicas => format!(
                    "master, {replicas} replicas; a failover moves the epoch, which empties the cache"
                ),
            };
            Check::ok(WHAT, found)
        }
        Some("slave") => Check::failure(
            WHAT,
            "replica: it refuses every write",
            "name the master, or the address that leads to it",
        ),
        other => Check::warning(
            WHAT,
            other.unwrap_or("unknown"),
            "the cache needs the server that takes writes",
        ),
    }
}

fn memory(info: &InfoDict) -> Check {
    const WHAT: &str = "memory";
    let number = |name| info.get::<u64>(name).unwrap_or(0);
    let text = |name| info.get::<String>(name).unwrap_or_default();
    let (used, most) = (number("used_memory"), number("maxmemory"));
    let policy = text("maxmemory_policy");
    let (used_told, most_told) = (megabytes(used), megabytes(most));
    if most == 0 {
        return Check::warning(
            WHAT,
            format!("{used_told} used, and no bound: it grows until the system ends it"),
            "CONFIG SET maxmemory 1gb, and CONFIG SET maxmemory-policy allkeys-lru",
        );
    }
    let found = format!("{used_told} of {most_told} used, {policy}");
    if policy == "noeviction" {
        return Check::warning(
            WHAT,
            found,
            "CONFIG SET maxmemory-policy allkeys-lru: a full server that evicts nothing refuses every write, so that nothing new is \
             cached and no fence is raised",
        );
    }
    // All that the cache stores ends by itself, leases and fences within seconds; its records do not.
    let hurt = match &*policy {
        "volatile-ttl" => "leases and fences, which end soonest, are evicted before values",
        "allkeys-random" => {
            "the record of the epoch is as likely to be evicted as any key, which empties the cache"
        }
        _ => "",
    };
    if !hurt.is_empty() {
        return Check::warning(
            WHAT,
            found,
            format!("CONFIG SET maxmemory-policy allkeys-lru: with {policy}, {hurt}"),
        );
    }
    if used.saturating_mul(10) > most.saturating_mul(9) {
        return Check::warning(
            WHAT,
            found,
            format!(
                "CONFIG SET maxmemory {}mb, shorter TTLs, or fewer values (`when`)",
                most / (1 << 19)
            ),
        );
    }
    Check::ok(WHAT, found)
}

fn evictions(info: &InfoDict) -> Check {
    const WHAT: &str = "evictions";
    match info.get::<u64>("evicted_keys").unwrap_or(0) {
        0 => Check::ok(WHAT, "none since the server started"),
        evicted => Check::warning(
            WHAT,
            format!("{evicted} since the server started: each costs a load"),
            "give it more memory (CONFIG SET maxmemory …): an evicted fence keeps no reader from an old value if its process is killed",
        ),
    }
}

fn persistence(info: &InfoDict) -> Check {
    const WHAT: &str = "persistence";
    let is = |name: &str, value: &str| info.get::<String>(name).as_deref() == Some(value);
    if is("loading", "1") {
        return Check::failure(
            WHAT,
            "the server loads its data, and answers nothing meanwhile",
            "wait until it has",
        );
    }
    if is("aof_last_write_status", "err") || is("rdb_last_bgsave_status", "err") {
        return Check::failure(
            WHAT,
            "the last write to disk failed: the server may refuse every write (MISCONF)",
            "free space on its disk; or, for a Redis that is a cache alone: CONFIG SET save \"\" and CONFIG SET appendonly no",
        );
    }
    let log = is("aof_enabled", "1");
    Check::ok(
        WHAT,
        if log {
            "append-only file; after a restart from it the epoch moves, which empties the cache"
        } else {
            "as it should be; after a restart from a snapshot the epoch moves, which empties the cache"
        },
    )
}

fn megabytes(bytes: u64) -> String {
    let tenths = bytes / (1 << 20) * 10 + (bytes % (1 << 20)) * 10 / (1 << 20);
    format!("{}.{} MB", tenths / 10, tenths % 10)
}

fn told(duration: Duration) -> String {
    if duration < Duration::from_millis(1) {
        format!("{} µs", duration.as_micros())
    } else {
        format!("{} ms", duration.as_millis())
    }
}
