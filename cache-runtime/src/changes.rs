//! What became of a cache: the last changes of its state, for whoever looks at it later.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::cache::Cache;
use crate::lock::lock;
use crate::switch::Mode;

/// How many are kept.
const KEPT: usize = 100;

/// A change of the state of a cache, as opposed to what a call does: see [`Cache::changes`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// When this process noticed it. Serialised, in seconds since 1970.
    #[serde(serialize_with = "as_unix_seconds")]
    pub at: SystemTime,
    /// What has changed.
    #[serde(flatten)]
    pub what: Changed,
    /// Who wanted it, where somebody did and is known.
    pub by: Option<String>,
}

/// What has changed. Its text is a sentence for a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Changed {
    /// The store has not answered several times in a row.
    BreakerOpened {
        /// What the last of them was.
        error: String,
    },
    /// It answers again.
    BreakerClosed,
    /// The store answers with an error. At most once a minute.
    Refused {
        /// Which one.
        error: String,
    },
    /// What the fleet's switch says cannot be read: this process keeps what it knew. At most once a minute.
    FleetUnread {
        /// Why, and what to do.
        error: String,
    },
    /// Redis does not tell of changes, so that values in this process live by their `local_ttl`.
    NotTold {
        /// Why.
        error: String,
    },
    /// This process was switched.
    Switched {
        /// To this mode.
        mode: Mode,
    },
    /// The fleet was switched: [`Cache::switch_fleet`].
    FleetSwitched {
        /// Whether it is on now.
        on: bool,
    },
    /// A key template was switched in the fleet: [`Cache::switch_template`].
    TemplateSwitched {
        /// Which one.
        template: String,
        /// Whether it is on now.
        on: bool,
    },
    /// Somebody has used the dashboard.
    Controlled {
        /// What for, without the key.
        action: String,
    },
    /// The epoch of the namespace has moved: it begins empty.
    EpochMoved,
    /// More invalidations were undelivered than are kept: this process reads past the cache until it has moved the epoch in their place.
    InvalidationsDropped {
        /// How many they were.
        count: usize,
    },
}

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BreakerOpened { error } => write!(
                f,
                "the breaker opens: calls go to the source until the store answers ({error})"
            ),
            Self::BreakerClosed => f.write_str("the breaker closes: the store answers"),
            Self::Refused { error } => write!(
                f,
                "the store refuses what the cache asks: such calls go to the source ({error})"
            ),
            Self::FleetUnread { error } => write!(
                f,
                "what the fleet's switch says cannot be read: this process keeps what it knew ({error})"
            ),
            Self::NotTold { error } => write!(
                f,
                "Redis does not tell of changes (`CLIENT TRACKING`): values of the local tier live by their local_ttl ({error})"
            ),
            Self::Switched { mode } => write!(f, "the cache was switched: {mode}"),
            Self::FleetSwitched { on } => write!(f, "the fleet was switched {}", on_or_off(*on)),
            Self::TemplateSwitched { template, on } => {
                write!(
                    f,
                    "`{template}` was switched {} in the fleet",
                    on_or_off(*on)
                )
            }
            Self::Controlled { action } => f.write_str(action),
            Self::EpochMoved => f.write_str("the epoch has moved: the cache begins empty"),
            Self::InvalidationsDropped { count } => write!(
                f,
                "{count} undelivered invalidations are more than are kept: this process reads past the cache until it has moved \
                 the epoch of the namespace, which empties it for every process"
            ),
        }
    }
}

impl Changed {
    /// Whether it costs calls their cache.
    const fn is_trouble(&self) -> bool {
        match self {
            Self::BreakerOpened { .. }
            | Self::Refused { .. }
            | Self::FleetUnread { .. }
            | Self::NotTold { .. }
            | Self::InvalidationsDropped { .. } => true,
            Self::BreakerClosed
            | Self::Switched { .. }
            | Self::FleetSwitched { .. }
            | Self::TemplateSwitched { .. }
            | Self::Controlled { .. }
            | Self::EpochMoved => false,
        }
    }
}

const fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// The last changes of one cache.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<VecDeque<Change>>);

impl Changes {
    /// Keeps one, and tells the log.
    pub(crate) fn note(&self, what: Changed, by: Option<&str>) {
        let who = by.unwrap_or_default();
        if what.is_trouble() {
            tracing::warn!(by = who, "cache: {what}");
        } else {
            tracing::info!(by = who, "cache: {what}");
        }
        let change = Change {
            at: SystemTime::now(),
            what,
            by: by.map(str::to_owned),
        };
        let mut kept = lock(&self.0);
        if kept.len() >= KEPT {
            kept.pop_front();
        }
        kept.push_back(change);
    }
}

impl Cache {
    /// The last 100 changes of the state of this cache in this process, the oldest first: the breaker, the switch, the epoch. Each is also
    /// an event of `tracing`, a warning where it costs calls their cache.
    ///
    /// ```
    /// # use cache_runtime::{Cache, CacheConfig, Changed, Mode};
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let cache = Cache::new(CacheConfig::embedded())?;
    /// cache.set_mode(Mode::Off)?;
    /// let changes = cache.changes();
    /// assert_eq!(changes[0].what, Changed::Switched { mode: Mode::Off });
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn changes(&self) -> Vec<Change> {
        lock(&self.inner.changes.0).iter().cloned().collect()
    }
}

fn as_unix_seconds<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64().serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_hundred_are_kept() {
        let changes = Changes::default();
        for count in 0..150 {
            changes.note(Changed::InvalidationsDropped { count }, Some("a test"));
        }
        let kept = lock(&changes.0);
        assert_eq!(kept.len(), KEPT);
        let first = kept.front().map(|change| change.what.clone());
        assert_eq!(first, Some(Changed::InvalidationsDropped { count: 50 }));
        let told = kept
            .back()
            .and_then(|change| serde_json::to_value(change).ok());
        let told = told.unwrap_or_default();
        assert_eq!(told["what"], "invalidations_dropped");
        assert_eq!(
            (&told["count"], &told["by"]),
            (&149.into(), &"a test".into())
        );
    }
}
