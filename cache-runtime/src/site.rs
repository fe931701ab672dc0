//! Call sites: the annotated functions of the program.

use crate::policy::Policy;
use crate::stats::{Counters, Stats};

/// All call sites of the program, collected by the linker.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static CALL_SITES: [CallSite];

/// Every annotated function of the program, in no particular order.
///
/// The linker collects them: a function need not have been called to be listed.
///
/// ```
/// for site in cache_runtime::call_sites() {
///     println!("{} {:?}: {} hits", site.function(), site.templates(), site.stats().hits);
/// }
/// ```
pub fn call_sites() -> impl Iterator<Item = &'static CallSite> {
    CALL_SITES.iter()
}

/// One annotated function: what it does to which keys, where it stands, and what happened there.
#[derive(Debug)]
pub struct CallSite {
    function: &'static str,
    location: (&'static str, u32),
    effect: Effect,
    templates: &'static [&'static str],
    pub(crate) counters: Counters,
    /// Of calls on another cache than the global one.
    pub(crate) apart: Counters,
}

/// What an annotated function does to its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Effect {
    /// `#[cached]`: it is answered from the cache, under this policy.
    Caches(Policy),
    /// `#[invalidates]`: what is cached under its keys is dropped.
    Invalidates,
    /// `#[write_through]`: what it has written is stored under its key, under this policy.
    WritesThrough(Policy),
}

impl CallSite {
    /// What the macros write down.
    #[doc(hidden)]
    #[must_use]
    pub const fn new(
        function: &'static str,
        location: (&'static str, u32),
        effect: Effect,
        templates: &'static [&'static str],
    ) -> Self {
        Self {
            function,
            location,
            effect,
            templates,
            counters: Counters::new(),
            apart: Counters::new(),
        }
    }

    /// The function, with its module: `my_app::users::find_user`.
    #[must_use]
    pub const fn function(&self) -> &'static str {
        self.function
    }

    /// The file, as the compiler names it, and the line of the attribute.
    #[must_use]
    pub const fn location(&self) -> (&'static str, u32) {
        self.location
    }

    /// What the function does to its keys.
    #[must_use]
    pub const fn effect(&self) -> Effect {
        self.effect
    }

    /// The key templates: one for `#[cached]` and `#[write_through]`, at least one for `#[invalidates]`. A typed key stands as its expression.
    #[must_use]
    pub const fn templates(&self) -> &'static [&'static str] {
        self.templates
    }

    /// What happened here since the process started.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read() + self.apart.read()
    }
}
