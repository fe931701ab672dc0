//! Tags: one invalidation for many keys, at the cost of one.
//!
//! A tag is a slot of its own. The token in it is the tag's *generation*, random and used once: that of a lease, which is filled at
//! once to live for longer, or of the value that keeps it. A tagged value is stored
//! with the generations that its tags had before its load; whoever reads it reads the tags along with it, and takes it only if they
//! are still the same. Invalidating a tag empties its slot, as it would that of a value.
//!
//! 1. L reads the tag's generation `g`, and begins to load the old value.
//! 2. A mutation commits, and its invalidation of the tag completes: the slot is empty.
//! 3. L fills: the old value stands in the cache, with `g`.
//! 4. R begins, reads the value and the tag, and finds no `g`: the value is as good as absent.
//!
//! A tag whose slot is empty, evicted or fenced has no generation, and no value matches it: what is lost is a load, never
//! an invalidation.

use std::time::Duration;

use crate::budget::Budget;
use crate::cache::Inner;
use crate::codec::MessagePack;
use crate::error::CacheError;
use crate::key::{KeyWriter, RenderedKey};
use crate::race::together;
use crate::slot::{Reply, Step};
use crate::spans;
use crate::store::Payload;
use crate::switch::Mode;
use crate::tally::At;
use crate::token::Token;

/// What stands in front of a tag, after the namespace: no key begins so, because no template and no part renders to a bare `%`.
pub(crate) const MARK: &str = "%t:";

/// How long a generation lives at least. A value that outlives its tag's generation is loaded anew.
const LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// How often one load gives a tag a generation that is invalidated before it is filled.
const MAX_ROUNDS: usize = 3;

/// The tags of one call.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tags {
    keys: Vec<RenderedKey>,
}

/// What a look found: the generation of each tag that has one.
pub(crate) type Seen = Vec<Option<Token>>;

impl Tags {
    pub(crate) fn add(&mut self, key: RenderedKey) {
        self.keys.push(key);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn keys(&self) -> &[RenderedKey] {
        &self.keys
    }

    /// Reads a slot and all tags, in one round trip.
    ///
    /// # Errors
    ///
    /// When the store fails one of them.
    pub(crate) async fn read_with(
        &self,
        (inner, at): (&Inner, At),
        key: Option<&RenderedKey>,
        budget: Budget,
    ) -> Result<(Reply<Payload>, Seen), CacheError> {
        let keys = key.into_iter().chain(&self.keys);
        let store = &inner.store;
        let reads = keys.map(|key| spans::step(store, at, key, Step::Read, Duration::ZERO, budget));
        let mut replies = together(reads).await.into_iter();
        let reply = match key {
            Some(_) => replies.next().unwrap_or(Ok(Reply::Miss))?,
            None => Reply::Miss,
        };
        let seen = replies.map(|reply| Ok(generation(&reply?)));
        Ok((reply, seen.collect::<Result<_, CacheError>>()?))
    }

    /// The generations as they are now; `None` if one cannot be had.
    pub(crate) async fn current(&self, inner: &Inner, at: At) -> Option<Vec<Token>> {
        if self.is_empty() || inner.mode() != Mode::On {
            return Some(Vec::new());
        }
        let budget = Budget::of(inner.settings.store_budget);
        let (_, seen) = self.read_with((inner, at), None, budget).await.ok()?;
        self.generations((inner, at), &seen, budget).await
    }

    /// The generations, of which those that were not seen are made; `None` if one cannot be: then nothing is to be stored.
    pub(crate) async fn generations(
        &self,
        (inner, at): (&Inner, At),
        seen: &Seen,
        budget: Budget,
    ) -> Option<Vec<Token>> {
        let mut generations = Vec::with_capacity(self.keys.len());
        for (index, key) in self.keys.iter().enumerate() {
            generations.push(match seen.get(index).copied().flatten() {
                Some(generation) => generation,
                None => make((inner, at), key, budget).await?,
            });
        }
        Some(generations)
    }
}

/// The key of a tag's slot.
pub(crate) fn key(inner: &Inner, write: impl FnOnce(&mut KeyWriter)) -> RenderedKey {
    inner.render(|writer| {
        writer.literal(MARK);
        write(writer);
    })
}

/// The generation in a tag's slot, if there is one.
pub(crate) fn generation(reply: &Reply<Payload>) -> Option<Token> {
    match reply {
        // A lease whose maker was dropped before he filled it expires, which costs a load.
        Reply::Hit(generation, _) | Reply::Leased(generation) => Some(*generation),
        _ => None,
    }
}

/// Gives a tag a generation, or finds the one that somebody else gave it.
pub(crate) async fn make(
    (inner, at): (&Inner, At),
    key: &RenderedKey,
    budget: Budget,
) -> Option<Token> {
    let store = &inner.store;
    let payload = inner
        .payload::<(), MessagePack>(key, Some(&()), (0, None))
        .ok()?;
    for _ in 0..MAX_ROUNDS {
        let lease = inner.tokens.next();
        let step = Step::Acquire { lease, over: None };
        let life = inner.settings.lease;
        match spans::step(store, at, key, step, life, budget).await.ok()? {
            Reply::Hit(generation, _) | Reply::Leased(generation) => return Some(generation),
            Reply::Granted => {
                let step = Step::Fill(lease, payload.clone());
                let filled = spans::step(store, at, key, step, LIFE, budget).await.ok()?;
                if matches!(filled, Reply::Done) {
                    return Some(lease);
                }
            }
            _ => return None,
        }
    }
    None
}
