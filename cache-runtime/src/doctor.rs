//! The doctor: everything that an operator would look at, each with what to do.

#[cfg(feature = "redis")]
mod redis;

use std::fmt;

use serde::Serialize;

use crate::audit::{Severity, audit};
use crate::cache::Cache;
use crate::error::ErrorKind;
use crate::store::Store;
use crate::switch::Mode;

/// The environment variables that have a say.
const VARIABLES: &[&str] = &[
    "REDIS_URL",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_PASSWORD",
    "REDIS_ENABLED",
    "CACHE_ENABLED",
    "CACHE_NAMESPACE",
    "CACHE_EPOCH",
    "CACHE_VERIFY",
];

/// How well something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It works, and something may hurt: see the advice.
    Warning,
    /// It does not work.
    Failure,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failure => "failure",
        })
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// What: `memory`, `connection`, …
    pub what: &'static str,
    /// How well it is.
    pub verdict: Verdict,
    /// What was found. No secret stands in it.
    pub found: String,
    /// What to do about it, if anything.
    pub advice: Option<String>,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self {
            what,
            verdict: Verdict::Ok,
            found: found.into(),
            advice: None,
        }
    }

    fn warning(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            advice: Some(advice.into()),
            ..Self::ok(what, found)
        }
    }

    fn failure(what: &'static str, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Failure,
            ..Self::warning(what, found, advice)
        }
    }
}

/// What [`Cache::doctor`] has found. Its `Display` is a table, to be read by people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Diagnosis {
    /// Each thing that was looked at.
    pub checks: Vec<Check>,
}

impl Diagnosis {
    /// The worst of all.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.checks.iter().map(|check| check.verdict);
        verdicts.max().unwrap_or(Verdict::Ok)
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.what.len()).max();
        let width = width.unwrap_or(0);
        for Check {
            what,
            verdict,
            found,
            advice,
        } in &self.checks
        {
            writeln!(f, "{verdict:<8} {what:<width$}  {found}")?;
            if let Some(advice) = advice {
                writeln!(f, "{:8} {:width$}  -> {advice}", "", "")?;
            }
        }
        Ok(())
    }
}

impl Cache {
    /// Looks at everything that the cache needs: settings and environment, the switch, the connection, the round trip, the server's
    /// version, role, memory, evictions, persistence and clock, whether it lets the cache do what it must, and the
    /// [audit](crate::audit()) of the keys. For each there is a verdict, and what to do.
    ///
    /// It asks the store about twenty questions, each for one second at most, whatever the breaker says; it writes one
    /// key, which it removes. It is meant for people and scripts, at start-up or when something is wrong, and not for a health check
    /// once a second. `cargo run --example doctor` prints it.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it may leave a key behind that expires within a second.
    ///
    /// ```standalone_crate
    /// # use cache_runtime::{Cache, CacheConfig, Verdict};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = Cache::new(CacheConfig::embedded())?;
    /// let diagnosis = cache.doctor().await;
    /// println!("{diagnosis}");
    /// assert!(diagnosis.verdict() < Verdict::Failure);
    /// # Ok(()) }
    /// ```
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub async fn doctor(&self) -> Diagnosis {
        let read = match self.inner.switch.own() {
            Mode::Detached => Ok(()),
            Mode::On | Mode::Off => self.inner.read_fleet().await,
        };
        let mut checks = vec![self.environment(), self.switch()];
        // A server that is away is told of below.
        if let Err(error) = read
            && error.kind() == ErrorKind::Rejected
        {
            checks.push(Check::warning(
                "fleet",
                format!("what its switch says cannot be read: {error}"),
                "do so: until then this process keeps what it knew, and cannot be switched with the others",
            ));
        }
        match &self.inner.store {
            _ if self.mode() == Mode::Detached => {}
            Store::Embedded(store) => checks.push(Check::ok(
                "store",
                format!(
                    "embedded: {} of at most {} values in this process; other processes have their own",
                    store.len(),
                    store.capacity()
                ),
            )),
            #[cfg(feature = "redis")]
            Store::Redis(store) => {
                // No template renders to a bare `%`, and no other doctor draws the same.
                let name = format!("%doctor:{:?}", self.inner.tokens.next());
                let probe = self.inner.render(|writer| writer.literal(&name));
                checks.extend(Box::pin(store.examine(&probe)).await);
            }
        }
        checks.push(self.invalidations());
        checks.push(self.verification());
        checks.push(keys());
        Diagnosis { checks }
    }

    fn environment(&self) -> Check {
        const WHAT: &str = "settings";
        if let Some(error) = self.inner.misconfigured() {
            return Check::failure(
                WHAT,
                format!("the cache is off: {error}"),
                "set the variable right, and restart the process",
            );
        }
        let set = VARIABLES
            .iter()
            .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let set: Vec<&str> = set.copied().collect();
        let namespace = String::from_utf8_lossy(self.inner.prefix()).into_owned();
        let namespace = namespace.trim_end_matches(':');
        Check::ok(
            WHAT,
            if set.is_empty() {
                format!("no variable of the environment is set; keys begin with `{namespace}`")
            } else {
                format!(
                    "the environment sets {}; keys begin with `{namespace}`",
                    set.join(", ")
                )
            },
        )
    }

    fn switch(&self) -> Check {
        const WHAT: &str = "switch";
        let fleet = self.fleet();
        match self.inner.switch.own() {
            Mode::On if !fleet.on => {
                let by = fleet.thrown.by.as_deref().unwrap_or("somebody");
                Check::warning(
                    WHAT,
                    format!(
                        "off in the whole fleet, by {by}: every read is the plain call, and invalidations reach the store"
                    ),
                    "call `switch_fleet(true, …)`, or throw it on the dashboard",
                )
            }
            Mode::On if !fleet.templates_off.is_empty() => {
                let off = fleet.templates_off.iter().map(|off| {
                    let template = &off.template;
                    if crate::fleet::is_stored_under(template) {
                        format!("`{template}`")
                    } else {
                        format!(
                            "`{template}` (which no function of this program stores anything under)"
                        )
                    }
                });
                let off: Vec<_> = off.collect();
                Check::warning(
                    WHAT,
                    format!("on, but for {} in the whole fleet", off.join(", ")),
                    "call `switch_template(…, true, …)`, or switch it on with the dashboard",
                )
            }
            Mode::On => Check::ok(WHAT, "on"),
            Mode::Off => Check::warning(
                WHAT,
                "off: every read is the plain call, and invalidations reach the store",
                "unset `CACHE_ENABLED`, or call `set_mode(Mode::On)`",
            ),
            Mode::Detached => Check::warning(
                WHAT,
                "detached: the store is not contacted, and mutations leave no trace in it",
                "unset `REDIS_ENABLED` and set a new `CACHE_EPOCH`, or call `set_mode(Mode::On)`, which moves the epoch",
            ),
        }
    }

    fn verification(&self) -> Check {
        const WHAT: &str = "verification";
        let stats = self.stats();
        match (stats.verified, stats.mismatches) {
            (0, 0) => Check::ok(WHAT, "no hit was held against its source (`CACHE_VERIFY`)"),
            (verified, 0) => Check::ok(WHAT, format!("{verified} hits, and none was stale")),
            (verified, stale) => Check::warning(
                WHAT,
                format!("{stale} of {} hits were stale", verified + stale),
                "something changes the source and invalidates nothing: the log names the function and the template",
            ),
        }
    }

    fn invalidations(&self) -> Check {
        const WHAT: &str = "invalidations";
        match self.undelivered() {
            0 => Check::ok(WHAT, "all are delivered"),
            left => Check::warning(
                WHAT,
                format!(
                    "{left} wait for a store that does not take them; other processes may read older values until then"
                ),
                "bring the store back: they are retried; a process that ends calls `Cache::shutdown` before",
            ),
        }
    }
}

/// What the audit says.
fn keys() -> Check {
    const WHAT: &str = "keys";
    let audit = audit();
    let found = |severity| {
        let findings = audit.findings().iter();
        findings
            .filter(|finding| finding.severity() == severity)
            .count()
    };
    let (errors, warnings) = (found(Severity::Error), found(Severity::Warning));
    let sites = crate::call_sites().count();
    match (errors, warnings) {
        (0, 0) => Check::ok(
            WHAT,
            format!("{sites} annotated functions, and the audit finds nothing wrong"),
        ),
        (0, _) => Check::warning(
            WHAT,
            format!("{warnings} warnings of the audit"),
            "print `cache_runtime::audit()`: each has a page in the guide",
        ),
        _ => Check::failure(
            WHAT,
            format!("{errors} errors and {warnings} warnings of the audit"),
            "print `cache_runtime::audit()`: each has a page in the guide",
        ),
    }
}
