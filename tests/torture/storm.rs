//! Brings the faults about, one at a time, and heals each before the next.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cache_tests::RedisServer;
use fastrand::Rng;

use crate::clock::Moment;
use crate::faults::{Fault, Kind};
use crate::fleet::{Court, Fleet};
use crate::knobs::{FENCE, KEYS, PATIENCE};
use crate::proxy::Weather;
use crate::record::Command;

/// What the faults act on.
#[derive(Debug)]
pub(crate) struct Storm {
    court: Court,
    redis: Arc<Mutex<RedisServer>>,
    random: Rng,
}

impl Storm {
    pub(crate) fn new(court: Court, redis: RedisServer, seed: u64) -> Self {
        Self {
            court,
            redis: Arc::new(Mutex::new(redis)),
            random: Rng::with_seed(!seed),
        }
    }

    /// Brings one fault about and heals it.
    pub(crate) async fn bring_about(&mut self, fault: Fault, fleet: &mut Fleet) -> io::Result<()> {
        let number = self.court.lock().fault_begins(fault.kind, Moment::now());
        let happened = self.rage(fault, fleet).await?;
        let healed = Moment::now();
        self.court.lock().fault_ends(number, healed, happened);
        Ok(())
    }

    async fn rage(&mut self, fault: Fault, fleet: &mut Fleet) -> io::Result<bool> {
        let Fault { lasts, worker, .. } = fault;
        match fault.kind {
            Kind::Start => tokio::time::sleep(lasts).await,
            Kind::Kill => return self.kill(worker, fleet).await,
            Kind::Freeze => {
                self.redis(|redis| redis.freeze()).await?;
                tokio::time::sleep(lasts).await;
                self.redis(|redis| redis.thaw()).await?;
            }
            Kind::Restart => {
                self.redis(RedisServer::kill).await?;
                tokio::time::sleep(lasts / 2).await;
                self.redis(RedisServer::restart).await?;
            }
            Kind::Flush => self.redis(|redis| redis.ask::<()>(&["FLUSHALL"])).await?,
            Kind::Disconnect => {
                let kill = ["CLIENT", "KILL", "TYPE", "normal"];
                self.redis(move |redis| redis.ask::<u64>(&kill)).await?;
            }
            Kind::Pause => {
                let milliseconds = lasts.as_millis().to_string();
                self.redis(move |redis| redis.ask::<()>(&["CLIENT", "PAUSE", &milliseconds]))
                    .await?;
                tokio::time::sleep(lasts).await;
            }
            Kind::Evict => {
                let seed = self.random.u64(..);
                self.redis(move |redis| evict(redis, lasts, seed)).await?;
            }
            Kind::Delay => bad_weather(fleet, worker, Weather::Slow(lasts / 2), lasts).await,
            Kind::Cut => bad_weather(fleet, worker, Weather::Cut, lasts).await,
            Kind::Corrupt => bad_weather(fleet, worker, Weather::Corrupt, lasts).await,
            Kind::Mislead => bad_weather(fleet, worker, Weather::Mislead, lasts).await,
            Kind::Switch => {
                // Several times: calls that began in one mode end in the other.
                for _ in 0..self.random.u32(1..5) {
                    fleet.command(worker, Command::Switch { on: false }).await;
                    tokio::time::sleep(lasts / 4).await;
                    fleet.command(worker, Command::Switch { on: true }).await;
                    tokio::time::sleep(lasts / 8).await;
                }
            }
            Kind::Epoch => {
                if self.random.bool() {
                    fleet.command(worker, Command::Advance).await;
                } else {
                    self.redis(|redis| redis.ask::<()>(&["DEL", "cache:0:epoch"]))
                        .await?;
                }
                tokio::time::sleep(lasts).await;
            }
        }
        Ok(true)
    }

    /// The worker mutates a key, for a short time or for longer than its fence lives, and is killed after the commit.
    async fn kill(&mut self, worker: usize, fleet: &mut Fleet) -> io::Result<bool> {
        let key = self.random.u64(0..KEYS / 2) * 2;
        let longest = FENCE.as_millis().try_into().unwrap_or(0) * 3 / 2;
        let after_ms = if self.random.bool() {
            self.random.u64(0..100)
        } else {
            self.random.u64(0..longest)
        };
        fleet.command(worker, Command::Die { key, after_ms }).await;
        // It lives on if its fence could not be raised.
        let limit = Duration::from_millis(after_ms) + PATIENCE;
        fleet.replace_dead(worker, limit).await
    }

    /// Something that blocks, on the server.
    async fn redis<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut RedisServer) -> T + Send + 'static,
    ) -> io::Result<T> {
        let redis = self.redis.clone();
        tokio::task::spawn_blocking(move || {
            act(&mut redis.lock().unwrap_or_else(PoisonError::into_inner))
        })
        .await
        .map_err(io::Error::other)
    }
}

async fn bad_weather(fleet: &Fleet, worker: usize, weather: Weather, lasts: Duration) {
    fleet.line(worker).set(weather);
    tokio::time::sleep(lasts).await;
    fleet.line(worker).set(Weather::Fair);
}

/// Gives Redis hardly more memory than it needs, and fills that up.
fn evict(redis: &mut RedisServer, lasts: Duration, seed: u64) {
    const FILLERS: usize = 64;
    let mut random = Rng::with_seed(seed);
    let info: String = redis.ask(&["INFO", "memory"]);
    let used = info
        .lines()
        .find_map(|line| {
            line.strip_prefix("used_memory:")?
                .trim()
                .parse::<u64>()
                .ok()
        })
        .unwrap_or(2 << 20);
    let policy = ["allkeys-lru", "allkeys-random"][random.usize(0..2)];
    let memory = (used + (100 << 10)).to_string();
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", policy]);
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", &memory]);
    let filler = "x".repeat(16 << 10);
    let mut connection = redis.connection();
    let began = Moment::now();
    while Moment::now().since(began) < lasts {
        let name = format!("filler:{}", random.usize(0..FILLERS));
        let set: redis::RedisResult<()> = redis::cmd("SET")
            .arg(name)
            .arg(&filler)
            .query(&mut connection);
        // Refused where nothing is left that could be evicted.
        drop(set);
        std::thread::sleep(Duration::from_millis(2));
    }
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    for filler in 0..FILLERS {
        redis.ask::<()>(&["UNLINK", &format!("filler:{filler}")]);
    }
}
