//! How a caller reads: by one of several functions, and as something was asked for around it.

use std::time::Duration;

use cache_runtime::{bypass, only_cached, refresh};

use super::calling::{Outcome, run};
use super::repository::{self, Failure};
use super::source::Source;
use super::switch::Position;
use super::traffic::Caller;
use crate::clock::Moment;
use crate::keys::{KeySet, Place};
use crate::knobs::{BRIEF_LIFE, COLD_KEYS, KEYS, SLOWEST_LOAD, grows_stale, is_tagged};
use crate::mutants::Fault;
use crate::record::{Asked, Ending, Found, Kind, Mutated, Op, Read, Record};
use crate::value::Entry;

/// Which function reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Site {
    Plain,
    Brief,
    Direct,
    Tagged,
    /// What grows stale, and is refreshed in the background, by a caller, or by all who wait for it.
    Stale,
    StaleInline,
    StaleIfError,
    StaleIfSlow,
    /// With a `local_ttl`.
    Nearby,
    /// What a mutant does.
    NearbyForLong,
    Careless,
    WrongKey,
}

/// How one read is to go.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) key: u64,
    pub(super) source: Source,
    pub(super) asked: Asked,
    /// When it is dropped, if it takes longer.
    pub(super) patience: Option<Duration>,
    pub(super) review: bool,
}

impl Reading {
    pub(super) fn new(key: u64, source: Source) -> Self {
        Self {
            key,
            source,
            asked: Asked::Nothing,
            patience: None,
            review: false,
        }
    }
}

impl Caller {
    /// One of the reads that make up most of the traffic.
    pub(super) fn reading(&mut self) -> Reading {
        let key = self.key_to_read();
        let asked = match self.random.u8(..) {
            0..16 => Asked::OnlyCached,
            16..18 => Asked::Bypass,
            18 => Asked::Refresh,
            _ => Asked::Nothing,
        };
        Reading {
            asked,
            // Most of these are hits, and over before.
            patience: self.one_in(12).then(|| self.up_to_ms(100)),
            ..Reading::new(key, self.any_source(key))
        }
    }

    pub(super) async fn read(&mut self, reading: Reading) {
        let Reading {
            key,
            ref source,
            asked,
            patience,
            review,
        } = reading;
        let at = Place::of(key);
        let site = self.site(key, review);
        let position = self.switch.position();
        let start = Moment::now();
        let refreshing = (asked == Asked::Refresh).then(|| self.begin(KeySet::one(key), start));
        let call = async {
            match site {
                Site::Plain => repository::find(source, at).await,
                Site::Brief => repository::find_briefly(source, at).await,
                Site::Direct => repository::find_directly(source, at).await,
                Site::Tagged => repository::find_tagged(source, at).await,
                Site::Stale => repository::find_stale(source, at).await,
                Site::StaleInline => repository::find_stale_inline(source, at).await,
                Site::StaleIfError => repository::find_stale_if_error(source, at).await,
                Site::StaleIfSlow => repository::find_stale_if_slow(source, at).await,
                Site::Nearby => repository::find_nearby(source, at).await,
                Site::NearbyForLong => repository::find_nearby_for_long(source, at).await,
                Site::Careless => repository::find_carelessly(source, at).await,
                Site::WrongKey => repository::find_by_a_wrong_key(source, at).await,
            }
        };
        let fault = self.fault;
        let call = async {
            match asked {
                Asked::Bypass if fault == Some(Fault::BypassesInName) => call.await.map(Some),
                Asked::OnlyCached if fault == Some(Fault::LoadsAllTheSame) => call.await.map(Some),
                Asked::Transaction if fault == Some(Fault::StoresWithin) => {
                    // As if it were not within one.
                    let source = source.clone();
                    let outside = tokio::spawn(async move { repository::find(&source, at).await });
                    let loaded = outside.await;
                    loaded.unwrap_or(Err(Failure::Asked)).map(Some)
                }
                Asked::Nothing | Asked::Transaction => call.await.map(Some),
                Asked::Refresh if fault == Some(Fault::RefreshesInName) => {
                    bypass(call).await.map(Some)
                }
                Asked::Refresh => refresh(call).await.map(Some),
                Asked::Bypass => bypass(call).await.map(Some),
                Asked::OnlyCached => only_cached(call).await.transpose(),
            }
        };
        let switch = self.switch.clone();
        let call = switch.let_through(call, 1, asked);
        let outcome = run(call, patience, SLOWEST_LOAD).await;
        let delivered = refreshing.is_none() || self.journal.has_delivered();
        let end = Moment::now();
        let found = match outcome {
            Outcome::Returned(Ok(Some(entry))) => found(key, &entry),
            other => without_value(other),
        };
        if let Some(op) = refreshing {
            let all = std::slice::from_ref(&found);
            let refreshed = self.refreshed((op, KeySet::one(key)), all, position, (start, end));
            self.journal.push(Record::Mutated(Mutated {
                delivered,
                ..refreshed
            }));
        }
        self.journal.push(Record::Read(Read {
            key,
            start,
            end,
            found,
            load: source.load_run(key),
            local: matches!(site, Site::Nearby | Site::NearbyForLong),
            asked,
            several: false,
            review,
        }));
    }

    /// Reads several keys in one call.
    pub(super) async fn read_several(&mut self) {
        // What has tags or grows stale is read by functions of its own.
        let keys = (0..KEYS).filter(|key| !is_tagged(*key) && !grows_stale(*key));
        let cold = self.one_in(16);
        let keys: KeySet = keys
            .filter(|key| *key >= COLD_KEYS || cold)
            .filter(|_| self.one_in(3))
            .collect();
        let mut places = keys.places();
        // In any order: two of these are likely to want the same keys.
        self.random.shuffle(&mut places);
        let Some(first) = places.first().map(|at| at.key) else {
            return;
        };
        let Reading {
            ref source,
            asked,
            patience,
            ..
        } = Reading {
            source: self.any_source(first),
            ..self.reading()
        };
        let position = self.switch.position();
        let start = Moment::now();
        let refreshing = (asked == Asked::Refresh).then(|| self.begin(keys, start));
        let call = repository::find_several(source, &places);
        let call = async {
            match asked {
                Asked::Nothing | Asked::Transaction => call.await.map(Some),
                Asked::Refresh => refresh(call).await.map(Some),
                Asked::Bypass => bypass(call).await.map(Some),
                Asked::OnlyCached => only_cached(call).await.transpose(),
            }
        };
        let call = self.switch.let_through(call, places.len() as u64, asked);
        let outcome = run(call, patience, SLOWEST_LOAD * 2).await;
        let delivered = refreshing.is_none() || self.journal.has_delivered();
        let end = Moment::now();
        let all: Vec<(u64, Found)> = match outcome {
            Outcome::Returned(Ok(Some(entries))) => {
                let found = |key| match entries.get(&Place::of(key)) {
                    Some(entry) => found(key, entry),
                    None => Found::Broken("left out".to_owned()),
                };
                keys.iter().map(|key| (key, found(key))).collect()
            }
            other => {
                let found = without_value(other);
                keys.iter().map(|key| (key, found.clone())).collect()
            }
        };
        if let Some(op) = refreshing {
            let found: Vec<_> = all.iter().map(|(_, found)| found.clone()).collect();
            let refreshed = self.refreshed((op, keys), &found, position, (start, end));
            self.journal.push(Record::Mutated(Mutated {
                delivered,
                ..refreshed
            }));
        }
        for (key, found) in all {
            self.journal.push(Record::Read(Read {
                key,
                start,
                end,
                found,
                load: source.load_run(key),
                local: false,
                asked,
                several: true,
                review: false,
            }));
        }
    }

    /// What a refresh counts as that found this.
    fn refreshed(
        &self,
        (op, keys): (Op, KeySet),
        found: &[Found],
        position: Position,
        (start, end): (Moment, Moment),
    ) -> Mutated {
        let is_version = |found: &Found| matches!(found, Found::Version(_));
        let ending = if found.iter().all(is_version) {
            if self.switch.was_on_since(position) {
                Ending::Returned
            } else {
                Ending::Off
            }
        } else if found.contains(&Found::Dropped) {
            Ending::Dropped
        } else {
            Ending::Failed
        };
        Mutated {
            op,
            keys,
            kind: Kind::Refresh,
            decided: start,
            end,
            delivered: false,
            ending,
        }
    }

    fn site(&mut self, key: u64, review: bool) -> Site {
        let is_near = !review && self.one_in(3);
        match self.fault {
            _ if is_tagged(key) => Site::Tagged,
            _ if grows_stale(key) => [
                Site::Stale,
                Site::StaleInline,
                Site::StaleIfError,
                Site::StaleIfSlow,
            ][self.random.usize(0..4)],
            Some(Fault::KeepsOn) if is_near => Site::NearbyForLong,
            _ if is_near => Site::Nearby,
            Some(Fault::ErrorsOfTheCache) => Site::Careless,
            Some(Fault::WrongKey) => Site::WrongKey,
            _ => [Site::Plain, Site::Plain, Site::Brief, Site::Direct][self.random.usize(0..4)],
        }
    }

    fn key_to_read(&mut self) -> u64 {
        if self.one_in(32) {
            self.random.u64(..COLD_KEYS)
        } else {
            self.random.u64(COLD_KEYS..KEYS)
        }
    }

    fn any_source(&mut self, key: u64) -> Source {
        // Whoever loads a cold key is likely to be alone, and to be overtaken. What is slow is likely to fail: a load that gives
        // its lease back late meets what others have made of the slot.
        let (slowest, fails) = if self.one_in(if key < COLD_KEYS { 6 } else { 40 }) {
            (SLOWEST_LOAD, self.random.bool())
        } else if self.one_in(4) {
            (Duration::from_millis(80), self.one_in(4))
        } else {
            (Duration::from_millis(6), self.one_in(200))
        };
        let (there, back) = (self.up_to(slowest / 3), self.up_to(slowest * 2 / 3));
        self.source(there, back, fails)
    }

    pub(super) fn source(&mut self, there: Duration, back: Duration, fails: bool) -> Source {
        let life = if self.random.bool() {
            Duration::from_secs(3600)
        } else {
            self.up_to(BRIEF_LIFE)
        };
        Source::new(self.database.clone(), there, back, fails, life)
    }
}

fn found(key: u64, entry: &Entry) -> Found {
    if !entry.is_whole() {
        Found::Damaged
    } else if entry.key != key {
        Found::Foreign {
            key: entry.key,
            version: entry.version,
        }
    } else {
        Found::Version(entry.version)
    }
}

/// What a call has found that brought no value.
fn without_value<T>(outcome: Outcome<Option<T>>) -> Found {
    match outcome {
        Outcome::Returned(Ok(_)) => Found::Unanswered,
        Outcome::Returned(Err(Failure::Asked)) => Found::Failed,
        Outcome::Returned(Err(error)) => Found::Broken(error.to_string()),
        Outcome::Dropped(_) => Found::Dropped,
        Outcome::Broken(how) => Found::Broken(how),
    }
}
