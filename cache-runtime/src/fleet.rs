//! The fleet's switch: one record for all processes of a namespace, that each of them follows.
//!
//! A task of each process reads the record twice a second, whether the cache is on or off, from the first call on that goes to
//! Redis. That call reads it as well, before it looks at anything else, so that a process that starts while the fleet is off has no hit. What was
//! read last is in force until something else is: a Redis that is gone changes nothing.
//!
//! The record may be lost, or an older one come back (a flush, an eviction, a restart from a snapshot, which is what one may well throw the
//! switch for). Each change carries a time that only grows; a process that knows a newer record than it finds puts it back, and so does one that
//! throws the switch, before it does:
//!
//! 1. The fleet is off, and a process knows it.
//! 2. Redis loses the record.
//! 3. A template is switched off: without the record, the fleet would be on, by a record that is newer than what the others know.
//!
//! What a person has written carries no time, or that of the last change. The first process that reads it dates it.

mod following;
mod record;

use std::collections::HashSet;
use std::ptr;
use std::sync::{Arc, PoisonError};

use crate::audit::{self, Template};
use crate::cache::{Cache, Inner};
use crate::changes::Changed;
use crate::error::{CacheError, ErrorKind};
use crate::lock::lock;
use crate::site::{Effect, call_sites};
use crate::store::Store;
use crate::switch::Mode;
use crate::tally::At;

pub(crate) use following::Following;
use record::bounded;
pub use record::{Fleet, TemplateOff, Thrown};
pub(crate) use record::{MAX_NAME, MAX_TEMPLATE, Record};
#[cfg(feature = "redis")]
pub(crate) use record::{MAX_TEMPLATES, too_many};

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

    /// Does what a record says, unless a newer one is known:
    ///
    /// 1. The task asks for the record, and is answered.
    /// 2. The switch is thrown in this process, and obeyed.
    /// 3. The task comes to obey what it was answered. Undated, as a person may have written it, it tells nothing of its age: it is obeyed
    ///    only where nothing else has become known since it was asked for, which is `before`.
    #[cfg(feature = "redis")]
    fn obey(self: &Arc<Self>, record: Record, before: &Record) {
        // Nothing that could fail.
        let _ = self.change_fleet(|known| {
            let is_overtaken = known != *before && record.changed <= known.changed;
            let is_older = is_overtaken || known.is_newer_than(Some(&record));
            Ok(if is_older { known } else { record })
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
        let off = sites_of(fleet.templates_off.iter().map(|off| &*off.template));
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

/// Whether an annotated function of this program stores something under this template.
pub(crate) fn is_stored_under(template: &str) -> bool {
    !sites_of([template]).is_empty()
}

/// The addresses of the annotated functions that store something under one of these templates, whatever its placeholders are called there.
fn sites_of<'t>(off: impl IntoIterator<Item = &'t str>) -> HashSet<usize> {
    let off: Vec<_> = off.into_iter().map(Template::parse).collect();
    if off.is_empty() {
        return HashSet::new();
    }
    let is_off = |template: &str| off.contains(&Template::parse(template));
    call_sites()
        .filter(|site| !matches!(site.effect(), Effect::Invalidates))
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
    /// It is meant for the keys: functions that call the placeholders something else are off as well. A typed key is named by the template of its
    /// type, or, where that cannot be told from the attribute, by its expression, as in [`Snapshot::call_sites`](crate::Snapshot::call_sites). Direct calls, such as
    /// [`get_or_load`](Self::get_or_load), have no template and go on. While one is off, each annotated call of the others takes some nanoseconds longer.
    ///
    /// It reads what is off before; where nothing was ever thrown, or is on record, it waits 600 ms for those who may know of it.
    ///
    /// # Errors
    ///
    /// Those of [`switch_fleet`](Self::switch_fleet), and [`ErrorKind::UnknownTemplate`] where no annotated function of this program stores
    /// anything under the template to be switched off.
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
        if !on && (template.len() > MAX_TEMPLATE || !is_stored_under(template)) {
            let written = bounded(template, MAX_TEMPLATE);
            let advice = audit::meant(&written).map_or_else(
                || "`call_sites()` lists them".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            let error = format!("`{written}`; {advice}");
            return Err(CacheError::because(ErrorKind::UnknownTemplate, error));
        }
        self.learn_what_is_off().await?;
        for spelled in self.fleet().spelled(template) {
            self.throw(on, by, Some(spelled)).await?;
        }
        Ok(())
    }

    /// Reads what is off in the fleet, for one who is about to change that.
    #[cfg_attr(
        not(feature = "redis"),
        allow(clippy::unused_async, reason = "the embedded store does not wait")
    )]
    async fn learn_what_is_off(&self) -> Result<(), CacheError> {
        let inner = &self.inner;
        inner.read_fleet().await?;
        #[cfg(feature = "redis")]
        if let Store::Redis(_) = &inner.store
            && inner.known_fleet().changed.is_none()
        {
            // Or it was lost just now, while the fleet is off: what is thrown then is newer than what the others know.
            inner.until_put_back().await;
            inner.read_fleet().await?;
        }
        Ok(())
    }

    /// What the switch of the fleet says, as far as this process knows: what it read last, at most about half a second ago while
    /// Redis answers. All on before it was first read, which the first call that goes to Redis does.
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
                let known = inner.known_fleet();
                let record = store.throw(on, &by, template, &known).await?;
                // Damaged on its way: the task reads it again.
                let record = record.ok_or_else(|| CacheError::new(ErrorKind::Garbled))?;
                inner.obey(record, &known);
                Ok(())
            }
        }
    }
}
