//! Steps on many slots at a time: one pipeline for all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::{ErrorKind as RedisErrorKind, Pipeline, RedisError, ServerErrorKind, Value};

use super::generation::{Generation, Need, Plan, Record, Verdict};
use super::{MAX_ROUNDS, RedisStore, reply};
use crate::budget::Budget;
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;
use crate::slot::{Reply, Step};
use crate::store::Payload;

/// How many slots one pipeline reads at most: who else reads on this connection waits for its answer.
const MAX_READS: usize = 1024;

/// How many slots one command reads at most: Redis serves nobody else meanwhile.
const MAX_OF_READ: usize = 128;

/// How many slots one pipeline writes at most, and how many bytes of values it carries, but for one value.
const MAX_WRITES: usize = 1024;
const MAX_BYTES: usize = 1024 * 1024;

/// How many slots one script writes at most.
const MAX_OF_SCRIPT: usize = 64;

/// One of several steps of a kind.
type On<'k> = (&'k RenderedKey, Step<Payload>, Duration);

impl RedisStore {
    /// Reads slots under a generation that is in force.
    pub(crate) async fn read_all(
        self: &Arc<Self>,
        keys: &[&RenderedKey],
        budget: Budget,
    ) -> Result<Vec<Reply<Payload>>, CacheError> {
        let mut replies = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MAX_READS) {
            let ask = |pipeline: &mut Pipeline, generation| {
                for keys in keys.chunks(MAX_OF_READ) {
                    let command = pipeline.cmd("MGET");
                    for key in keys {
                        command.arg(self.slot(key, generation));
                    }
                }
            };
            let answers = self.in_one_pipeline(Need::Trust, budget, ask, |answer| {
                reply(&Step::Read, answer)
            });
            let read = answers.await?;
            if read.len() != keys.len() {
                return Err(CacheError::new(ErrorKind::Garbled));
            }
            replies.extend(read);
        }
        Ok(replies)
    }

    /// Carries out steps that are all of one kind: takes leases, or fills.
    pub(crate) async fn apply_all(
        self: &Arc<Self>,
        steps: &[On<'_>],
        budget: Budget,
    ) -> Vec<Result<Reply<Payload>, CacheError>> {
        let Some((_, kind, _)) = steps.first() else {
            return Vec::new();
        };
        let mut replies = Vec::with_capacity(steps.len());
        let mut rest = steps;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |(_, step, _): &&On<'_>| {
                bytes += step.value().map_or(0, Payload::len);
                bytes <= MAX_BYTES
            };
            let len = rest.iter().take(MAX_WRITES).take_while(fits).count();
            let (steps, others) = rest.split_at(len.max(1));
            rest = others;
            let ask = |pipeline: &mut Pipeline, generation| {
                for steps in steps.chunks(MAX_OF_SCRIPT) {
                    let slots = steps
                        .iter()
                        .map(|(key, step, ttl)| (self.slot(key, generation), step, *ttl));
                    pipeline.add_command(self.scripts.of_all(slots));
                }
            };
            let answers =
                self.in_one_pipeline(Need::of(kind), budget, ask, |answer| reply(kind, answer));
            match answers.await {
                Ok(answers) if answers.len() == steps.len() => {
                    replies.extend(answers.into_iter().map(Ok));
                }
                answers => {
                    let kind = answers
                        .err()
                        .map_or(ErrorKind::Garbled, |error| error.kind());
                    replies.extend(steps.iter().map(|_| Err(CacheError::new(kind))));
                }
            }
        }
        replies
    }

    /// Asks all at once, under a generation that is in force. Each command is answered with an array; what `take` makes of all that
    /// stands in these is returned.
    async fn in_one_pipeline<T>(
        self: &Arc<Self>,
        need: Need,
        budget: Budget,
        ask: impl Fn(&mut Pipeline, Generation),
        take: impl Fn(Value) -> Option<T>,
    ) -> Result<Vec<T>, CacheError> {
        self.admit()?;
        let until = budget.until();
        let asked = Box::pin(async {
            for _ in 0..MAX_ROUNDS {
                let sent = Instant::now();
                match self.generations.plan(need, sent) {
                    Some(plan) => {
                        let asked = self.attempt_all(plan, sent, until, &ask, &take);
                        if let Some(taken) = asked.await? {
                            return Ok(taken);
                        }
                    }
                    None => drop(self.open(false, until).await?),
                }
            }
            Err(CacheError::because(
                ErrorKind::Rejected,
                "the epoch moved each time it was asked",
            ))
        });
        let asked = asked.await;
        self.note(&asked);
        asked
    }

    /// Asks by a plan; `None` if that was under a generation that is not in force, or by scripts that the server did not know.
    async fn attempt_all<T>(
        &self,
        plan: Plan,
        sent: Instant,
        until: Instant,
        ask: &impl Fn(&mut Pipeline, Generation),
        take: &impl Fn(Value) -> Option<T>,
    ) -> Result<Option<Vec<T>>, CacheError> {
        let connection = self.connections.get().await?;
        let mut pipeline = redis::pipe();
        ask(&mut pipeline, plan.generation);
        if plan.asks {
            pipeline.cmd("GETRANGE").arg(&*self.record).arg(0).arg(-1);
        }
        let mut manager = connection.manager().clone();
        let asking = async {
            let answers = pipeline.query_async::<Vec<Value>>(&mut manager).await;
            match answers {
                Err(error) if is_no_script(&error) => {
                    self.scripts.load(&mut connection.manager().clone()).await?;
                    Ok(None)
                }
                answers => answers.map(Some),
            }
        };
        let Some(mut answers) = self.answer(&connection, until, asking).await? else {
            return Ok(None);
        };
        let text = plan.asks.then(|| answers.pop()).flatten();
        let mut taken = Vec::new();
        for answer in answers {
            let Value::Array(slots) = answer else {
                return Err(self.out_of_step(&connection));
            };
            for slot in slots {
                taken.push(take(slot).ok_or_else(|| self.out_of_step(&connection))?);
            }
        }
        if !plan.asks {
            return Ok(Some(taken));
        }
        let record = Record::read(&text.unwrap_or(Value::Nil));
        match self.generations.verdict(plan, record, sent, Instant::now()) {
            Verdict::Holds | Verdict::Settles(_) => Ok(Some(taken)),
            Verdict::Moved => Ok(None),
            Verdict::Gone => {
                self.open(false, until).await?;
                Ok(None)
            }
        }
    }
}

fn is_no_script(error: &RedisError) -> bool {
    error.kind() == RedisErrorKind::Server(ServerErrorKind::NoScript)
}
