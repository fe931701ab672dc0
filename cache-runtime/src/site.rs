//! Call sites: the annotated functions of the program.

use std::any::type_name;

use crate::audit::FindingKind;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::stats::{Counters, Stats};

/// All call sites of the program, collected by the linker.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static CALL_SITES: [CallSite];

/// All types of the program that derive `CacheKey`, collected by the linker.
#[doc(hidden)]
#[linkme::distributed_slice]
pub static KEY_TYPES: [KeyType];

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
    typed_keys: &'static [(usize, &'static str)],
    tags: &'static [&'static str],
    value_type: Option<fn() -> Option<&'static str>>,
    allowed: &'static [FindingKind],
    pub(crate) counters: Counters,
    /// Of calls on a cache that the function names, whichever it named.
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
            typed_keys: &[],
            tags: &[],
            value_type: None,
            allowed: &[],
            counters: Counters::new(),
            apart: Counters::new(),
        }
    }

    /// Which of the templates are expressions, and the path of the type that each is of, as far as it can be read off.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_typed_keys(mut self, keys: &'static [(usize, &'static str)]) -> Self {
        self.typed_keys = keys;
        self
    }

    /// Its tags, each with `tag ` in front.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_tags(mut self, tags: &'static [&'static str]) -> Self {
        self.tags = tags;
        self
    }

    pub(crate) const fn tags(&self) -> &'static [&'static str] {
        self.tags
    }

    /// What tells the type of the values: see [`value_type`].
    #[doc(hidden)]
    #[must_use]
    pub const fn with_value_type(mut self, name: fn() -> Option<&'static str>) -> Self {
        self.value_type = Some(name);
        self
    }

    /// The findings that are meant here.
    #[doc(hidden)]
    #[must_use]
    pub const fn with_allowed(mut self, kinds: &'static [FindingKind]) -> Self {
        self.allowed = kinds;
        self
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

    /// The type of the values that the function puts under its keys, as [`type_name`] writes it.
    ///
    /// `None` if it puts none there, and if the type has no name outside of the function: one that depends on a type
    /// parameter or on `Self`, and one that is declared in the body of a function. Nor is the type known where a
    /// container that is not of the standard library holds a type without a path, as in `Page<User>`; `Page<model::User>` is.
    ///
    /// ```standalone_crate
    /// use cache_runtime::cached;
    ///
    /// #[cached(key = "motto", ttl = "1h")]
    /// async fn motto() -> Option<String> {
    ///     None
    /// }
    ///
    /// let site = cache_runtime::call_sites().next();
    /// assert_eq!(site.and_then(|site| site.value_type()), Some("alloc::string::String"));
    /// ```
    #[must_use]
    pub fn value_type(&self) -> Option<&'static str> {
        self.value_type.and_then(|name| name())
    }

    /// Whether a finding of the [`audit`](crate::audit()) is meant here: `allow = "never_invalidated"`.
    #[must_use]
    pub fn allows(&self, kind: FindingKind) -> bool {
        self.allowed.contains(&kind)
    }

    /// Whether what it caches may be kept in this process.
    #[cfg(feature = "redis")]
    pub(crate) fn is_local(&self) -> bool {
        matches!(self.effect, Effect::Caches(policy) if policy.is_local())
    }

    /// The path of the type that a key is of, empty if it cannot be read off; `None` for a template.
    pub(crate) fn type_of_key(&self, index: usize) -> Option<&'static str> {
        let found = self.typed_keys.iter().find(|(at, _)| *at == index);
        found.map(|(_, path)| *path)
    }

    /// Its place among all call sites of the program; beyond their number, if it is none of them.
    #[inline]
    pub(crate) fn index(&self) -> usize {
        let from_the_first = std::ptr::from_ref(self).addr();
        let from_the_first = from_the_first.wrapping_sub(CALL_SITES.as_ptr().addr());
        from_the_first / size_of::<Self>()
    }

    /// What happened here since the process started, on whichever cache.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.counters.read() + self.apart.read()
    }
}

/// A type that derives `CacheKey`.
#[doc(hidden)]
#[derive(Debug)]
pub struct KeyType {
    path: &'static str,
    template: &'static str,
}

impl KeyType {
    /// What the derive writes down.
    #[must_use]
    pub const fn new(path: &'static str, template: &'static str) -> Self {
        Self { path, template }
    }

    /// `my_app::users::UserKey`
    pub(crate) const fn path(&self) -> &'static str {
        self.path
    }

    pub(crate) const fn template(&self) -> &'static str {
        self.template
    }
}

/// Stands for a type that may have no name outside of a generic function.
#[doc(hidden)]
#[derive(Debug)]
pub struct Unnamed;

/// The name of the type that a function of this return type stores; `None` if that is made of an [`Unnamed`].
#[doc(hidden)]
#[must_use]
pub fn value_type<R: Outcome<S>, S>(_shape: &S) -> Option<&'static str> {
    name_of::<R::Value>()
}

/// The name of a type; `None` if it is made of an [`Unnamed`].
pub(crate) fn name_of<T>() -> Option<&'static str> {
    let name = type_name::<T>();
    (!name.contains(type_name::<Unnamed>())).then_some(name)
}
