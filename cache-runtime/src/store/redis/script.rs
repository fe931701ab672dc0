//! The scripts, and how a step becomes one.

use std::time::Duration;

use redis::aio::ConnectionManager;
use redis::{Cmd, RedisResult, Script, ScriptInvocation, ToRedisArgs};

use super::generation::{Generation, SlotName};
use super::wire;
use crate::slot::{Fence, Step};
use crate::store::Payload;

macro_rules! scripts {
    ($($name:ident: $($part:literal),+;)*) => {
        /// The scripts of one store.
        pub(super) struct Scripts {
            $($name: Script,)*
        }

        impl Scripts {
            pub(super) fn new() -> Self {
                Self {
                    $($name: Script::new(concat!($(include_str!(concat!("scripts/", $part, ".lua"))),+)),)*
                }
            }
        }
    };
}
scripts! {
    acquire: "take", "acquire";
    acquire_all: "take", "acquire_all";
    renew: "renew";
    replace: "swap", "replace";
    replace_all: "swap", "replace_all";
    release: "release";
    invalidate: "fence", "invalidate";
    sweep: "fence", "sweep";
    raise: "fence", "raise";
    hold: "fence", "hold";
    lower: "fence", "lower";
    put: "fence", "put";
    open: "open";
    settle: "settle";
    fleet_switch: "fleet_newest", "fleet_switch";
    fleet_restore: "fleet_newest", "fleet_restore";
    fleet_date: "fleet_newest", "fleet_date";
    census: "census";
}

impl Scripts {
    /// The script of a step and its arguments; `None` for the two steps that are plain commands.
    pub(super) fn of_step(
        &self,
        slot: &SlotName<'_>,
        step: &Step<Payload>,
        ttl: Duration,
    ) -> Option<ScriptInvocation<'_>> {
        let mut call = self.script_of(step)?.key(slot);
        arguments(step, ttl, &mut call);
        Some(call)
    }

    /// One script for several steps that take leases, or that fill. It fails where the server does not know the script yet.
    pub(super) fn of_all<'s>(
        &self,
        steps: impl Iterator<Item = (SlotName<'s>, &'s Step<Payload>, Duration)>,
    ) -> Cmd {
        let (mut script, mut keys) = (&self.acquire_all, Vec::new());
        let mut rest = Given(Vec::new());
        for (slot, step, ttl) in steps {
            if matches!(step, Step::Fill(..) | Step::Refresh { .. }) {
                script = &self.replace_all;
            }
            keys.push(slot);
            arguments(step, ttl, &mut rest);
        }
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.get_hash()).arg(keys.len()).arg(keys);
        for argument in rest.0 {
            command.arg(argument);
        }
        command
    }

    /// Tells the server the scripts for several steps.
    pub(super) async fn load(&self, manager: &mut ConnectionManager) -> RedisResult<()> {
        for script in [&self.acquire_all, &self.replace_all] {
            let _: String = script.load_async(manager).await?;
        }
        Ok(())
    }

    fn script_of(&self, step: &Step<Payload>) -> Option<&Script> {
        Some(match step {
            Step::Read | Step::Expire => return None,
            Step::Acquire { .. } => &self.acquire,
            Step::Renew(_) => &self.renew,
            Step::Fill(..) | Step::Refresh { .. } => &self.replace,
            Step::Release(_) => &self.release,
            Step::Invalidate => &self.invalidate,
            Step::Raise(_) => &self.raise,
            Step::Hold(_) => &self.hold,
            Step::Lower(_) => &self.lower,
            Step::Put(..) => &self.put,
        })
    }

    /// Looks at so many keys of a server, from a cursor on, and invalidates those that match.
    pub(super) fn sweep(
        &self,
        cursor: &[u8],
        pattern: &[u8],
        count: usize,
    ) -> ScriptInvocation<'_> {
        let mut call = self.sweep.prepare_invoke();
        call.arg(cursor).arg(pattern).arg(count);
        call
    }

    /// Reads the record of the generation, and makes it where there is none; with `moves`, anew in any case.
    pub(super) fn open(&self, record: &[u8], moves: bool) -> ScriptInvocation<'_> {
        let mut call = self.open.key(record);
        call.arg(Generation::new().checked())
            .arg(if moves { "1" } else { "" });
        call
    }

    /// Throws the switch of the fleet.
    pub(super) fn throw(&self, record: &[u8]) -> ScriptInvocation<'_> {
        self.fleet_switch.key(record)
    }

    /// Looks at what some keys take.
    pub(super) fn census(&self) -> ScriptInvocation<'_> {
        self.census.prepare_invoke()
    }

    /// Puts the record of that switch back.
    pub(super) fn restore(&self, record: &[u8]) -> ScriptInvocation<'_> {
        self.fleet_restore.key(record)
    }

    /// Dates what a person has written into it.
    pub(super) fn date(&self, record: &[u8]) -> ScriptInvocation<'_> {
        self.fleet_date.key(record)
    }

    /// Puts on record that everyone has seen a generation.
    pub(super) fn settle(&self, record: &[u8], generation: Generation) -> ScriptInvocation<'_> {
        let mut call = self.settle.key(record);
        call.arg(generation.checked());
        call
    }
}

/// What is handed to a script: by itself, or along with others.
trait Arguments {
    fn put(&mut self, argument: impl ToRedisArgs) -> &mut Self;
}

impl Arguments for ScriptInvocation<'_> {
    fn put(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        self.arg(argument)
    }
}

/// Arguments that stand behind the keys of several.
struct Given(Vec<Vec<u8>>);

impl Arguments for Given {
    fn put(&mut self, argument: impl ToRedisArgs) -> &mut Self {
        argument.write_redis_args(&mut self.0);
        self
    }
}

/// Hands a step's arguments to its script.
fn arguments(step: &Step<Payload>, ttl: Duration, call: &mut impl Arguments) {
    let milliseconds = u64::try_from(ttl.as_millis())
        .unwrap_or(u64::MAX)
        .clamp(1, MAX_MILLISECONDS);
    match step {
        Step::Read | Step::Invalidate | Step::Expire => {}
        Step::Acquire { lease, over } => {
            let over = over.as_ref().map_or(&[][..], |token| token.as_bytes());
            call.put(&lease.as_bytes()[..]).put(milliseconds).put(over);
        }
        Step::Renew(token) => {
            call.put(&token.as_bytes()[..]).put(milliseconds);
        }
        Step::Raise(token) | Step::Hold(token) => {
            call.put(&token.as_bytes()[..])
                .put(milliseconds)
                .put(Fence::MAX_TOKENS);
        }
        Step::Fill(lease, value) => {
            call.put(&wire::lease(*lease)[..])
                .put(milliseconds)
                .put(wire::value(*lease, sealed(value)));
        }
        Step::Refresh { token, next, value } => {
            call.put(&wire::value_prefix(*token)[..])
                .put(milliseconds)
                .put(wire::value(*next, sealed(value)));
        }
        Step::Release(token) | Step::Lower(token) => {
            call.put(&token.as_bytes()[..]);
        }
        Step::Put(token, value) => {
            call.put(&token.as_bytes()[..])
                .put(milliseconds)
                .put(wire::value(*token, sealed(value)));
        }
    }
}

/// The longest life of a key: 100 years. Redis refuses what overflows its clock.
const MAX_MILLISECONDS: u64 = 100 * 365 * 24 * 60 * 60 * 1000;

/// This store is only handed sealed values; an empty envelope is unreadable, and so a miss.
fn sealed(payload: &Payload) -> &[u8] {
    match payload {
        Payload::Sealed(bytes) => bytes,
        Payload::Typed(..) => &[],
    }
}
