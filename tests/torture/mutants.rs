//! The check of the checker: the run with one rule of the protocol broken, which must be found.
//!
//! No code of the runtime is changed: the line to Redis replaces a script by a broken one where it is loaded. A rule that no
//! script contains any more is an error when the run starts, so that no mutant can silently do nothing.
//!
//! What no script could get wrong is broken in the workers: it shows that the other figures are not always 0 either, and that
//! what is promised of a single call is looked at.

mod rewriter;

use clap::ValueEnum;

pub(crate) use rewriter::Rewriter;

use crate::figures::Figures;
use crate::violation::Promise::{self, Doubled, Error, Late, Lost, Miscounted, Stale, Wrong};

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
    /// What is asked for as a refresh is a bypass: the cache keeps what it has.
    RefreshesInName,
    /// What is asked for as a bypass is a call like any other.
    BypassesInName,
    /// What is asked for as cached only is loaded.
    LoadsAllTheSame,
    /// What is asked for as a transaction is none: what is invalidated is delivered before the commit, and then not again.
    TransactsInName,
    /// A transaction commits, and does not end: what it has held back is lost.
    NeverEnds,
    /// What is loaded within a transaction is stored.
    StoresWithin,
    /// One of its calls is counted twice.
    CountsTwice,
}

impl Fault {
    /// As it stands on a command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ErrorsOfTheCache => "errors-of-the-cache",
            Self::WrongKey => "wrong-key",
            Self::KeepsOn => "keeps-on",
            Self::RefreshesInName => "refreshes-in-name",
            Self::BypassesInName => "bypasses-in-name",
            Self::LoadsAllTheSame => "loads-all-the-same",
            Self::TransactsInName => "transacts-in-name",
            Self::NeverEnds => "never-ends",
            Self::StoresWithin => "stores-within",
            Self::CountsTwice => "counts-twice",
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

/// Texts by which a script is known. A fill and a refresh are one script, which is told what must stand there.
const REPLACE: &str = "if redis.pcall('GETRANGE', key, 0, 16) ~= expected then return 0 end";
const RELEASE: &str = "return redis.call('UNLINK', KEYS[1])";
const INVALIDATE: &str = "if not tokens then\n  redis.call('UNLINK', KEYS[1])";
const PATTERN: &str = "for _, key in ipairs(page[2]) do";
const RAISE: &str = "or '\\2500' .. ARGV[1]";
const HOLD: &str = "tokens and without(tokens, ARGV[1]) ~= tokens";
const LOWER: &str = "local tokens = tokens_of_fence(KEYS[1])\nlower(KEYS[1], tokens, ARGV[1])";
const PUT: &str = "if tokens == ARGV[1] and not tainted then";

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
        "if redis.call('EXISTS', key) == 1 and redis.pcall('GETRANGE', key, 0, 16) ~= expected then return 0 end",
    ),
    text(
        &[Stale],
        "fill-under-any-lease",
        REPLACE,
        "if redis.pcall('GETRANGE', key, 0, 0) ~= '\\249' then return 0 end",
    ),
    // Several at a time.
    text(
        &[Doubled],
        "several-leased-to-all",
        "found[i] = take(KEYS[i], ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i])",
        "take(KEYS[i], ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i])\n  found[i] = false",
    ),
    text(
        &[Stale],
        "several-filled-without-compare",
        "stored[i] = swap(KEYS[i], ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i])",
        "redis.call('SET', KEYS[i], ARGV[3 * i], 'PX', ARGV[3 * i - 1])\n  stored[i] = 1",
    ),
    // Refresh.
    text(
        &[Stale],
        "refresh-without-compare",
        REPLACE,
        "if expected:byte(1) ~= 0xF8 and redis.pcall('GETRANGE', key, 0, 16) ~= expected then return 0 end",
    ),
    text(
        &[Stale],
        "refresh-if-absent",
        REPLACE,
        "if (expected:byte(1) ~= 0xF8 or redis.call('EXISTS', key) == 1) and redis.pcall('GETRANGE', key, 0, 16) ~= expected \
         then return 0 end",
    ),
    text(
        &[Stale],
        "refresh-refused-unsaid",
        REPLACE,
        "if redis.pcall('GETRANGE', key, 0, 16) ~= expected then return expected:byte(1) == 0xF8 and 1 or 0 end",
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
    // A pattern.
    text(
        &[Stale],
        "pattern-nothing",
        PATTERN,
        "for _, key in ipairs({}) do",
    ),
    text(
        &[Stale],
        "pattern-leaves-lease",
        PATTERN,
        "for _, key in ipairs(page[2]) do if redis.pcall('GETRANGE', key, 0, 0) == '\\249' then break end",
    ),
    text(
        &[Stale],
        "pattern-removes-fence",
        PATTERN,
        "for _, key in ipairs(page[2]) do redis.call('UNLINK', key)",
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
    // Put.
    text(
        &[Stale],
        "put-despite-taint",
        PUT,
        "if tokens == ARGV[1] then",
    ),
    text(&[Stale], "put-despite-everything", PUT, "if true then"),
    // What no script could get wrong.
    Mutant {
        name: "values-forged",
        breaks: &[Wrong],
        broken: Broken::Values,
    },
    worker(&[Wrong], "key-shared", Fault::WrongKey),
    worker(&[Late], "local-tier-keeps-on", Fault::KeepsOn),
    worker(&[Error], "errors-returned", Fault::ErrorsOfTheCache),
    worker(&[Stale], "refresh-in-name", Fault::RefreshesInName),
    worker(&[Stale], "bypass-in-name", Fault::BypassesInName),
    worker(&[Error], "only-cached-loads", Fault::LoadsAllTheSame),
    worker(&[Stale], "transaction-in-name", Fault::TransactsInName),
    worker(&[Stale], "transaction-never-ends", Fault::NeverEnds),
    worker(&[Stale], "transaction-stores", Fault::StoresWithin),
    worker(&[Miscounted], "counted-twice", Fault::CountsTwice),
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
            Miscounted => figures.miscounted > 0,
        })
    }

    /// Whether it can only be found when all is over.
    pub(crate) fn shows_at_the_end(&self) -> bool {
        matches!(self.breaks, [Lost | Miscounted])
    }

    /// What the workers are to do wrong.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match self.broken {
            Broken::Worker(fault) => Some(fault),
            _ => None,
        }
    }
}
