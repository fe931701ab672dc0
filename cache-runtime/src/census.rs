//! The census: how many entries each key template has in the store, and what they take.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

use crate::audit::{Template, all_templates};
use crate::cache::Cache;
use crate::error::{CacheError, ErrorKind};
use crate::read_through::REPLACEMENT_MARK;
use crate::store::Store;
use crate::switch::Mode;
use crate::tags;
use crate::timer;

/// How many entries are looked at.
const SAMPLE: u64 = 10_000;

/// How long it may take.
#[cfg(feature = "redis")]
const LONGEST: Duration = Duration::from_secs(30);

/// Between two looks at a hundred keys: a server that is asked for nothing else spends about a tenth of its time on this.
const PAUSE: Duration = Duration::from_millis(5);

/// How many beginnings of unknown keys are told, and how much of each.
const BEGINNINGS: usize = 10;
const BEGINNING: usize = 40;

/// What stands in the store, by key template: see [`Cache::census`]. Durations are serialised in milliseconds.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Census {
    /// The key templates of the program, a key of two being that of the one which says more of it. Those with the most bytes first, then by entries. All of them, also those with no entry.
    pub templates: Vec<TemplateCensus>,
    /// Generations of tags.
    pub tags: Population,
    /// Entries that belong to no template of this program: of direct calls, of another program, or of an older version of this one; and
    /// whatever else stands in the namespace.
    pub unknown: Population,
    /// With what those begin, up to the first `:`: ten of these at most, and 40 characters of each.
    pub unknown_beginnings: Vec<String>,
    /// Entries under epochs that are no longer in force. They end with their TTL.
    pub of_older_epochs: Population,
    /// How many keys of the store were looked at, of this namespace or not.
    pub looked_at: u64,
    /// How many there are.
    pub keys: u64,
    /// Whether all of them were looked at. If not, the numbers are estimates: those of a sample, in proportion.
    pub is_complete: bool,
    /// How long that took.
    #[serde(rename = "took_ms", serialize_with = "in_ms")]
    pub took: Duration,
}

/// The entries of one key template.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct TemplateCensus {
    /// The template: `user:<id>`.
    pub template: &'static str,
    /// What belongs to it.
    #[serde(flatten)]
    pub population: Population,
}

/// Some entries of a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Population {
    /// How many there are: values, and here and there a lease or a fence.
    pub entries: u64,
    /// What they take in Redis's memory, keys included; `None` where it does not tell, and for the embedded store, which keeps values as
    /// they are.
    pub bytes: Option<u64>,
    /// How long they live on, in the median.
    #[serde(rename = "ttl_left_ms", serialize_with = "in_ms_if_any")]
    pub ttl_left: Option<Duration>,
    /// How long they were not used, in the median; `None` where Redis does not tell: it knows nothing of that under an LFU policy.
    #[serde(rename = "idle_ms", serialize_with = "in_ms_if_any")]
    pub idle: Option<Duration>,
    /// How many of them were looked at.
    pub sampled: u64,
}

/// What a key belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(
    not(feature = "redis"),
    allow(
        dead_code,
        reason = "the embedded store has slots in force and nothing else"
    )
)]
pub(crate) enum Whose {
    /// A slot in force: the key, without what stands in front of it.
    Slot(String),
    /// One under an older epoch.
    Older,
    /// A record of the cache itself.
    Record,
    /// None of the cache's: something else stands in the namespace, under this.
    Foreign(String),
}

impl Whose {
    /// Of a key without its namespace, where `epoch` is in force.
    #[cfg(feature = "redis")]
    pub(crate) fn of(own: &str, epoch: &str) -> Self {
        match own.strip_prefix(epoch) {
            Some(key) => Self::Slot(key.to_owned()),
            None if own.starts_with('%') || own.strip_suffix(":epoch").is_some_and(is_number) => {
                Self::Record
            }
            None if is_under_an_epoch(own) => Self::Older,
            None => Self::Foreign(own.to_owned()),
        }
    }
}

#[cfg(feature = "redis")]
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a number of an epoch and a generation stand in front: `0.1f6b0c93a2d7:`.
#[cfg(feature = "redis")]
fn is_under_an_epoch(own: &str) -> bool {
    let generation = own.split_once(':').map(|(epoch, _)| epoch.split_once('.'));
    generation.flatten().is_some_and(|(number, generation)| {
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        is_number(number) && generation.len() == 12 && generation.bytes().all(is_hex)
    })
}

/// An entry that was looked at.
pub(crate) struct Sample {
    pub(crate) whose: Whose,
    pub(crate) bytes: Option<u64>,
    pub(crate) ttl_left: Option<Duration>,
    pub(crate) idle: Option<Duration>,
}

/// Some entries, found in one go.
#[cfg(feature = "redis")]
pub(crate) struct Page {
    pub(crate) samples: Vec<Sample>,
    /// How many keys that took.
    pub(crate) looked_at: u64,
    /// Where the next begin, if there are more.
    pub(crate) next: Option<u64>,
}

/// Samples of one kind.
#[derive(Default)]
struct Group {
    sampled: u64,
    bytes: Option<u64>,
    ttls: Vec<Duration>,
    idles: Vec<Duration>,
}

impl Group {
    fn add(&mut self, sample: &Sample) {
        self.sampled += 1;
        if let Some(bytes) = sample.bytes {
            *self.bytes.get_or_insert(0) += bytes;
        }
        self.ttls.extend(sample.ttl_left);
        self.idles.extend(sample.idle);
    }

    /// What they stand for, where one of `of` keys in `scale` was looked at.
    fn population(mut self, (looked_at, keys): (u64, u64)) -> Population {
        let scaled = |number: u64| {
            let number = u128::from(number) * u128::from(keys) / u128::from(looked_at.max(1));
            u64::try_from(number).unwrap_or(u64::MAX)
        };
        let median = |times: &mut Vec<Duration>| {
            times.sort_unstable();
            times.get(times.len() / 2).copied()
        };
        Population {
            entries: scaled(self.sampled),
            bytes: self.bytes.map(scaled),
            ttl_left: median(&mut self.ttls),
            idle: median(&mut self.idles),
            sampled: self.sampled,
        }
    }
}

/// Samples, sorted by what they belong to.
struct Counted {
    known: Vec<(&'static str, Template, Group)>,
    tags: Group,
    unknown: Group,
    beginnings: BTreeSet<String>,
    older: Group,
}

impl Counted {
    fn new() -> Self {
        let known = all_templates().into_iter();
        let mut known: Vec<_> = known
            .map(|text| (text, Template::parse(text), Group::default()))
            .collect();
        // A key belongs to the first that may have made it: to `settings:global` rather than to `settings:<id>`.
        known.sort_by_key(|(_, template, _)| std::cmp::Reverse(template.said()));
        Self {
            known,
            tags: Group::default(),
            unknown: Group::default(),
            beginnings: BTreeSet::new(),
            older: Group::default(),
        }
    }

    #[cfg(feature = "redis")]
    fn sampled(&self) -> u64 {
        let known = self.known.iter().map(|(_, _, group)| group.sampled);
        known.sum::<u64>() + self.tags.sampled + self.unknown.sampled + self.older.sampled
    }

    fn add(&mut self, sample: &Sample) {
        let key = match &sample.whose {
            Whose::Record => return,
            Whose::Older => return self.older.add(sample),
            Whose::Foreign(key) => return self.add_unknown(key, sample),
            Whose::Slot(key) if key.starts_with(tags::MARK) => return self.tags.add(sample),
            // No value of anybody's: the right to replace one.
            Whose::Slot(key) if key.starts_with(REPLACEMENT_MARK) => return,
            Whose::Slot(key) => key,
        };
        let written = Template::of_key(key);
        let mut known = self.known.iter_mut();
        if let Some((_, _, group)) = known.find(|(_, template, _)| template.overlaps(&written)) {
            return group.add(sample);
        }
        self.add_unknown(key, sample);
    }

    fn add_unknown(&mut self, key: &str, sample: &Sample) {
        self.unknown.add(sample);
        let beginning = key.split(':').next().unwrap_or_default();
        let beginning: String = beginning.chars().take(BEGINNING).collect();
        if self.beginnings.len() < BEGINNINGS {
            self.beginnings.insert(beginning);
        }
    }

    fn into_census(self, (looked_at, keys): (u64, u64), began: Instant) -> Census {
        let scale = (looked_at, keys.max(looked_at));
        let templates = self.known.into_iter();
        let mut templates: Vec<_> = templates
            .map(|(template, _, group)| TemplateCensus {
                template,
                population: group.population(scale),
            })
            .collect();
        templates.sort_by_key(|of| std::cmp::Reverse((of.population.bytes, of.population.entries)));
        Census {
            templates,
            tags: self.tags.population(scale),
            unknown: self.unknown.population(scale),
            unknown_beginnings: self.beginnings.into_iter().collect(),
            of_older_epochs: self.older.population(scale),
            looked_at,
            keys: scale.1,
            is_complete: looked_at >= keys,
            took: began.elapsed(),
        }
    }
}

/// That one is being taken, until it is dropped.
struct Taking<'a>(&'a AtomicBool);

impl Drop for Taking<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

impl Cache {
    /// Counts what stands in the store, by key template: entries, bytes, how long they live on, and how long nobody has used them.
    ///
    /// It looks at the keys of the store a hundred at a time, with 5 ms between, until it has seen 10 000 entries of this namespace or all keys, for at most
    /// 30 seconds; beyond that, the numbers are those of the sample, in proportion. In Redis it reads (`SCAN`, `MEMORY USAGE`, `PTTL`, `OBJECT IDLETIME`), and counts
    /// as no use of an entry. Nobody takes it by himself: call it, or press the button on the dashboard.
    ///
    /// # Errors
    ///
    /// When the store does not answer, or forbids it; [`ErrorKind::Rejected`] also where one is being taken in this process, and [`ErrorKind::Off`] in
    /// [`Mode::Detached`].
    ///
    /// # Cancel safety
    ///
    /// Dropped, it ends. Nothing was changed.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let census = cache_runtime::global().census().await?;
    /// for of in &census.templates {
    ///     println!("{}: {} entries, {:?} bytes", of.template, of.population.entries, of.population.bytes);
    /// }
    /// # Ok(()) }
    /// ```
    pub async fn census(&self) -> Result<Census, CacheError> {
        let inner = &self.inner;
        if inner.switch.own() == Mode::Detached {
            return Err(CacheError::new(ErrorKind::Off));
        }
        if inner.census.swap(true, Ordering::SeqCst) {
            return Err(CacheError::because(
                ErrorKind::Rejected,
                "a census is being taken; wait for it",
            ));
        }
        let _taking = Taking(&inner.census);
        let began = Instant::now();
        let mut counted = Counted::new();
        match &inner.store {
            Store::Embedded(store) => {
                let size = store.len() as u64;
                let most = usize::try_from(SAMPLE).unwrap_or(usize::MAX);
                let (samples, looked_at) = store.census(most);
                for (index, sample) in samples.iter().enumerate() {
                    counted.add(sample);
                    if index % 100 == 99 {
                        timer::sleep(PAUSE).await;
                    }
                }
                let (seen, looked_at) = (samples.len() as u64, looked_at as u64);
                // Some may have come and gone meanwhile.
                let of = if seen < SAMPLE {
                    (seen, seen)
                } else {
                    (looked_at, size)
                };
                Ok(counted.into_census(of, began))
            }
            #[cfg(feature = "redis")]
            Store::Redis(store) => {
                let epoch = store.census_epoch().await?;
                let size = store.census_size().await?;
                let (mut cursor, mut looked_at) = (0, 0);
                loop {
                    let page = store.census_page(cursor, &epoch).await?;
                    looked_at += page.looked_at;
                    for sample in &page.samples {
                        counted.add(sample);
                    }
                    let Some(next) = page.next else {
                        // Some may have come meanwhile.
                        let size = size.max(counted.sampled());
                        return Ok(counted.into_census((size, size), began));
                    };
                    if counted.sampled() >= SAMPLE || began.elapsed() > LONGEST {
                        let looked_at = looked_at.min(size.saturating_sub(1)).max(1);
                        return Ok(counted.into_census((looked_at, size), began));
                    }
                    cursor = next;
                    timer::sleep(PAUSE).await;
                }
            }
        }
    }
}

fn in_ms<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    u64::try_from(time.as_millis())
        .unwrap_or(u64::MAX)
        .serialize(serializer)
}

#[allow(clippy::ref_option, reason = "as serde passes it")]
fn in_ms_if_any<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let ms = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    ms.serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "redis")]
    #[test]
    fn a_key_is_told_by_what_stands_in_front_of_it() {
        let epoch = "0.1f6b0c93a2d7:";
        let foreign = |own: &str| Whose::Foreign(own.to_owned());
        for (own, whose) in [
            ("0.1f6b0c93a2d7:user:7", Whose::Slot("user:7".to_owned())),
            ("0.aaaaaaaaaaaa:user:7", Whose::Older),
            ("1.1f6b0c93a2d7:user:7", Whose::Older),
            ("0:epoch", Whose::Record),
            ("%switch", Whose::Record),
            ("legacy:user:7", foreign("legacy:user:7")),
            ("1.5:user:7", foreign("1.5:user:7")),
            ("v.1f6b0c93a2d7:user", foreign("v.1f6b0c93a2d7:user")),
            ("users:epoch", foreign("users:epoch")),
            ("0.1f6b0c93a2d7", foreign("0.1f6b0c93a2d7")),
        ] {
            assert_eq!(Whose::of(own, epoch), whose, "{own}");
        }
    }

    #[test]
    fn what_a_sample_stands_for() {
        let sample = |seconds| Sample {
            whose: Whose::Older,
            bytes: Some(100),
            ttl_left: Some(Duration::from_secs(seconds)),
            idle: None,
        };
        let mut group = Group::default();
        for seconds in [5, 1, 9] {
            group.add(&sample(seconds));
        }
        let population = group.population((10, 1_000));
        assert_eq!((population.entries, population.bytes), (300, Some(30_000)));
        assert_eq!(population.ttl_left, Some(Duration::from_secs(5)));
        assert_eq!((population.idle, population.sampled), (None, 3));
        assert_eq!(Group::default().population((0, 0)), Population::default());
    }
}
