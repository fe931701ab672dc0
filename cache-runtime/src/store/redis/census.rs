//! A scan that changes nothing, page by page: the keys of a namespace, and what each takes.

use std::time::{Duration, Instant};

use redis::Value;

use super::{PROBE, RedisStore};
use crate::census::{Page, Sample, Whose};
use crate::error::CacheError;

/// How many keys the server looks at in one go.
const STRIDE: usize = 100;

impl RedisStore {
    /// What stands in front of every key in force: the number of the epoch, and the generation.
    pub(crate) async fn census_epoch(&self) -> Result<String, CacheError> {
        let record = self.open(false, Instant::now() + PROBE).await?;
        let epoch = String::from_utf8_lossy(&self.record);
        let epoch = epoch.trim_end_matches(":epoch");
        let (_, number) = epoch.rsplit_once(':').unwrap_or_default();
        Ok(format!("{number}.{}:", record.generation.as_str()))
    }

    /// How many keys the database has, of this namespace or not.
    pub(crate) async fn census_size(&self) -> Result<u64, CacheError> {
        self.command(redis::cmd("DBSIZE")).await
    }

    /// The next keys from a cursor on.
    pub(crate) async fn census_page(&self, cursor: u64, epoch: &str) -> Result<Page, CacheError> {
        let namespace = self.switch.strip_suffix(b"%switch").unwrap_or_default();
        let mut scan = redis::cmd("SCAN");
        scan.arg(cursor)
            .arg("MATCH")
            .arg(super::pattern::under(namespace));
        scan.arg("COUNT").arg(STRIDE);
        let (next, keys): (u64, Vec<Vec<u8>>) = self.command(scan).await?;
        let told = if keys.is_empty() {
            Vec::new()
        } else {
            let mut call = self.scripts.census();
            for key in &keys {
                call.key(&**key);
            }
            self.run(&call).await.map(numbers)?
        };
        let mut told = told.chunks_exact(3);
        let samples = keys.iter().map(|key| {
            let own = key.strip_prefix(namespace).unwrap_or_default();
            let told = told.next();
            let told = |index: usize| {
                let number = told.and_then(|told| told.get(index).copied());
                number.and_then(|number| u64::try_from(number).ok())
            };
            Sample {
                whose: Whose::of(&String::from_utf8_lossy(own), epoch),
                bytes: told(0),
                ttl_left: told(1).map(Duration::from_millis),
                idle: told(2).map(Duration::from_secs),
            }
        });
        Ok(Page {
            samples: samples.collect(),
            looked_at: STRIDE as u64,
            next: (next != 0).then_some(next),
        })
    }
}

fn numbers(answer: Value) -> Vec<i64> {
    redis::from_redis_value(answer).unwrap_or_default()
}
