//! Everything under a key: found by a scan on the server, and invalidated there.
//!
//! A scan returns every key that was there from its beginning to its end, and that is all that is needed: a slot that could become
//! stale holds a value or a lease from before the mutation's commit, so it was there when the scan began. What was stored after that
//! was loaded after the commit, or by a lease that the scan has met.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::Value;

use super::connection::Connection;
use super::generation::{Generation, Need, Record, SlotName, Verdict};
use super::{MAX_ROUNDS, RedisStore};
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;

/// How many keys the server looks at in one go: some ten microseconds, so that others are served in between. Measured among a million keys,
/// on two cores: the p99 of a client that reads at full speed grows by 1.2 to 1.7 times, and by 2.2 to 2.7 times with 100.
const STRIDE: usize = 30;

/// How long a scan may take.
const LIMIT: Duration = Duration::from_secs(120);

impl RedisStore {
    /// Invalidates every slot whose key begins with these bytes. Each answer takes at most `limit`.
    pub(crate) async fn invalidate_under(
        self: &Arc<Self>,
        under: &RenderedKey,
        limit: Duration,
    ) -> Result<(), CacheError> {
        // Also if it fails: it may be carried out in part.
        self.local.clear();
        let result = match self.admit() {
            Ok(()) => self.empty_under(under, limit).await,
            Err(error) => return Err(error),
        };
        // What was asked for before it was carried out must not be kept either.
        self.local.clear();
        self.note(&result);
        result
    }

    async fn empty_under(&self, under: &RenderedKey, limit: Duration) -> Result<(), CacheError> {
        for _ in 0..MAX_ROUNDS {
            let sent = Instant::now();
            let Some(plan) = self.generations.plan(Need::Proof, sent) else {
                self.open(false, sent + limit).await?;
                continue;
            };
            let connection = self.connections.get().await?;
            self.scan(&connection, under, plan.generation, limit)
                .await?;
            // Asked for in the end: under another generation, it was all in vain.
            let until = Instant::now() + limit;
            let asking = self.ask_record(connection.manager().clone());
            let text = self.answer(&connection, until, asking).await?;
            let record = Record::read(&text);
            match self.generations.verdict(plan, record, sent, Instant::now()) {
                Verdict::Holds => return Ok(()),
                Verdict::Settles(moment) => {
                    self.settle(plan.generation, moment, until).await;
                    return Ok(());
                }
                Verdict::Moved => {}
                Verdict::Gone => {
                    self.open(false, until).await?;
                }
            }
        }
        Err(CacheError::because(
            ErrorKind::Rejected,
            "the epoch moved each time it was asked",
        ))
    }

    async fn scan(
        &self,
        connection: &Connection,
        under: &RenderedKey,
        generation: Generation,
        limit: Duration,
    ) -> Result<(), CacheError> {
        let pattern = pattern(&self.slot(under, generation));
        let ends = Instant::now() + LIMIT;
        let mut cursor = b"0".to_vec();
        loop {
            let script = self.scripts.sweep(&cursor, &pattern, STRIDE);
            let mut manager = connection.manager().clone();
            let asking = script.invoke_async::<Value>(&mut manager);
            let answer = self
                .answer(connection, Instant::now() + limit, asking)
                .await?;
            let next = next_cursor(&answer).ok_or_else(|| self.out_of_step(connection))?;
            if next == b"0" {
                return Ok(());
            }
            if Instant::now() > ends {
                return Err(CacheError::new(ErrorKind::Timeout));
            }
            cursor = next.to_vec();
        }
    }
}

/// Where the scan goes on; `None` if that was damaged on its way: from another cursor on, it would pass over slots.
fn next_cursor(answer: &Value) -> Option<&[u8]> {
    let Value::BulkString(twice) = answer else {
        return None;
    };
    let (once, again) = twice.split_at_checked(twice.len() / 2)?;
    (again.strip_prefix(b" ")? == once && !once.is_empty()).then_some(once)
}

/// What matches the name of every slot that begins like this one. A part can hold no character of a pattern; a namespace can.
fn pattern(slot: &SlotName<'_>) -> Vec<u8> {
    let mut name = Vec::new();
    slot.write_to(&mut name);
    under(&name)
}

/// What matches every name that begins so.
pub(super) fn under(name: &[u8]) -> Vec<u8> {
    let mut pattern = Vec::with_capacity(name.len() + 1);
    for &byte in name {
        if b"*?[]\\".contains(&byte) {
            pattern.push(b'\\');
        }
        pattern.push(byte);
    }
    pattern.push(b'*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{Key, KeyWriter};

    #[test]
    fn only_the_end_of_a_pattern_is_open() {
        use crate::key::CacheKey as _;

        let mut key = KeyWriter::new(b"odd[ns]*:0:");
        Key::of("user").part("a*b?").write_key(&mut key);
        key.literal(":");
        let key = key.finish();
        let generation = Generation::new();
        let slot = SlotName {
            key: &key,
            epoch_len: "odd[ns]*:0".len(),
            generation,
        };
        let expected = format!("odd\\[ns\\]\\*:0.{}:user:a%2Ab%3F:*", generation.as_str());
        assert_eq!(String::from_utf8_lossy(&pattern(&slot)), expected);
    }

    #[test]
    fn a_damaged_cursor_is_none() {
        let answer = |text: &str| Value::BulkString(text.into());
        assert_eq!(next_cursor(&answer("17 17")), Some(&b"17"[..]));
        assert_eq!(next_cursor(&answer("0 0")), Some(&b"0"[..]));
        for damaged in ["", " ", "0", "17", "17 16", "17\u{1}17", "1717"] {
            assert_eq!(next_cursor(&answer(damaged)), None, "{damaged:?}");
        }
        assert_eq!(next_cursor(&Value::Nil), None);
    }
}
