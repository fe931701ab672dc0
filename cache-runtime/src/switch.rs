//! The kill switch.

use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};

use serde::Serialize;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
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

/// A mode that can change while it is read: that of this process, and what the [fleet](crate::fleet) says to it.
#[derive(Debug)]
pub(crate) struct Switch(AtomicU8);

/// The bits of a byte that are a mode.
const MODE: u8 = 3;

/// That single calls are [controlled](crate::control) somewhere in this program.
const CONTROLLED: u8 = 4;

/// That the fleet is off.
const FLEET_OFF: u8 = 8;

/// That some templates are off in the fleet.
const TEMPLATES_OFF: u8 = 16;

/// What the bits of a switch come to.
const fn effective(bits: u8) -> Mode {
    match Mode::from_code(bits & MODE) {
        Mode::On if bits & FLEET_OFF != 0 => Mode::Off,
        own => own,
    }
}

impl Switch {
    pub(crate) const fn new(mode: Mode) -> Self {
        Self(AtomicU8::new(mode.code()))
    }

    #[inline]
    pub(crate) fn mode(&self) -> Mode {
        effective(self.0.load(Ordering::Relaxed))
    }

    /// The mode of this process, whatever the fleet says.
    pub(crate) fn own(&self) -> Mode {
        Mode::from_code(self.0.load(Ordering::Relaxed) & MODE)
    }

    /// Whether every call goes through the cache.
    #[inline]
    pub(crate) fn is_plainly_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Mode::On.code()
    }

    /// Sets the mode of this process.
    pub(crate) fn set(&self, mode: Mode) {
        self.change(MODE, mode.code());
    }

    /// Sets what the fleet says: whether it is off, and whether templates of it are.
    pub(crate) fn set_fleet(&self, is_off: bool, templates_off: bool) {
        let bit = |is_set, bit| if is_set { bit } else { 0 };
        let bits = bit(is_off, FLEET_OFF) | bit(templates_off, TEMPLATES_OFF);
        self.change(FLEET_OFF | TEMPLATES_OFF, bits);
    }

    fn change(&self, which: u8, bits: u8) {
        let change = |old: u8| Some(old & !which | bits);
        let _ = (self.0).fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
    }
}

/// The mode of the global cache once more, 0 while there is none; [`CONTROLLED`]; and [`FLEET_OFF`], where nothing else switches it off.
static GLOBAL: AtomicU8 = AtomicU8::new(0);

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
        self.0 & MODE > Mode::On.code()
    }

    /// Whether that is for the fleet alone, so that somebody must watch for its end.
    #[inline]
    pub(crate) fn are_off_by_fleet(self) -> bool {
        self.0 & FLEET_OFF != 0
    }
}

/// Follows the global cache's switch.
pub(crate) fn set_annotations(switch: &Switch) {
    let bits = switch.0.load(Ordering::SeqCst);
    let by_fleet = match Mode::from_code(bits & MODE) {
        Mode::On => bits & FLEET_OFF,
        Mode::Off | Mode::Detached => 0,
    };
    let change = |old: u8| Some(old & CONTROLLED | effective(bits).code() | by_fleet);
    let _ = GLOBAL.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change);
}

/// Lets annotated calls look at what is asked of them, from now on.
pub(crate) fn control_annotations() {
    if !Annotations::now().may_be_controlled() {
        GLOBAL.fetch_or(CONTROLLED, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_process_and_fleet_is_in_force() {
        let switch = Switch::new(Mode::On);
        assert!(switch.is_plainly_on());
        switch.set_fleet(false, true);
        assert!(switch.mode() == Mode::On && !switch.is_plainly_on());
        switch.set_fleet(true, false);
        for (own, both) in [
            (Mode::On, Mode::Off),
            (Mode::Off, Mode::Off),
            (Mode::Detached, Mode::Detached),
        ] {
            switch.set(own);
            assert_eq!((switch.own(), switch.mode()), (own, both));
        }
        switch.set_fleet(false, false);
        assert_eq!(switch.mode(), Mode::Detached);
        switch.set(Mode::On);
        assert!(switch.is_plainly_on());
    }
}
