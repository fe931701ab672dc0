//! Reads of many slots at a time: one pipeline of `MGET`s.

use std::sync::Arc;
use std::time::Instant;

use redis::Value;

use super::generation::{Need, Plan, Record, Verdict};
use super::{MAX_ROUNDS, RedisStore, wire};
use crate::budget::Budget;
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;
use crate::slot::Reply;
use crate::store::Payload;

/// How many slots one pipeline reads at most: who else reads on this connection waits for its answer.
const MAX_SLOTS: usize = 1024;

/// How many slots one command reads at most: Redis serves nobody else meanwhile.
const MAX_OF_COMMAND: usize = 128;

impl RedisStore {
    /// Reads slots under a generation that is in force.
    pub(crate) async fn read_all(
        self: &Arc<Self>,
        keys: &[&RenderedKey],
        budget: Budget,
    ) -> Result<Vec<Reply<Payload>>, CacheError> {
        let mut replies = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MAX_SLOTS) {
            self.admit()?;
            let read = Box::pin(self.read_some(keys, budget.until())).await;
            self.note(&read);
            replies.extend(read?);
        }
        Ok(replies)
    }

    async fn read_some(
        &self,
        keys: &[&RenderedKey],
        until: Instant,
    ) -> Result<Vec<Reply<Payload>>, CacheError> {
        for _ in 0..MAX_ROUNDS {
            let sent = Instant::now();
            match self.generations.plan(Need::Trust, sent) {
                Some(plan) => {
                    if let Some(replies) = self.attempt_all(keys, plan, sent, until).await? {
                        return Ok(replies);
                    }
                }
                None => drop(self.open(false, until).await?),
            }
        }
        Err(CacheError::because(
            ErrorKind::Rejected,
            "the epoch moved each time it was asked",
        ))
    }

    /// Reads them by a plan; `None` if that was under a generation that is not in force.
    async fn attempt_all(
        &self,
        keys: &[&RenderedKey],
        plan: Plan,
        sent: Instant,
        until: Instant,
    ) -> Result<Option<Vec<Reply<Payload>>>, CacheError> {
        let connection = self.connections.get().await?;
        let mut pipeline = redis::pipe();
        for keys in keys.chunks(MAX_OF_COMMAND) {
            let command = pipeline.cmd("MGET");
            for key in keys {
                command.arg(self.slot(key, plan.generation));
            }
        }
        if plan.asks {
            pipeline.cmd("GETRANGE").arg(&*self.record).arg(0).arg(-1);
        }
        let mut manager = connection.manager().clone();
        let asking = pipeline.query_async::<Vec<Value>>(&mut manager);
        let mut answers = self.answer(&connection, until, asking).await?;
        let text = plan.asks.then(|| answers.pop()).flatten();
        let slots = answers.into_iter().flat_map(|answer| match answer {
            Value::Array(slots) => slots,
            // Counted below as what it is: no answer to what was asked.
            _ => Vec::new(),
        });
        let replies: Option<Vec<_>> = slots.map(reply).collect();
        let replies = replies
            .filter(|replies| replies.len() == keys.len())
            .ok_or_else(|| self.out_of_step(&connection))?;
        if !plan.asks {
            return Ok(Some(replies));
        }
        let record = Record::read(&text.unwrap_or(Value::Nil));
        match self.generations.verdict(plan, record, sent, Instant::now()) {
            Verdict::Holds | Verdict::Settles(_) => Ok(Some(replies)),
            Verdict::Moved => Ok(None),
            Verdict::Gone => {
                self.open(false, until).await?;
                Ok(None)
            }
        }
    }
}

fn reply(slot: Value) -> Option<Reply<Payload>> {
    match slot {
        Value::Nil => Some(Reply::Miss),
        Value::BulkString(slot) => Some(wire::read(slot)),
        _ => None,
    }
}
