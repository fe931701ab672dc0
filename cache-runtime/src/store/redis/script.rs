//! The scripts, and how a step becomes one.

use std::time::Duration;

use redis::{Script, ScriptInvocation};

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
    acquire: "acquire";
    renew: "renew";
    replace: "replace";
    release: "release";
    invalidate: "fence", "invalidate";
    sweep: "fence", "sweep";
    raise: "fence", "raise";
    hold: "fence", "hold";
    lower: "fence", "lower";
    put: "fence", "put";
    open: "open";
    settle: "settle";
}

impl Scripts {
    /// The script of a step and its arguments; `None` for the two steps that are plain commands.
    pub(super) fn of_step(
        &self,
        slot: &SlotName<'_>,
        step: &Step<Payload>,
        ttl: Duration,
    ) -> Option<ScriptInvocation<'_>> {
        let milliseconds = u64::try_from(ttl.as_millis())
            .unwrap_or(u64::MAX)
            .clamp(1, MAX_MILLISECONDS);
        let script = match step {
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
        };
        let mut call = script.key(slot);
        match step {
            Step::Read | Step::Invalidate | Step::Expire => {}
            Step::Acquire { lease, over } => {
                let over = over.as_ref().map_or(&[][..], |token| token.as_bytes());
                call.arg(&lease.as_bytes()[..]).arg(milliseconds).arg(over);
            }
            Step::Renew(token) => {
                call.arg(&token.as_bytes()[..]).arg(milliseconds);
            }
            Step::Raise(token) | Step::Hold(token) => {
                call.arg(&token.as_bytes()[..])
                    .arg(milliseconds)
                    .arg(Fence::MAX_TOKENS);
            }
            Step::Fill(lease, value) => {
                call.arg(&wire::lease(*lease)[..])
                    .arg(milliseconds)
                    .arg(wire::value(*lease, sealed(value)));
            }
            Step::Refresh { token, next, value } => {
                call.arg(&wire::value_prefix(*token)[..])
                    .arg(milliseconds)
                    .arg(wire::value(*next, sealed(value)));
            }
            Step::Release(token) | Step::Lower(token) => {
                call.arg(&token.as_bytes()[..]);
            }
            Step::Put(token, value) => {
                call.arg(&token.as_bytes()[..])
                    .arg(milliseconds)
                    .arg(wire::value(*token, sealed(value)));
            }
        }
        Some(call)
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

    /// Puts on record that everyone has seen a generation.
    pub(super) fn settle(&self, record: &[u8], generation: Generation) -> ScriptInvocation<'_> {
        let mut call = self.settle.key(record);
        call.arg(generation.checked());
        call
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
