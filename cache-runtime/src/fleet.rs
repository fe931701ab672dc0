//! The fleet's switch: one record for all processes of a namespace, that each of them follows.
//!
//! A task of each process reads the record twice a second, whether the cache is on or off, from the first call on that goes to
//! Redis. What it last read is in force until it reads something else: a Redis that is gone changes nothing.
//!
//! The record may be lost, or an older one come back (a flush, an eviction, a restart from a snapshot, which is what one may well throw the
//! switch for). Each change carries a time that only grows; a process that knows a newer record than it finds puts it back. Nothing is
//! put back where nothing is known to be off.

use std::collections::HashSet;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Serialize, Serializer};

use crate::audit;
use crate::cache::{Cache, Inner};
use crate::changes::Changed;
use crate::clock::Tick;
use crate::error::{CacheError, ErrorKind};
use crate::lock::lock;
use crate::site::{CallSite, call_sites};
use crate::solo::{Solo, Turn};
use crate::store::Store;
use crate::switch::Mode;
use crate::tally::At;
use crate::timer;

/// How many templates may be off, one by one.
pub(crate) const MAX_TEMPLATES: usize = 100;

/// How many bytes of a name are kept.
pub(crate) const MAX_NAME: usize = 100;

/// How often a process reads the record.
const INTERVAL: Duration = Duration::from_millis(500);

/// After this time without a sign of the task that reads it, a call sees to it that there is one.
const DUE: Duration = Duration::from_secs(3);

/// What the fleet's switch says, as far as this process knows: see [`Cache::fleet`].
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
        let templates = templates.into_iter().take(MAX_TEMPLATES);
        let mut templates_off: Vec<_> = templates
            .map(|(template, thrown)| TemplateOff {
                template: bounded(&template, MAX_TEMPLATE),
                thrown,
            })
            .collect();
        templates_off.sort_unstable_by(|a, b| a.template.cmp(&b.template));
        Self {
            on,
            thrown,
            templates_off,
        }
    }
}

/// How many bytes of a template are kept.
const MAX_TEMPLATE: usize = 256;

/// A text of another process, without what a terminal would obey.
fn bounded(text: &str, len: usize) -> String {
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
    fn is_newer_than(&self, found: Option<&Self>) -> bool {
        match found {
            // Nothing is lost where nothing is off.
            None => !self.fleet.on || !self.fleet.templates_off.is_empty(),
            Some(found) => {
                matches!((found.changed, self.changed), (Some(found), Some(known)) if found < known)
            }
        }
    }
}

/// What one cache knows of its fleet.
#[derive(Debug, Default)]
pub(crate) struct Following {
    known: Mutex<Record>,
    /// The call sites whose template is off, by their addresses.
    sites_off: RwLock<HashSet<usize>>,
    /// When the next call is to look whether somebody follows.
    due: AtomicU64,
    follower: Solo,
}

impl Following {
    /// Whether a call is to look after it.
    #[inline]
    fn is_due(&self) -> bool {
        Tick::now().to_bits() >= self.due.load(Ordering::Relaxed)
    }

    fn is_seen_to(&self) {
        let due = Tick::now().plus(DUE);
        self.due.store(due.to_bits(), Ordering::Relaxed);
    }

    /// Whether the template of a call site is off.
    pub(crate) fn is_off(&self, site: &'static CallSite) -> bool {
        let off = self.sites_off.read();
        let off = off.unwrap_or_else(PoisonError::into_inner);
        off.contains(&ptr::from_ref(site).addr())
    }
}

impl Inner {
    /// Whether a call goes through the cache, of an annotated function or a direct one.
    #[inline]
    pub(crate) fn admits(self: &Arc<Self>, at: At) -> bool {
        self.switch.is_plainly_on() || self.admits_one(at)
    }

    #[cold]
    fn admits_one(self: &Arc<Self>, at: At) -> bool {
        self.follow_fleet();
        self.mode() == Mode::On
            && match at {
                At::Cache => true,
                At::Site(site) | At::Both(site) => !self.following.is_off(site),
            }
    }

    /// Sees to it that a task follows the switch of the fleet, if that is due and this thread has a runtime.
    #[inline]
    pub(crate) fn follow_fleet(self: &Arc<Self>) {
        if self.following.is_due() {
            self.begin_to_follow();
        }
    }

    #[cold]
    fn begin_to_follow(self: &Arc<Self>) {
        if self.store.as_embedded().is_some() {
            // The fleet is this process.
            self.following.due.store(u64::MAX, Ordering::Relaxed);
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        self.following.is_seen_to();
        if let Some(turn) = self.following.follower.begin() {
            runtime.spawn(follow(Arc::downgrade(self), turn));
        }
    }

    /// Reads the record once. What cannot be read changes nothing.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    pub(crate) async fn read_fleet(self: &Arc<Self>) -> Result<(), CacheError> {
        #[cfg(feature = "redis")]
        if let Store::Redis(store) = &self.store {
            let found = store.fleet().await?;
            let known = lock(&self.following.known).clone();
            if known.is_newer_than(found.as_ref()) {
                if let Some(stands) = store.restore(&known).await? {
                    self.obey(stands);
                }
            } else if let Some(found) = found {
                self.obey(found);
            }
        }
        Ok(())
    }

    /// Does what a record says, unless a newer one is known:
    ///
    /// 1. The task asks for the record, and is answered.
    /// 2. The switch is thrown in this process, and obeyed.
    /// 3. The task comes to obey what it was answered.
    #[cfg(feature = "redis")]
    fn obey(self: &Arc<Self>, record: Record) {
        // Nothing that could fail.
        let _ = self.change_fleet(|known| {
            let is_newer = known.is_newer_than(Some(&record));
            Ok(if is_newer { known } else { record })
        });
    }

    /// Changes what is known of the fleet, and does what that says.
    fn change_fleet(
        self: &Arc<Self>,
        change: impl FnOnce(Record) -> Result<Record, CacheError>,
    ) -> Result<(), CacheError> {
        let cache = Cache {
            inner: self.clone(),
        };
        // One change of the switch at a time, so that what is known and what is switched agree.
        let turn = lock(&self.switching);
        let before = lock(&self.following.known).clone();
        let record = change(before.clone())?;
        if record == before {
            return Ok(());
        }
        let fleet = &record.fleet;
        *lock(&self.following.known) = record.clone();
        let off = sites_of(&fleet.templates_off);
        *self
            .following
            .sites_off
            .write()
            .unwrap_or_else(PoisonError::into_inner) = off;
        self.switch
            .set_fleet(!fleet.on, !fleet.templates_off.is_empty());
        cache.switch_annotations();
        drop(turn);
        self.tell_of(&before, &record);
        Ok(())
    }

    fn tell_of(&self, before: &Record, now: &Record) {
        // What a person has written does not say who has changed it.
        let changed_by = (before.changed != now.changed).then_some(now.by.as_deref());
        let (before, now) = (&before.fleet, &now.fleet);
        if before.on != now.on {
            let what = Changed::FleetSwitched { on: now.on };
            self.changes.note(what, now.thrown.by.as_deref());
        }
        let is_in = |all: &[TemplateOff], one: &TemplateOff| {
            all.iter().any(|other| other.template == one.template)
        };
        let went = now.templates_off.iter().map(|off| (off, false));
        let came = before.templates_off.iter().map(|off| (off, true));
        for (one, on) in went.chain(came) {
            let elsewhere = if on { now } else { before };
            if !is_in(&elsewhere.templates_off, one) {
                let template = one.template.clone();
                let by = if on {
                    changed_by.flatten()
                } else {
                    one.thrown.by.as_deref()
                };
                self.changes
                    .note(Changed::TemplateSwitched { template, on }, by);
            }
        }
    }
}

/// Reads the record again and again, for as long as there is the cache and no other task does.
async fn follow(cache: Weak<Inner>, turn: Turn) {
    loop {
        // Not kept over the delay: a cache that nobody has any more ends.
        match cache.upgrade() {
            Some(inner) if turn.go_on() && inner.switch.own() != Mode::Detached => {
                inner.following.is_seen_to();
                // With the breaker open, another task knocks.
                if inner.store.breaker() == crate::snapshot::Breaker::Closed {
                    let _ = inner.read_fleet().await;
                }
            }
            _ => return,
        }
        timer::sleep(INTERVAL.mul_f64(0.9 + 0.1 * fastrand::f64())).await;
    }
}

/// The addresses of the annotated functions that have one of these templates.
fn sites_of(off: &[TemplateOff]) -> HashSet<usize> {
    let is_off = |template: &str| off.iter().any(|off| off.template == template);
    if off.is_empty() {
        return HashSet::new();
    }
    call_sites()
        .filter(|site| audit::templates_of(site).into_iter().any(is_off))
        .map(|site| ptr::from_ref(site).addr())
        .collect()
}

impl Cache {
    /// Throws the kill switch of the fleet: every process that shares this namespace, and every one that starts later. Off, every
    /// read is the plain call, and invalidations still reach the store, so that switching on again serves nothing stale: it is [`Mode::Off`], in
    /// all processes. The stricter of this switch and that of a process ([`set_mode`](Self::set_mode)) is in force there.
    ///
    /// This process obeys before this returns; the others within a second, for as long as they can ask Redis. A process that cannot keeps
    /// what it knew. The switch stands in Redis, in plain text, and outlives processes; where Redis loses it, the processes that know it put it back.
    /// `by` is who throws it, for the record: 100 bytes of it are kept. For the embedded store, the fleet is this process.
    ///
    /// # Errors
    ///
    /// When Redis does not take it within a second: then nothing has changed, or it will be seen all the same. [`ErrorKind::Off`] in
    /// [`Mode::Detached`]. Each process has its own switch besides, which needs nobody: [`set_mode`](Self::set_mode).
    ///
    /// # Cancel safety
    ///
    /// Dropped, it has happened or not. Throwing it again does no harm.
    ///
    /// ```
    /// # use cache_runtime::{Cache, CacheConfig, Mode};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// cache.switch_fleet(false, "ada: the replicas lag").await?;
    /// assert_eq!(cache.mode(), Mode::Off);
    /// assert_eq!(cache.fleet().thrown.by.as_deref(), Some("ada: the replicas lag"));
    /// # Ok(()) }
    /// ```
    pub async fn switch_fleet(&self, on: bool, by: &str) -> Result<(), CacheError> {
        self.throw(on, by, None).await
    }

    /// Switches one key template off in the fleet, or on again: the annotated functions that have it are the plain call, and
    /// invalidations still reach the store. In all else it is [`switch_fleet`](Self::switch_fleet). At most 100 templates can be off.
    ///
    /// A typed key is named by the template of its type. Direct calls, such as [`get_or_load`](Self::get_or_load), have no template and go on.
    /// While one is off, each annotated call of the others takes some nanoseconds longer.
    ///
    /// # Errors
    ///
    /// Those of [`switch_fleet`](Self::switch_fleet), and [`ErrorKind::Rejected`] where no annotated function of this program has the
    /// template to be switched off.
    ///
    /// # Cancel safety
    ///
    /// That of [`switch_fleet`](Self::switch_fleet).
    pub async fn switch_template(
        &self,
        template: &str,
        on: bool,
        by: &str,
    ) -> Result<(), CacheError> {
        let named = [TemplateOff {
            template: template.to_owned(),
            thrown: Thrown::default(),
        }];
        if !on && (template.len() > MAX_TEMPLATE || sites_of(&named).is_empty()) {
            let error = format!(
                "no annotated function of this program has the key template `{}`; `call_sites()` lists them",
                bounded(template, MAX_TEMPLATE)
            );
            return Err(CacheError::because(ErrorKind::Rejected, error));
        }
        self.throw(on, by, Some(template)).await
    }

    /// What the switch of the fleet says, as far as this process knows: what it read last, at most about half a second ago while
    /// Redis answers. All on before it was first read, which the first call that goes to Redis sees to.
    #[must_use]
    pub fn fleet(&self) -> Fleet {
        lock(&self.inner.following.known).fleet.clone()
    }

    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    async fn throw(&self, on: bool, by: &str, template: Option<&str>) -> Result<(), CacheError> {
        let inner = &self.inner;
        if inner.switch.own() == Mode::Detached {
            return Err(CacheError::new(ErrorKind::Off));
        }
        let by = bounded(by, MAX_NAME);
        match &inner.store {
            Store::Embedded(_) => inner.change_fleet(|known| known.thrown(on, &by, template)),
            #[cfg(feature = "redis")]
            Store::Redis(store) => {
                inner.follow_fleet();
                let record = store.throw(on, &by, template).await?;
                // Damaged on its way: the task reads it again.
                let record = record.ok_or_else(|| CacheError::new(ErrorKind::Garbled))?;
                inner.obey(record);
                Ok(())
            }
        }
    }
}

impl Record {
    /// The same after a switch was thrown in this process, which is the fleet.
    fn thrown(mut self, on: bool, by: &str, template: Option<&str>) -> Result<Self, CacheError> {
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
        assert!(off.is_newer_than(None));
        assert!(!on.is_newer_than(None), "nothing is lost");
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
