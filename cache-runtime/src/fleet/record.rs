//! What the switch of the fleet says, in a process and on record.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::audit::Template;
use crate::error::{CacheError, ErrorKind};

/// How many templates may be off, one by one.
pub(crate) const MAX_TEMPLATES: usize = 100;

/// How many bytes of a name are kept.
pub(crate) const MAX_NAME: usize = 100;

/// What the fleet's switch says, as far as this process knows: see [`Cache::fleet`](crate::Cache::fleet).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Fleet {
    /// Whether it is on.
    pub on: bool,
    /// Who threw it last, and when.
    #[serde(flatten)]
    pub thrown: Thrown,
    /// The key templates that are off while the rest is on, in their order; at most 100.
    pub templates_off: Vec<TemplateOff>,
}

/// A template that is off in the fleet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TemplateOff {
    /// The template: `user:<id>`.
    pub template: String,
    /// Who switched it off, and when.
    #[serde(flatten)]
    pub thrown: Thrown,
}

/// Who threw a switch, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Thrown {
    /// Who, where that is known: at most 100 bytes.
    pub by: Option<String>,
    /// When, by the clock of Redis. Serialised, in seconds since 1970.
    #[serde(serialize_with = "as_unix_seconds")]
    pub since: Option<SystemTime>,
}

impl Thrown {
    /// By the name that a record holds, which may be anything, at a time in milliseconds since 1970.
    pub(crate) fn new(by: &str, since: Option<u64>) -> Self {
        let by = bounded(by, MAX_NAME);
        let at = |ms| UNIX_EPOCH.checked_add(Duration::from_millis(ms));
        Self {
            by: (!by.is_empty()).then_some(by),
            since: since.and_then(at),
        }
    }

    #[cfg(feature = "redis")]
    pub(crate) fn since_ms(&self) -> Option<u64> {
        self.since.map(crate::clock::unix_ms)
    }
}

impl Default for Fleet {
    fn default() -> Self {
        Self::new(true, Thrown::default(), [])
    }
}

impl Fleet {
    pub(crate) fn new(
        on: bool,
        thrown: Thrown,
        templates: impl IntoIterator<Item = (String, Thrown)>,
    ) -> Self {
        let mut templates_off: Vec<_> = templates
            .into_iter()
            .map(|(template, thrown)| TemplateOff {
                template: bounded(&template, MAX_TEMPLATE),
                thrown,
            })
            .collect();
        templates_off.sort_unstable_by(|a, b| a.template.cmp(&b.template));
        // Of more, the same each time.
        templates_off.truncate(MAX_TEMPLATES);
        Self {
            on,
            thrown,
            templates_off,
        }
    }
}

impl Fleet {
    /// How a template is spelled that is off already; as it is given where it is not.
    pub(crate) fn spelled<'a>(&'a self, template: &'a str) -> Vec<&'a str> {
        let same = Template::parse(template);
        let off = self.templates_off.iter().map(|off| &*off.template);
        let mut all: Vec<_> = off.filter(|off| Template::parse(off) == same).collect();
        if all.is_empty() {
            all.push(template);
        }
        all
    }
}

/// How many bytes of a template are kept.
pub(crate) const MAX_TEMPLATE: usize = 256;

/// A text of another process, without what a terminal would obey.
pub(crate) fn bounded(text: &str, len: usize) -> String {
    let mut bounded: String = text.chars().filter(|char| !char.is_control()).collect();
    let end = (0..=len).rev().find(|end| bounded.is_char_boundary(*end));
    bounded.truncate(end.unwrap_or_default());
    bounded
}

/// What stands in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) fleet: Fleet,
    /// When it was changed last, in milliseconds since 1970; `None` where a person wrote it who did not say.
    pub(crate) changed: Option<u64>,
    /// By whom, as far as that is known.
    pub(crate) by: Option<String>,
}

#[cfg(feature = "redis")]
impl Record {
    /// Whether this, which is known, is newer than what was found in the store, and is to be put back there.
    pub(crate) fn is_newer_than(&self, found: Option<&Self>) -> bool {
        match found {
            // Also where all is on: who knows less would date his record before it.
            None => self.changed.is_some(),
            Some(found) => {
                matches!((found.changed, self.changed), (Some(found), Some(known)) if found < known)
            }
        }
    }

    /// Whether a person has written what was found, and nobody has dated it yet.
    pub(crate) fn is_undated(&self, found: &Self) -> bool {
        found.changed.is_none() || found.changed == self.changed && found.fleet != self.fleet
    }
}

impl Record {
    /// The same after a switch was thrown in this process, which is the fleet.
    pub(crate) fn thrown(
        mut self,
        on: bool,
        by: &str,
        template: Option<&str>,
    ) -> Result<Self, CacheError> {
        let now = crate::clock::unix_ms(SystemTime::now());
        let now = now.max(self.changed.map_or(0, |last| last.saturating_add(1)));
        let thrown = Thrown::new(by, Some(now));
        self.changed = Some(now);
        self.by.clone_from(&thrown.by);
        let Fleet {
            on: is_on,
            thrown: last,
            templates_off,
        } = self.fleet;
        let mut templates: Vec<_> = templates_off
            .into_iter()
            .map(|off| (off.template, off.thrown))
            .collect();
        self.fleet = match template {
            None => Fleet::new(on, thrown, templates),
            Some(template) => {
                templates.retain(|(other, _)| other != template);
                if !on && templates.len() >= MAX_TEMPLATES {
                    return Err(too_many());
                }
                if !on {
                    templates.push((template.to_owned(), thrown));
                }
                Fleet::new(is_on, last, templates)
            }
        };
        Ok(self)
    }
}

/// What is said where one more template is to be switched off than can be.
pub(crate) fn too_many() -> CacheError {
    CacheError::because(
        ErrorKind::Rejected,
        format!(
            "{MAX_TEMPLATES} templates are off already; switch some on, or the whole fleet off"
        ),
    )
}

#[allow(clippy::ref_option, reason = "as serde passes it")]
fn as_unix_seconds<S: Serializer>(
    at: &Option<SystemTime>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let since = at.map(|at| at.duration_since(UNIX_EPOCH).unwrap_or_default());
    since.map(|since| since.as_secs_f64()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(on: bool, changed: Option<u64>) -> Record {
        Record {
            fleet: Fleet::new(on, Thrown::default(), []),
            changed,
            by: None,
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn the_newest_record_is_in_force_and_what_was_lost_is_put_back() {
        let (off, on) = (record(false, Some(5)), record(true, Some(5)));
        assert!(off.is_newer_than(None) && on.is_newer_than(None));
        assert!(!Record::default().is_newer_than(None), "nothing is lost");
        for known in [&off, &on] {
            let is_newer = |changed| {
                let found = record(!known.fleet.on, changed);
                known.is_newer_than(Some(&found))
            };
            assert!(is_newer(Some(4)));
            assert!(!is_newer(Some(5)) && !is_newer(Some(6)));
            assert!(!is_newer(None), "written by a person");
        }
    }

    #[cfg(feature = "redis")]
    #[test]
    fn what_a_person_has_written_is_told_from_what_a_process_has() {
        let known = record(true, Some(5));
        for (found, is_undated) in [
            (record(true, Some(5)), false),
            (record(false, Some(5)), true),
            (record(false, Some(6)), false),
            (record(true, None), true),
        ] {
            assert_eq!(known.is_undated(&found), is_undated, "{found:?}");
        }
    }

    #[test]
    fn in_one_process_the_times_of_changes_only_grow() {
        let mut record = record(true, Some(u64::MAX - 1));
        for (on, template) in [(false, None), (false, Some("user:<id>"))] {
            record = record.thrown(on, "ada", template).unwrap_or_default();
            assert_eq!(record.changed, Some(u64::MAX));
        }
        assert!(!record.fleet.on && record.fleet.templates_off.len() == 1);
        record = record
            .thrown(true, "ada", Some("user:<id>"))
            .unwrap_or_default();
        assert!(!record.fleet.on && record.fleet.templates_off.is_empty());
    }

    #[test]
    fn a_hundred_templates_can_be_off() {
        let mut all = record(true, None);
        for i in 0..MAX_TEMPLATES {
            let template = format!("t{i}");
            all = all.thrown(false, "", Some(&template)).unwrap_or_default();
        }
        assert!(all.clone().thrown(false, "", Some("t5")).is_ok(), "known");
        assert!(all.thrown(false, "", Some("one more")).is_err());
    }
}
