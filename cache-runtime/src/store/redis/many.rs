//! Steps on many slots at a time: one pipeline for all of them.

use std::sync::Arc;
use std::time::Instant;

use redis::{ErrorKind as RedisErrorKind, Pipeline, RedisResult, ServerErrorKind, Value};

use super::generation::{Generation, Need, Plan, Record, Verdict};
use super::{MAX_ROUNDS, RedisStore, reply, translate, wire};
use crate::budget::Budget;
use crate::error::{CacheError, ErrorKind};
use crate::key::RenderedKey;
use crate::slot::Reply;
use crate::store::{Payload, StepOn};

/// How many slots one pipeline reads at most: who else reads on this connection waits for its answer.
const MAX_SLOTS: usize = 1024;

/// How many slots one command reads at most: Redis serves nobody else meanwhile.
const MAX_OF_COMMAND: usize = 128;

/// How many steps one pipeline carries out at most, and how many bytes of values it carries, but for one value.
const MAX_STEPS: usize = 256;
const MAX_BYTES: usize = 1024 * 1024;

/// What each command of a pipeline was answered.
type Answers = Vec<RedisResult<Value>>;

impl RedisStore {
    /// Reads slots under a generation that is in force.
    pub(crate) async fn read_all(
        self: &Arc<Self>,
        keys: &[&RenderedKey],
        budget: Budget,
    ) -> Result<Vec<Reply<Payload>>, CacheError> {
        let mut replies = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MAX_SLOTS) {
            let ask = |pipeline: &mut Pipeline, generation| {
                for keys in keys.chunks(MAX_OF_COMMAND) {
                    let command = pipeline.cmd("MGET");
                    for key in keys {
                        command.arg(self.slot(key, generation));
                    }
                }
            };
            let take = |answers: Answers| {
                let mut slots = Vec::with_capacity(keys.len());
                for answer in answers {
                    match answer {
                        Ok(Value::Array(values)) => slots.extend(values),
                        Ok(_) => return Ok(None),
                        Err(error) => return Err(translate(error)),
                    }
                }
                let read: Option<Vec<_>> = slots.into_iter().map(slot).collect();
                Ok(read.filter(|read| read.len() == keys.len()))
            };
            replies.extend(self.in_one_pipeline(Need::Trust, budget, ask, take).await?);
        }
        Ok(replies)
    }

    /// Carries out steps none of which must reach every reader: takes leases, and fills.
    pub(crate) async fn apply_all(
        self: &Arc<Self>,
        steps: &[StepOn<'_>],
        budget: Budget,
    ) -> Vec<Result<Reply<Payload>, CacheError>> {
        let mut replies = Vec::with_capacity(steps.len());
        let mut rest = steps;
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |on: &&StepOn<'_>| {
                bytes += on.step.value().map_or(0, Payload::len);
                bytes <= MAX_BYTES
            };
            let len = rest.iter().take(MAX_STEPS).take_while(fits).count();
            let (steps, others) = rest.split_at(len.max(1));
            rest = others;
            let need = steps.iter().map(|on| Need::of(&on.step));
            let need = if need.clone().any(|need| need != Need::Nothing) {
                Need::Trust
            } else {
                Need::Nothing
            };
            let ask = |pipeline: &mut Pipeline, generation| {
                for on in steps {
                    let slot = self.slot(on.key, generation);
                    if let Some(command) = self.scripts.command_of_step(&slot, &on.step, on.ttl) {
                        pipeline.add_command(command);
                    }
                }
            };
            let take = |answers: Answers| {
                let all = steps.iter().zip(answers);
                let all = all.map(|(on, answer)| match answer {
                    Ok(answer) => reply(&on.step, answer).map(Ok),
                    Err(error) => Some(Err(error)),
                });
                let all: Option<Vec<_>> = all.collect();
                Ok(all.filter(|all| all.len() == steps.len()))
            };
            match self.in_one_pipeline(need, budget, ask, take).await {
                Ok(all) => {
                    for (on, reply) in steps.iter().zip(all) {
                        replies.push(self.one_of_all(on, reply, budget).await);
                    }
                }
                Err(error) => {
                    let (len, kind) = (replies.len() + steps.len(), error.kind());
                    replies.push(Err(error));
                    replies.resize_with(len, || Err(CacheError::new(kind)));
                }
            }
        }
        replies
    }

    async fn one_of_all(
        self: &Arc<Self>,
        on: &StepOn<'_>,
        reply: RedisResult<Reply<Payload>>,
        budget: Budget,
    ) -> Result<Reply<Payload>, CacheError> {
        const UNKNOWN: RedisErrorKind = RedisErrorKind::Server(ServerErrorKind::NoScript);
        match reply {
            // By itself, it brings its script along.
            Err(error) if error.kind() == UNKNOWN => {
                self.apply(on.key, on.step.clone(), on.ttl, budget).await
            }
            reply => reply.map_err(translate),
        }
    }

    /// Asks all at once, under a generation that is in force, and takes the answers apart: `take` gives `None` where they are none to
    /// what was asked.
    async fn in_one_pipeline<T>(
        self: &Arc<Self>,
        need: Need,
        budget: Budget,
        ask: impl Fn(&mut Pipeline, Generation),
        take: impl Fn(Answers) -> Result<Option<T>, CacheError>,
    ) -> Result<T, CacheError> {
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

    /// Asks by a plan; `None` if that was under a generation that is not in force.
    async fn attempt_all<T>(
        &self,
        plan: Plan,
        sent: Instant,
        until: Instant,
        ask: &impl Fn(&mut Pipeline, Generation),
        take: &impl Fn(Answers) -> Result<Option<T>, CacheError>,
    ) -> Result<Option<T>, CacheError> {
        let connection = self.connections.get().await?;
        let mut pipeline = redis::pipe();
        ask(&mut pipeline, plan.generation);
        if plan.asks {
            pipeline.cmd("GETRANGE").arg(&*self.record).arg(0).arg(-1);
        }
        let mut manager = connection.manager().clone();
        let asking = pipeline
            .ignore_errors()
            .query_async::<Answers>(&mut manager);
        let mut answers = self.answer(&connection, until, asking).await?;
        let text = plan.asks.then(|| answers.pop()).flatten();
        let taken = take(answers)?.ok_or_else(|| self.out_of_step(&connection))?;
        if !plan.asks {
            return Ok(Some(taken));
        }
        let text = text.transpose().map_err(translate)?.unwrap_or(Value::Nil);
        match self
            .generations
            .verdict(plan, Record::read(&text), sent, Instant::now())
        {
            Verdict::Holds | Verdict::Settles(_) => Ok(Some(taken)),
            Verdict::Moved => Ok(None),
            Verdict::Gone => {
                self.open(false, until).await?;
                Ok(None)
            }
        }
    }
}

/// What a reader is told; `None` if this is no answer to a read.
fn slot(value: Value) -> Option<Reply<Payload>> {
    match value {
        Value::Nil => Some(Reply::Miss),
        Value::BulkString(slot) => Some(wire::read(slot)),
        _ => None,
    }
}
