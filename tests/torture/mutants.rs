//! The check of the checker: the run with one rule of the protocol broken, which must be found.
//!
//! No code of the runtime is changed: the line to Redis replaces a script by a broken one where it is loaded. A rule that no
//! script contains any more is an error when the run starts, so that no mutant can silently do nothing.
//!
//! Not here are the rules that only writes through the cache need (the taint of a fence, and what a put may store): no
//! annotation writes through yet, and a caller of `Cache::put` serialises his writers. The model refutes those.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use clap::ValueEnum;
use redis::Script;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::check::Figures;
use crate::check::Promise::{self, Doubled, Error, Late, Lost, Stale, Wrong};

/// A broken rule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// What it must be found by: another figure would only tell of another fault.
    breaks: &'static [Promise],
    broken: Broken,
}

/// Where it is broken.
#[derive(Clone, Copy, Debug)]
enum Broken {
    /// In the script that contains the first text, which is replaced by the second.
    Text(&'static str, &'static str),
    /// In the script that contains the first text: all of it is replaced by the second.
    Script(&'static str, &'static str),
    /// The values that are stored are changed, under a check that holds.
    Values,
    /// In the worker.
    Worker(Fault),
}

/// What a worker does wrong itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Errors of the cache are handed to the caller.
    ErrorsOfTheCache,
    /// Two keys share a slot.
    WrongKey,
    /// Values are kept in the process for much longer than they may be, and the server is not asked to tell of changes.
    KeepsOn,
}

impl Fault {
    /// As it stands on a command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ErrorsOfTheCache => "errors-of-the-cache",
            Self::WrongKey => "wrong-key",
            Self::KeepsOn => "keeps-on",
        }
    }
}

const fn text(
    breaks: &'static [Promise],
    name: &'static str,
    rule: &'static str,
    broken: &'static str,
) -> Mutant {
    Mutant {
        name,
        breaks,
        broken: Broken::Text(rule, broken),
    }
}

const fn script(
    breaks: &'static [Promise],
    name: &'static str,
    contains: &'static str,
    broken: &'static str,
) -> Mutant {
    Mutant {
        name,
        breaks,
        broken: Broken::Script(contains, broken),
    }
}

const fn worker(breaks: &'static [Promise], name: &'static str, fault: Fault) -> Mutant {
    Mutant {
        name,
        breaks,
        broken: Broken::Worker(fault),
    }
}

/// Texts by which a script is known.
const REPLACE: &str = "if redis.pcall('GETRANGE', KEYS[1], 0, 16) ~= ARGV[1] then return 0 end";
const RELEASE: &str = "return redis.call('UNLINK', KEYS[1])";
const INVALIDATE: &str = "if not tokens then\n  redis.call('UNLINK', KEYS[1])";
const RAISE: &str = "or '\\2500' .. ARGV[1]";
const HOLD: &str = "tokens and without(tokens, ARGV[1]) ~= tokens";
const LOWER: &str = "local tokens = tokens_of_fence(KEYS[1])\nlower(KEYS[1], tokens, ARGV[1])";

/// All of them.
pub(crate) const MUTANTS: &[Mutant] = &[
    // Acquire.
    text(
        &[Doubled],
        "acquire-over-lease",
        "if state == 0xF9 and len == 17 then return slot end",
        "",
    ),
    text(
        &[Stale],
        "acquire-over-fence",
        "if state == 0xFA and len >= 18 and len % 16 == 2 then return slot end",
        "",
    ),
    // Fill.
    text(&[Stale], "fill-without-compare", REPLACE, ""),
    text(
        &[Stale],
        "fill-if-absent",
        REPLACE,
        "if redis.call('EXISTS', KEYS[1]) == 1 and redis.pcall('GETRANGE', KEYS[1], 0, 16) ~= ARGV[1] then return 0 end",
    ),
    text(
        &[Stale],
        "fill-under-any-lease",
        REPLACE,
        "if redis.pcall('GETRANGE', KEYS[1], 0, 0) ~= '\\249' then return 0 end",
    ),
    // Renew and release.
    script(
        &[Stale],
        "renew-brings-back",
        "return redis.call('PEXPIRE', KEYS[1], ARGV[2])",
        "if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SET', KEYS[1], '\\249' .. ARGV[1]) end\n\
         return redis.call('PEXPIRE', KEYS[1], ARGV[2])",
    ),
    script(
        &[Stale, Doubled],
        "release-of-any-slot",
        RELEASE,
        "return redis.call('UNLINK', KEYS[1])",
    ),
    // Invalidate.
    script(&[Stale], "invalidate-nothing", INVALIDATE, "return 1"),
    script(
        &[Stale],
        "invalidate-plainly",
        INVALIDATE,
        "redis.call('UNLINK', KEYS[1])\nreturn 1",
    ),
    script(
        &[Stale],
        "invalidate-leaves-lease",
        INVALIDATE,
        "if redis.pcall('GETRANGE', KEYS[1], 0, 0) == '\\248' then redis.call('UNLINK', KEYS[1]) end\nreturn 1",
    ),
    script(
        &[Lost],
        "invalidate-never-taken",
        INVALIDATE,
        "return redis.error_reply('ERR broken')",
    ),
    // Raise.
    script(&[Stale], "raise-nothing", RAISE, "return 1"),
    text(
        &[Stale],
        "raise-for-a-moment",
        "redis.call('SET', KEYS[1], slot, 'PX', ARGV[2])",
        "redis.call('SET', KEYS[1], slot, 'PX', 1)",
    ),
    text(
        &[Stale],
        "raise-replaces-fence",
        "local slot = tokens and '\\2501' .. with(tokens, ARGV[1], tonumber(ARGV[3])) or",
        "local slot = nil or",
    ),
    // Hold.
    script(&[Stale], "hold-nothing", HOLD, "return 1"),
    // Lower.
    script(
        &[Stale],
        "lower-removes-all",
        LOWER,
        "redis.call('UNLINK', KEYS[1])\nreturn 1",
    ),
    // What no script could get wrong: that the other figures are not always 0 either.
    Mutant {
        name: "values-forged",
        breaks: &[Wrong],
        broken: Broken::Values,
    },
    worker(&[Wrong], "key-shared", Fault::WrongKey),
    worker(&[Late], "local-tier-keeps-on", Fault::KeepsOn),
    worker(&[Error], "errors-returned", Fault::ErrorsOfTheCache),
];

impl Mutant {
    /// The one of this name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        MUTANTS.iter().find(|mutant| mutant.name == name)
    }

    /// Whether these figures show it.
    pub(crate) fn is_shown_by(&self, figures: Figures) -> bool {
        self.breaks.iter().any(|promise| match promise {
            Doubled => figures.doubled > 0,
            // One and the same, but for who died.
            Stale => figures.stale + figures.lost > 0,
            Late => figures.late > 0,
            Wrong => figures.wrong > 0,
            Error => figures.errors > 0,
            Lost => figures.lost > 0,
        })
    }

    /// Whether it can only be found when all is over.
    pub(crate) fn shows_at_the_end(&self) -> bool {
        self.breaks == [Lost]
    }

    /// What the workers are to do wrong.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.broken {
            Broken::Worker(fault) => Some(fault),
            _ => None,
        }
    }
}

/// Breaks a rule on the way to Redis.
#[derive(Debug)]
pub(crate) struct Rewriter {
    mutant: Option<&'static Mutant>,
    /// The hash of each script that has been seen, and that of what is run in its place.
    hashes: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    /// Fills are known by the hash of their script.
    fill: Mutex<Option<Vec<u8>>>,
    is_broken: AtomicBool,
}

impl Rewriter {
    pub(crate) fn new(mutant: Option<&'static Mutant>) -> Self {
        Self {
            mutant,
            hashes: Mutex::default(),
            fill: Mutex::default(),
            is_broken: AtomicBool::new(false),
        }
    }

    /// Whether the rule was met and broken, once every script has been loaded.
    pub(crate) fn is_in_effect(&self) -> bool {
        match self.mutant.map(|mutant| mutant.broken) {
            None | Some(Broken::Worker(_)) => true,
            Some(_) => self.is_broken.load(Ordering::SeqCst),
        }
    }

    /// Rewrites one command.
    pub(crate) fn rewrite(&self, command: &mut [Vec<u8>]) {
        let Some(mutant) = self.mutant else {
            return;
        };
        let Some((name, args)) = command.split_first_mut() else {
            return;
        };
        if name.eq_ignore_ascii_case(b"SCRIPT") {
            if let [load, script] = args
                && load.eq_ignore_ascii_case(b"LOAD")
            {
                self.load(mutant, script);
            }
        } else if name.eq_ignore_ascii_case(b"EVALSHA") {
            self.run(mutant, args);
        }
    }

    /// Puts the hash that the client knows in the place of that of a broken script: it is asserted on in debug builds.
    pub(crate) fn restore(&self, reply: &mut [u8]) {
        if self.mutant.is_none() {
            return;
        }
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        for (hash, instead) in hashes.iter() {
            let at = reply
                .windows(instead.len())
                .position(|window| window == instead.as_slice());
            if let Some(at) = at {
                reply[at..at + hash.len()].copy_from_slice(hash);
            }
        }
    }

    fn load(&self, mutant: &Mutant, script: &mut Vec<u8>) {
        let faithful = String::from_utf8_lossy(script).into_owned();
        let hash = Script::new(&faithful).get_hash().as_bytes().to_vec();
        if faithful.contains(REPLACE) {
            *self.fill.lock().unwrap_or_else(PoisonError::into_inner) = Some(hash.clone());
        }
        let broken = match mutant.broken {
            Broken::Text(rule, broken) if faithful.contains(rule) => faithful.replace(rule, broken),
            Broken::Script(contains, broken) if faithful.contains(contains) => broken.to_owned(),
            _ => return,
        };
        self.is_broken.store(true, Ordering::SeqCst);
        let instead = Script::new(&broken).get_hash().as_bytes().to_vec();
        self.hashes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(hash, instead);
        *script = broken.into_bytes();
    }

    fn run(&self, mutant: &Mutant, args: &mut [Vec<u8>]) {
        let Some((hash, args)) = args.split_first_mut() else {
            return;
        };
        if let (Broken::Values, [_, key, .., value]) = (mutant.broken, args) {
            let fill = self.fill.lock().unwrap_or_else(PoisonError::into_inner);
            if fill.as_ref() == Some(hash) && forge(key, value) {
                self.is_broken.store(true, Ordering::SeqCst);
            }
        }
        let hashes = self.hashes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instead) = hashes.get(hash) {
            hash.clone_from(instead);
        }
    }
}

/// The key that an envelope is sealed with, from the name of its slot: `cache:0.1f6b0c93a2d7:hot:4` holds `cache:0:hot:4`.
fn without_generation(slot: &[u8]) -> Vec<u8> {
    let Some(dot) = slot.iter().position(|byte| *byte == b'.') else {
        return slot.to_vec();
    };
    let end = slot[dot..].iter().position(|byte| *byte == b':');
    [&slot[..dot], end.map_or(&[][..], |end| &slot[dot + end..])].concat()
}

/// Changes the last byte of a value, and makes the check of its envelope good.
fn forge(key: &[u8], slot: &mut [u8]) -> bool {
    const CHECK_AT: usize = 17;
    let Some((check, sealed)) = slot
        .get_mut(CHECK_AT..)
        .and_then(|envelope| envelope.split_first_chunk_mut::<8>())
    else {
        return false;
    };
    let seed = xxh3_64(&without_generation(key));
    let seal = |sealed: &[u8]| xxh3_64_with_seed(sealed, seed).to_be_bytes();
    if *check != seal(sealed) {
        return false;
    }
    let Some(last) = sealed.last_mut() else {
        return false;
    };
    // Still text: the filler ends in a letter or a digit.
    *last = if *last == b'x' { b'y' } else { b'x' };
    *check = seal(sealed);
    true
}
