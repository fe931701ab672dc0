//! The audit: what the call sites of a whole program tell about its keys.
//!
//! Each function is checked by the compiler, by itself. What can be wrong between two of them is known when all are
//! linked: the [map](KeyMap) of which function does what to which keys is made of the registered call sites, and each
//! [finding](Finding) is a rule over that map.

mod finding;
mod map;
mod template;

use std::fmt;

pub use self::finding::{Finding, FindingKind, Severity};
pub use self::map::{KeyMap, KeyUse};
pub(crate) use self::template::Template;
use crate::site::{CallSite, Effect, KEY_TYPES, KeyType, call_sites};

/// Checks the keys of the whole program against each other.
///
/// Every annotated function that is linked is looked at, whether it was called or not. Made for a test, one line of which
/// keeps the keys in order:
///
/// ```standalone_crate
/// # use cache_runtime::{cached, invalidates};
/// # #[cached(key = "user:<id>", ttl = "1h")] async fn find_user(id: u64) -> Option<String> { let _ = id; None }
/// # #[invalidates("user:<id>")] async fn rename_user(id: u64) { let _ = id; }
/// // #[test]
/// fn the_keys_are_in_order() {
///     cache_runtime::audit().assert_clean();
/// }
/// # the_keys_are_in_order();
/// ```
///
/// A test sees what its own binary links: your library, and the functions of the test itself. The
/// [guide](crate::guide::audit) has a section for each kind of finding, and tells what is not seen.
pub fn audit() -> Audit {
    let types: Vec<_> = KEY_TYPES.iter().collect();
    Audit::of(call_sites(), &types)
}

/// The templates of the keys of a call site. A typed key has that of its type, or stands as its expression where that cannot be told.
pub(crate) fn templates_of(site: &CallSite) -> Vec<&'static str> {
    let types: Vec<_> = KEY_TYPES.iter().collect();
    let templates = site.templates().iter().enumerate();
    templates
        .map(|(index, text)| map::resolved(site, index, text, &types).unwrap_or(text))
        .collect()
}

/// Every template that something is stored under in this program, by annotated functions and by typed keys, in their order.
pub(crate) fn all_templates() -> Vec<&'static str> {
    let stores = |site: &&CallSite| !matches!(site.effect(), Effect::Invalidates);
    let mut all: Vec<_> = call_sites().filter(stores).flat_map(templates_of).collect();
    all.extend(KEY_TYPES.iter().map(KeyType::template));
    all.sort_unstable();
    all.dedup();
    all
}

/// The template that something is stored under in this program, which this was probably meant to be.
pub(crate) fn meant(template: &str) -> Option<&'static str> {
    let texts = all_templates();
    let known: Vec<_> = texts.iter().map(|text| Template::parse(text)).collect();
    let meant = Template::parse(template).meant(&known)?;
    let at = known.iter().position(|known| known == meant)?;
    texts.get(at).copied()
}

/// What [`audit()`] found, and the map that it was found in.
///
/// It displays as a report of all findings.
#[derive(Clone, Debug)]
#[must_use]
pub struct Audit {
    map: KeyMap,
    call_sites: usize,
    findings: Vec<Finding>,
}

impl Audit {
    fn of(sites: impl IntoIterator<Item = &'static CallSite>, types: &[&'static KeyType]) -> Self {
        let sites: Vec<_> = sites.into_iter().collect();
        let call_sites = sites.len();
        let map = KeyMap::of(sites, types);
        let mut findings = Rules::over(&map).findings();
        findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity()), finding.kind()));
        Self {
            map,
            call_sites,
            findings,
        }
    }

    /// What was found, the worst first, without what is [allowed](crate::guide::audit#what-is-meant).
    ///
    /// ```standalone_crate
    /// use cache_runtime::{FindingKind, audit};
    ///
    /// let audit = audit();
    /// let mut kinds = audit.findings().iter().map(|finding| finding.kind());
    /// assert!(!kinds.any(|kind| kind == FindingKind::UnmatchedInvalidation));
    /// ```
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether nothing was found that is a [warning](Severity::Warning) or worse.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.count(|severity| severity > Severity::Info) == 0
    }

    /// Fails a test whose program is not [clean](Self::is_clean).
    ///
    /// ```standalone_crate
    /// cache_runtime::audit().assert_clean();
    /// ```
    ///
    /// # Panics
    ///
    /// If it is not clean, with the report.
    #[track_caller]
    pub fn assert_clean(&self) {
        assert!(
            self.is_clean(),
            "the keys of this program are not in order\n\n{self}"
        );
    }

    /// Which function does what to which keys.
    #[must_use]
    pub const fn map(&self) -> &KeyMap {
        &self.map
    }

    fn count(&self, counts: impl Fn(Severity) -> bool) -> usize {
        let severities = self.findings.iter().map(Finding::severity);
        severities.filter(|severity| counts(*severity)).count()
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}\n")?;
        }
        let count = |wanted| self.count(|severity| severity == wanted);
        write!(
            f,
            "call sites: {}, errors: {}, warnings: {}, for information: {}",
            self.call_sites,
            count(Severity::Error),
            count(Severity::Warning),
            count(Severity::Info)
        )
    }
}

/// The rules, over the parts of the map that they are about.
struct Rules<'m> {
    /// What puts values under keys, by template.
    sources: Vec<Source<'m>>,
    /// What keeps these values true.
    followers: Vec<(&'m KeyUse, &'m Template)>,
    /// A typed key that puts values somewhere, but where is not known.
    unknown_source: Option<&'m KeyUse>,
    /// A typed key that makes values void, but which is not known.
    unknown_follower: Option<&'m KeyUse>,
}

/// All that puts values under the keys of one template.
struct Source<'m> {
    template: &'m Template,
    uses: Vec<&'m KeyUse>,
}

impl<'m> Source<'m> {
    /// The functions that do not allow such a finding: the others take no part in it.
    fn held_to(&self, kind: FindingKind) -> Vec<&'m KeyUse> {
        let uses = self.uses.iter().copied();
        uses.filter(|one| !one.site().allows(kind)).collect()
    }
}

impl<'m> Rules<'m> {
    fn over(map: &'m KeyMap) -> Self {
        let mut rules = Self {
            sources: Vec::new(),
            followers: Vec::new(),
            unknown_source: None,
            unknown_follower: None,
        };
        for one in map.uses() {
            let is_source = one.role.is_source();
            let is_follower = one.role.follows_changes();
            let Some(template) = &one.template else {
                rules.unknown_source = rules.unknown_source.or(is_source.then_some(one));
                rules.unknown_follower = rules.unknown_follower.or(is_follower.then_some(one));
                continue;
            };
            if is_follower {
                rules.followers.push((one, template));
            }
            if is_source {
                let mut sources = rules.sources.iter_mut();
                match sources.find(|source| source.template == template) {
                    Some(source) => source.uses.push(one),
                    None => rules.sources.push(Source {
                        template,
                        uses: vec![one],
                    }),
                }
            }
        }
        rules
    }

    fn findings(&self) -> Vec<Finding> {
        let mut found = Vec::new();
        found.extend(
            self.followers
                .iter()
                .filter_map(|(one, template)| self.unmatched(one, template)),
        );
        for (i, source) in self.sources.iter().enumerate() {
            let others = &self.sources[i + 1..];
            found.extend(others.iter().filter_map(|other| overlapping(source, other)));
        }
        found.extend(self.sources.iter().filter_map(different_value_types));
        found.extend(self.sources.iter().filter_map(different_ttls));
        found.extend(
            self.sources
                .iter()
                .filter_map(|source| self.never_invalidated(source)),
        );
        found
    }

    /// An invalidation that no cached function can match.
    fn unmatched(&self, one: &'m KeyUse, template: &Template) -> Option<Finding> {
        let kind = FindingKind::UnmatchedInvalidation;
        let is_matched = self
            .sources
            .iter()
            .any(|source| source.template.overlaps(template));
        if is_matched || one.role.is_source() || one.site().allows(kind) {
            return None;
        }
        let mut involved = vec![one];
        let meant = template.meant(self.sources.iter().map(|source| source.template));
        let nearest = self
            .sources
            .iter()
            .find(|source| Some(source.template) == meant);
        let remedy = match nearest.and_then(|source| source.uses.first()) {
            Some(nearest) => format!(
                "did you mean `{}`? If not, cache something under this key, or remove the invalidation",
                nearest.key()
            ),
            None => {
                "write the template of the cached function, or remove the invalidation".to_owned()
            }
        };
        involved.extend(nearest.iter().flat_map(|source| &source.uses));
        let (severity, doubt) = match self.unknown_source {
            // It may be the one that is meant, so this is no more than a suspicion.
            Some(unknown) => {
                let (key, function) = (unknown.key(), unknown.site().function());
                let doubt = format!(
                    "; what the typed key `{key}` of {function} makes is not known here: its type does not derive `CacheKey`, or \
                     is not named in the attribute"
                );
                (Severity::Info, doubt)
            }
            None => (kind.severity(), String::new()),
        };
        Some(Finding {
            severity,
            ..finding(
                kind,
                format!(
                    "nothing is cached under `{}`, which is invalidated",
                    one.key()
                ),
                &involved,
                remedy + &doubt,
            )
        })
    }

    /// A cached template that nothing invalidates.
    fn never_invalidated(&self, source: &Source<'m>) -> Option<Finding> {
        let kind = FindingKind::NeverInvalidated;
        let held = source.held_to(kind);
        let mut followers = self.followers.iter();
        let is_followed = followers.any(|(_, template)| template.overlaps(source.template));
        // Of a key with tags, these say it.
        let has_tags = source.uses.iter().any(|one| {
            let is_key = one.role.fills().is_some();
            is_key && !one.site().tags().is_empty()
        });
        if is_followed || has_tags || self.unknown_follower.is_some() {
            return None;
        }
        let key = held.first()?.key();
        Some(finding(
            kind,
            format!("nothing invalidates `{key}`: a value is as old as its TTL lets it be"),
            &held,
            format!(
                "annotate what changes it with `#[invalidates(\"{key}\")]`, or allow it if its age does no harm"
            ),
        ))
    }
}

/// Two templates that can make the same key.
fn overlapping(one: &Source<'_>, other: &Source<'_>) -> Option<Finding> {
    let kind = FindingKind::OverlappingTemplates;
    let (of_one, of_other) = (one.held_to(kind), other.held_to(kind));
    // Two tags may well make one.
    let _is_key = of_one.first()?.role.fills()?;
    let (first, second) = (of_one.first()?.key(), of_other.first()?.key());
    one.template.overlaps(other.template).then(|| {
        finding(
            kind,
            format!("`{first}` and `{second}` can make the same key"),
            &[of_one.as_slice(), of_other.as_slice()].concat(),
            "tell them apart by literal text in the same segment, or by the number of segments; if the arguments never \
             make the same key, allow it"
                .to_owned(),
        )
    })
}

/// One template that is cached with two types of value.
fn different_value_types(source: &Source<'_>) -> Option<Finding> {
    let kind = FindingKind::DifferentValueTypes;
    let mut held = source.held_to(kind);
    held.retain(|one| one.role.fills().is_some() && one.site().value_type().is_some());
    let types = distinct(held.iter().filter_map(|one| one.site().value_type()));
    let key = held.first()?.key();
    (types.len() > 1).then(|| {
        finding(
            kind,
            format!("`{key}` is cached as {}", types.join(" and as ")),
            &held,
            "give each type a template of its own; the same value in another form, such as an `Arc` of it, should have one \
             form in all functions"
                .to_owned(),
        )
    })
}

/// One template that is cached with two TTLs.
fn different_ttls(source: &Source<'_>) -> Option<Finding> {
    let kind = FindingKind::DifferentTtls;
    let held = source.held_to(kind);
    let ttls = distinct(held.iter().filter_map(|one| one.ttl()));
    let key = held.first()?.key();
    (ttls.len() > 1).then(|| {
        finding(
            kind,
            format!("`{key}` is cached for {}", ttls.join(" and for ")),
            &held,
            "write the same TTL in all functions; who loads a value first sets how long all have it".to_owned(),
        )
    })
}

fn finding(kind: FindingKind, what: String, involved: &[&KeyUse], remedy: String) -> Finding {
    let sites = involved.iter().map(|one| {
        let value = one.site().value_type();
        let value = value.map_or_else(String::new, |value| format!(" as {value}"));
        (one.site(), one.does() + &value)
    });
    Finding {
        kind,
        severity: kind.severity(),
        what,
        sites: sites.collect(),
        remedy,
    }
}

/// Each once, in order.
fn distinct<T: PartialEq>(all: impl Iterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for one in all {
        if !distinct.contains(&one) {
            distinct.push(one);
        }
    }
    distinct
}

#[cfg(test)]
mod tests;
