//! What stands under one key, for a person who looks into it.

use std::time::Duration;

use serde::Serialize;

use bytes::Bytes;

use crate::audit::{Template, templates_of};
use crate::budget::Budget;
use crate::cache::Cache;
use crate::envelope;
use crate::error::CacheError;
use crate::key::{CacheKey, Key};
use crate::site::{CallSite, Effect, call_sites};
use crate::slot::{Reply, Step};
use crate::store::Payload;
use crate::tally::{At, Tally};

/// What stands under one key: see [`Cache::inspect`]. Durations are serialised in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// What the slot holds.
    pub slot: SlotState,
    /// The key template of this program that the key belongs to.
    pub template: Option<&'static str>,
    /// How old a value is, at most: as it says itself, if its function has options of staleness; otherwise, what the TTL of the template and
    /// what is left of it come to, from which the jitter of the TTL may have taken up to a tenth of it.
    #[serde(rename = "age_at_most_ms", serialize_with = "in_ms")]
    pub age: Option<Duration>,
    /// How long a value lives on.
    #[serde(rename = "ttl_left_ms", serialize_with = "in_ms")]
    pub ttl_left: Option<Duration>,
    /// How long a value is in its encoding, with what stands around it; `None` in the embedded store, which encodes nothing.
    pub bytes: Option<usize>,
    /// The tags that values of this template have: `user:<user_id>`. Whether one of them was invalidated since the value was stored is not looked
    /// at: it stands there all the same, and no call takes it.
    pub tags: Vec<&'static str>,
    /// What an encoded value says of itself.
    pub label: Option<ValueLabel>,
    /// Whether an invalidation of the key waits in this process for the store to take it. Until then, this process reads past the cache.
    pub undelivered: bool,
}

/// What an encoded value says of itself. A call of another type, version or codec does not read it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ValueLabel {
    /// The name of its type, as Rust writes it.
    pub value_type: String,
    /// The `version` of its call site.
    pub version: u32,
    /// The number of its [codec](crate::Codec::ID): 1 is `MessagePack`, 2 is `Json`.
    pub codec: u8,
}

/// The state of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Nothing.
    Empty,
    /// A value.
    Value,
    /// The right of one loader to fill it.
    Lease,
    /// A mutation of it is under way, or was cut off.
    Fence,
}

impl Cache {
    /// Looks at the slot of a key, without a call: nothing is counted, and a value is not decoded. A value may be there that no call would
    /// take: of another type or version, past its TTL, or without its tag.
    ///
    /// # Errors
    ///
    /// When the store cannot be asked.
    ///
    /// # Cancel safety
    ///
    /// Nothing happens that could be cut off.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use cache_runtime::{Cache, CacheConfig, Key, Policy, SlotState};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let cache = Cache::new(CacheConfig::embedded())?;
    /// let key = Key::of("user").part(&7_u64);
    /// assert_eq!(cache.inspect(&key).await?.slot, SlotState::Empty);
    /// cache.put(&key, "Ada".to_owned(), Policy::new(Duration::from_secs(60))).await?;
    /// assert_eq!(cache.inspect(&key).await?.slot, SlotState::Value);
    /// # Ok(()) }
    /// ```
    pub async fn inspect(&self, key: &(impl CacheKey + ?Sized)) -> Result<Inspection, CacheError> {
        let inner = &self.inner;
        let rendered = self.render(key);
        let budget = Budget::of(inner.settings.store_budget);
        let reply = inner
            .store
            .apply(&rendered, Step::Read, Duration::ZERO, budget)
            .await
            .map_err(|error| {
                Tally::new(inner, At::Cache).add_error(&error);
                error.at(key.template())
            })?;
        let (slot, sealed) = match &reply {
            Reply::Hit(_, Payload::Sealed(bytes)) => (SlotState::Value, Some(bytes)),
            Reply::Hit(_, Payload::Typed(_)) => (SlotState::Value, None),
            Reply::Leased(_) => (SlotState::Lease, None),
            Reply::Fenced => (SlotState::Fence, None),
            _ => (SlotState::Empty, None),
        };
        let ttl_left = match slot {
            SlotState::Value => inner.store.ttl_left(&rendered).await,
            SlotState::Empty | SlotState::Lease | SlotState::Fence => None,
        };
        let label = sealed.and_then(|bytes| envelope::label(rendered.as_bytes(), bytes));
        let own = Key::rendered(key);
        let site = stored_by(own.as_str());
        let policy = site.and_then(|(_, site)| match site.effect() {
            Effect::Caches(policy) | Effect::WritesThrough(policy) => Some(policy),
            Effect::Invalidates => None,
        });
        let told = label.as_ref().and_then(|label| label.age);
        let told =
            told.map(|age| Duration::from_millis(age.of_now(inner.settings.clock.unix_ms())));
        let ttl = policy
            .map(|policy| policy.ttl())
            .filter(|ttl| !ttl.is_zero());
        let age = told.or_else(|| Some(ttl?.saturating_sub(ttl_left?)));
        Ok(Inspection {
            slot,
            template: site.map(|(template, _)| template),
            age,
            ttl_left,
            bytes: sealed.map(Bytes::len),
            tags: site.map_or_else(Vec::new, |(_, site)| {
                let tags = site.tags().iter();
                tags.map(|tag| tag.strip_prefix("tag ").unwrap_or(tag))
                    .collect()
            }),
            label: label.map(|label| ValueLabel {
                value_type: without_tags(&label.name).unwrap_or(&label.name).to_owned(),
                version: label.version,
                codec: label.codec,
            }),
            undelivered: inner.recovery.concerns(&rendered),
        })
    }

    /// The value under a key as JSON, for a person who may see it; `None` where none can be shown: there is none, or it is kept as it is, of a codec that
    /// is not known here, damaged, or longer than [`SHOWN`].
    #[cfg(feature = "dashboard")]
    pub(crate) async fn reveal(
        &self,
        key: &(impl CacheKey + ?Sized),
    ) -> Result<Option<serde_json::Value>, CacheError> {
        use crate::codec::{Codec as _, MessagePack};

        let inner = &self.inner;
        let rendered = self.render(key);
        let budget = Budget::of(inner.settings.store_budget);
        let reading = inner
            .store
            .apply(&rendered, Step::Read, Duration::ZERO, budget);
        let Reply::Hit(_, Payload::Sealed(bytes)) = reading.await? else {
            return Ok(None);
        };
        let encoded = envelope::encoded(rendered.as_bytes(), &bytes, inner.settings.bounds);
        let (codec, encoded) = match encoded {
            Some((codec, Some(encoded))) if encoded.len() <= SHOWN => (codec, encoded),
            Some((_, None)) => return Ok(Some(serde_json::Value::Null)),
            _ => return Ok(None),
        };
        let value = match codec {
            MessagePack::ID => MessagePack::decode(&encoded).ok(),
            #[cfg(feature = "json")]
            crate::codec::Json::ID => crate::codec::Json::decode(&encoded).ok(),
            _ => None,
        };
        let label = envelope::label(rendered.as_bytes(), &bytes);
        let is_tagged = label.is_some_and(|label| without_tags(&label.name).is_some());
        Ok(match value {
            Some(serde_json::Value::Object(mut tagged)) if is_tagged => {
                Some(tagged.remove("value").unwrap_or_default())
            }
            value => value,
        })
    }
}

/// The type of a value that stands with the generations of its tags, from the type of both: see [`WithTags`](crate::form::WithTags).
fn without_tags(name: &str) -> Option<&str> {
    let value = name.strip_prefix("cache_runtime::form::Tagged<")?;
    value.strip_suffix('>')
}

/// How many bytes of a value are shown.
#[cfg(feature = "dashboard")]
const SHOWN: usize = 64 << 10;

/// The function that stores what is found under a key, and its template.
fn stored_by(key: &str) -> Option<(&'static str, &'static CallSite)> {
    let written = Template::of_key(key);
    let templates = call_sites()
        .filter(|site| !matches!(site.effect(), Effect::Invalidates))
        .flat_map(|site| {
            templates_of(site)
                .into_iter()
                .map(move |template| (template, site))
        });
    let mut found: Vec<_> = templates
        .filter(|(template, _)| Template::parse(template).overlaps(&written))
        .collect();
    // Of several, one that reads: it says which tags there are.
    found.sort_by_key(|(_, site)| !matches!(site.effect(), Effect::Caches(_)));
    found.first().copied()
}

#[allow(clippy::ref_option, reason = "as serde passes it")]
fn in_ms<S: serde::Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    let ms = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    ms.serialize(serializer)
}
