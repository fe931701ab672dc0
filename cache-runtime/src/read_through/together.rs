//! What the calls for several keys do together: look, take their leases, store.

use std::collections::HashMap;
use std::sync::Arc;

use super::loading::{Done, Sealed, To};
use super::{Call, Looked, Turn};
use crate::budget::Budget;
use crate::cache::Inner;
use crate::key::RenderedKey;
use crate::race::together;
use crate::slot::Step;
use crate::stats::Count;
use crate::tags;
use crate::token::Token;

/// A call for one key that is not answered yet, and what is to be done with what is loaded.
pub(super) struct Missing<'c, K> {
    pub(super) id: K,
    pub(super) call: Call<'c>,
    pub(super) to: To,
    /// What the call is counted as.
    pub(super) count: Count,
}

/// Takes the leases of all keys at once.
pub(super) async fn acquire_all<K>(
    empty: Vec<(K, Call<'_>)>,
) -> Vec<(K, Call<'_>, Result<Turn, Token>)> {
    let Some((_, first)) = empty.first() else {
        return Vec::new();
    };
    let (inner, budget) = (first.inner, Budget::of(first.budget));
    let (leases, steps): (Vec<_>, Vec<_>) = empty.iter().map(|(_, call)| call.to_acquire()).unzip();
    let steps = empty.iter().zip(steps);
    let steps = steps.map(|((_, call), step)| (&call.key, step, inner.settings.lease));
    let replies = inner.store.apply_all(steps.collect(), budget).await;
    let acquired = empty.into_iter().zip(leases).zip(replies);
    let acquired = acquired.map(|(((id, mut call), lease), reply)| {
        call.note(&reply, budget);
        let acquired = call.acquired(lease, reply);
        (id, call, acquired)
    });
    acquired.collect()
}

/// Stores what was loaded, all at once.
pub(super) async fn store_all(done: Vec<Done<'_>>) {
    let (mut fills, mut others) = (Vec::new(), Vec::new());
    for Done { call, to, sealed } in done {
        match (to, sealed) {
            (To::Fill(lease), Sealed::Value(payload, ttl)) => {
                fills.push((call, lease, payload, ttl));
            }
            (to, sealed) => others.push(Done { call, to, sealed }),
        }
    }
    if let Some((first, ..)) = fills.first() {
        let (inner, budget) = (first.inner, Budget::of(first.budget));
        let steps = fills.iter().map(|(call, lease, payload, ttl)| {
            let step = Step::Fill(lease.seat.token(), payload.clone());
            (&call.key, step, *ttl)
        });
        let replies = inner.store.apply_all(steps.collect(), budget).await;
        for ((mut call, lease, ..), reply) in fills.into_iter().zip(replies) {
            call.note(&reply, budget);
            call.filled(&lease, reply);
        }
    }
    let others = others.into_iter().map(|done| async move {
        let Done {
            mut call,
            to,
            sealed,
        } = done;
        call.store(&to, sealed).await;
    });
    together(others).await;
}

/// Reads what the switch of the fleet says, before anything of a process that starts is answered from the store.
pub(super) async fn learn_fleet<K>(
    inner: &Arc<Inner>,
    calls: &mut [(K, Call<'_>)],
) -> Result<(), Count> {
    let Some(((_, first), others)) = calls.split_first_mut() else {
        return Ok(());
    };
    if inner.knows_fleet() {
        return Ok(());
    }
    let learned = first.learn_fleet().await;
    for (_, call) in others {
        (call.is_off, call.budget) = (first.is_off, first.budget);
    }
    learned
}

/// Reads the slots of all keys, and of their tags, at once.
pub(super) async fn look_at_all<K>(inner: &Inner, calls: &mut [(K, Call<'_>)]) -> Vec<Looked> {
    let is_behind = inner.recovery.len() > 0;
    let concerned = calls
        .iter()
        .map(|(_, call)| is_behind && call.is_undelivered());
    let concerned: Vec<bool> = concerned.collect();
    for (_, call) in calls.iter_mut() {
        call.looks += 1;
        if call.policy.is_local() {
            call.stamp = inner.store.stamp(&call.key);
        }
    }
    let left = calls.first().map(|(_, call)| call.budget);
    let budget = Budget::of(left.unwrap_or_default());
    let (read, of_tags) = {
        let looking = || {
            let calls = calls.iter().zip(&concerned);
            calls.filter_map(|((_, call), concerned)| (!concerned).then_some(call))
        };
        let mut slots: Vec<&RenderedKey> = looking().map(|call| &call.key).collect();
        // Each tag once, though many have it.
        let mut of_tags = HashMap::new();
        for tag in looking().flat_map(|call| call.tags.keys()) {
            of_tags.entry(tag.clone()).or_insert_with(|| {
                slots.push(tag);
                slots.len() - 1
            });
        }
        (inner.store.read_all(&slots, budget).await, of_tags)
    };
    let left = budget.left();
    let mut replies = match read {
        Ok(replies) => replies,
        Err(error) => {
            tracing::debug!(%error, "the store failed a cached call for several keys");
            if let Some((_, call)) = calls.first() {
                call.tally.add_error(&error);
            }
            Vec::new()
        }
    };
    let own = calls.len() - concerned.iter().filter(|concerned| **concerned).count();
    let seen: Vec<_> = replies
        .get(own..)
        .unwrap_or_default()
        .iter()
        .map(tags::generation)
        .collect();
    replies.truncate(own);
    let mut replies = replies.into_iter();
    let looked = calls
        .iter_mut()
        .zip(concerned)
        .map(|((_, call), concerned)| {
            if concerned {
                return Err(Count::bypasses_fenced);
            }
            call.budget = left;
            let reply = replies.next().ok_or(Count::bypasses_store)?;
            if !call.tags.is_empty() {
                let tags = call.tags.keys().iter();
                let seen = tags.map(|tag| *seen.get(of_tags.get(tag)? - own)?);
                call.seen = Some(seen.collect());
            }
            Ok(reply)
        });
    let looked = looked.collect();
    if is_behind && let Some((_, call)) = calls.first() {
        call.inner.work_on_recovery();
    }
    looked
}

/// Gives a generation to those tags of what is to be stored that have none, each once, though many have it.
pub(super) async fn make_generations<K>(inner: &Inner, missing: &mut [Missing<'_, K>]) {
    let of_stored = |missing: &&mut Missing<'_, K>| !matches!(missing.to, To::Return | To::Drop);
    let mut missing: Vec<_> = missing.iter_mut().filter(of_stored).collect();
    let Some(first) = missing.first() else {
        return;
    };
    let (at, budget) = (first.call.tally.at(), Budget::of(first.call.budget));
    let mut made: HashMap<RenderedKey, Option<Token>> = HashMap::new();
    for Missing { call, .. } in &missing {
        let seen = call.seen.iter().flatten().chain(std::iter::repeat(&None));
        let unmade = call.tags.keys().iter().zip(seen);
        let unmade = unmade.filter(|(_, seen)| seen.is_none());
        made.extend(unmade.map(|(tag, _)| (tag.clone(), None)));
    }
    if made.is_empty() {
        return;
    }
    let making = made.into_keys().map(|tag| async move {
        let generation = tags::make((inner, at), &tag, budget).await;
        (tag, generation)
    });
    let made: HashMap<_, _> = together(making).await.into_iter().collect();
    for Missing { call, .. } in &mut missing {
        call.budget = budget.left();
        let seen = call.seen.get_or_insert_default();
        seen.resize(call.tags.keys().len(), None);
        for (tag, seen) in call.tags.keys().iter().zip(seen) {
            *seen = seen.or_else(|| made.get(tag).copied().flatten());
        }
    }
}
