//! Calls that go on without their caller.

use std::sync::Arc;

use tracing::Span;

use super::Call;
use super::verifying::Life;
use crate::cache::Inner;
use crate::control::Asked;
use crate::key::RenderedKey;
use crate::policy::Policy;
use crate::spans;
use crate::tags::{Seen, Tags};
use crate::tally::{At, Counted, Tally};

/// A call that goes on in a task of its own.
pub(super) struct Task {
    pub(super) inner: Arc<Inner>,
    pub(super) rest: Rest,
}

/// What makes the call anew, but for its cache.
#[derive(Debug)]
pub(crate) struct Rest {
    key: RenderedKey,
    policy: Policy,
    at: At,
    tags: Tags,
    seen: Option<Seen>,
    life: Option<Life>,
}

impl Task {
    /// Of a call, and what that is to be counted by.
    pub(super) fn of(call: Call<'_>) -> (Self, Counted<'_>) {
        let task = Self {
            inner: call.inner.clone(),
            rest: Rest {
                key: call.key,
                policy: call.policy,
                at: call.tally.at(),
                tags: call.tags,
                seen: call.seen,
                life: call.life,
            },
        };
        (task, call.counted)
    }

    /// The call, with a store budget of its own.
    pub(super) fn call(&self) -> Call<'_> {
        self.rest.call(&self.inner)
    }

    /// A span for it, and what it does.
    pub(super) fn span(&self, what: &'static str) -> Span {
        self.rest.span(what)
    }
}

impl Rest {
    /// The same.
    pub(super) fn call<'a>(&self, inner: &'a Arc<Inner>) -> Call<'a> {
        let tally = Tally::new(inner, self.at);
        let key = self.key.clone();
        let mut call =
            Call::new(inner, key, self.policy, tally, Asked::Nothing).with_tags(self.tags.clone());
        call.counted.ends_uncounted();
        call.seen.clone_from(&self.seen);
        call.life = self.life;
        call
    }

    /// The same.
    pub(super) fn span(&self, what: &'static str) -> Span {
        spans::of_task(what, self.at, &self.key)
    }

    /// Whether another call has found the same of the tags.
    pub(super) fn has_seen(&self, call: &Call<'_>) -> bool {
        call.tags.is_empty() || call.seen == self.seen
    }
}
