//! Findings: what is wrong, or worth knowing, about the keys of a program.

use std::fmt;

use crate::site::CallSite;

/// What is wrong, or worth knowing, about some keys: one finding of [`Audit::findings`](crate::Audit::findings).
///
/// It displays as what was found, where, and what to do about it:
///
/// ```standalone_crate
/// for finding in cache_runtime::audit().findings() {
///     println!("{}: {finding}", finding.severity());
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Finding {
    pub(super) kind: FindingKind,
    pub(super) severity: Severity,
    pub(super) what: String,
    /// Each with what it does to its keys.
    pub(super) sites: Vec<(&'static CallSite, String)>,
    pub(super) remedy: String,
}

impl Finding {
    /// What kind of finding this is.
    #[must_use]
    pub const fn kind(&self) -> FindingKind {
        self.kind
    }

    /// How much it matters.
    #[must_use]
    pub const fn severity(&self) -> Severity {
        self.severity
    }

    /// The functions that it is about.
    pub fn sites(&self) -> impl Iterator<Item = &'static CallSite> {
        self.sites.iter().map(|(site, _)| *site)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            severity,
            what,
            sites,
            remedy,
        } = self;
        writeln!(f, "{severity}[{kind}]: {what}")?;
        for (site, does) in sites {
            let (file, line) = site.location();
            writeln!(f, "  {} {does}, at {file}:{line}", site.function())?;
        }
        writeln!(f, "  help: {remedy}")?;
        write!(f, "  see `cache_runtime::guide::audit`, section `{kind}`")
    }
}

/// The kinds of findings. Each displays as the name by which it is allowed: `allow = "never_invalidated"`.
///
/// The [guide on the audit](crate::guide::audit) has a section for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum FindingKind {
    /// An invalidation that no cached function can match: it does nothing.
    UnmatchedInvalidation,
    /// Two templates that can make the same key: one function may be given what another has stored.
    OverlappingTemplates,
    /// One template that is cached with two types of value: each function finds what it cannot read.
    DifferentValueTypes,
    /// One template that is cached with two TTLs: how long a value lives depends on who has loaded it.
    DifferentTtls,
    /// A cached template that nothing invalidates: only its TTL bounds how old a value is.
    NeverInvalidated,
}

impl FindingKind {
    /// The name by which it is allowed: `never_invalidated`.
    ///
    /// ```
    /// use cache_runtime::FindingKind;
    ///
    /// assert_eq!(FindingKind::NeverInvalidated.name(), "never_invalidated");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnmatchedInvalidation => "unmatched_invalidation",
            Self::OverlappingTemplates => "overlapping_templates",
            Self::DifferentValueTypes => "different_value_types",
            Self::DifferentTtls => "different_ttls",
            Self::NeverInvalidated => "never_invalidated",
        }
    }

    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::UnmatchedInvalidation
            | Self::OverlappingTemplates
            | Self::DifferentValueTypes => Severity::Error,
            Self::DifferentTtls => Severity::Warning,
            Self::NeverInvalidated => Severity::Info,
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much a finding matters.
///
/// ```
/// use cache_runtime::Severity;
///
/// assert!(Severity::Error > Severity::Warning);
/// assert_eq!(Severity::Info.to_string(), "info");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Severity {
    /// Worth knowing, and often meant: an audit with nothing else is clean.
    Info,
    /// Probably not meant.
    Warning,
    /// A mistake: a function does not do what its attribute says.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}
