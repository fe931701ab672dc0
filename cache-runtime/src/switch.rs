//! The kill switch.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

/// How far a cache is switched on.
///
/// ```
/// use cache_runtime::{Cache, CacheConfig, Mode};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::new(CacheConfig::embedded())?;
/// cache.set_mode(Mode::Off)?;
/// assert_eq!(cache.mode(), Mode::Off);
/// cache.set_mode(Mode::On)?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Reads and invalidations go through the store.
    On,
    /// Every read is the plain call; invalidations still reach the store, so that switching on again serves nothing
    /// stale. The environment's `CACHE_ENABLED=false`.
    Off,
    /// The store is never contacted. The environment's `REDIS_ENABLED=false`: the rollback in which Redis may be gone.
    /// Mutations leave no trace in the store meanwhile, see [`Cache::set_mode`](crate::Cache::set_mode) for the way back.
    Detached,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Detached => "detached",
        })
    }
}

impl Mode {
    const fn code(self) -> u8 {
        match self {
            Self::On => 1,
            Self::Off => 2,
            Self::Detached => 3,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::On,
            2 => Self::Off,
            _ => Self::Detached,
        }
    }
}

/// A mode that can change while it is read.
#[derive(Debug)]
pub(crate) struct Switch(AtomicU8);

impl Switch {
    pub(crate) const fn new(mode: Mode) -> Self {
        Self(AtomicU8::new(mode.code()))
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        Mode::from_code(self.0.load(Ordering::Relaxed))
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.0.store(mode.code(), Ordering::SeqCst);
    }
}

/// The mode of the global cache once more, 0 while there is none; and [`CONTROLLED`].
static GLOBAL: AtomicU8 = AtomicU8::new(0);

/// That single calls are [controlled](crate::control) somewhere in this program.
const CONTROLLED: u8 = 4;

/// How annotated calls go, found with one load and without the cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Annotations(u8);

impl Annotations {
    #[inline]
    pub(crate) fn now() -> Self {
        Self(GLOBAL.load(Ordering::Relaxed))
    }

    /// Whether they go through the cache, and nothing is asked of any.
    #[inline]
    pub(crate) fn are_ordinary(self) -> bool {
        self.0 <= Mode::On.code()
    }

    /// Whether something may be asked of one.
    #[inline]
    pub(crate) fn may_be_controlled(self) -> bool {
        self.0 & CONTROLLED != 0
    }

    /// Whether they are to be the plain call. `false` before the global cache exists: the caller then makes it.
    #[inline]
    pub(crate) fn are_off(self) -> bool {
        self.0 & !CONTROLLED > Mode::On.code()
    }
}

/// Follows the global cache's switch.
pub(crate) fn set_annotations(mode: Mode) {
    let change = |old: u8| Some(old & CONTROLLED | mode.code());
    let _ = GLOBAL.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
}

/// Lets annotated calls look at what is asked of them, from now on.
pub(crate) fn control_annotations() {
    if !Annotations::now().may_be_controlled() {
        GLOBAL.fetch_or(CONTROLLED, Ordering::SeqCst);
    }
}
