//! A call whose body is to run: what is done before it, along with it and after it.
//!
//! What depends on the type of the body, which is another for each function, is [`Next::with`] alone: the rest is compiled once for each type
//! of value, and what is asynchronous of it for the most part once.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{Instrument as _, Span};

use super::aging::Replacement;
use super::{Call, Landing, Lease};
use crate::budget::Budget;
use crate::cache::Inner;
use crate::codec::Codec;
use crate::form::Form;
use crate::key::RenderedKey;
use crate::outcome::{CacheValue, ErrorSharing, Outcome, View};
use crate::race::{alongside, together};
use crate::slot::{Reply, Step};
use crate::spans;
use crate::stats::Count;
use crate::store::Payload;
use crate::storing::Selects;
use crate::tally::Counted;
use crate::timer;
use crate::token::Token;

/// How a call goes on.
pub(crate) enum Next<'a, R, C, W> {
    /// It does not: with this value.
    Answer(R),
    /// With its body.
    Load(Box<Loading<'a, R, C, W>>),
}

/// A call whose body is to run.
pub(crate) struct Loading<'a, R, C, W> {
    call: Call<'a>,
    sharing: C,
    storing: W,
    to: To,
    /// Those to store with the value; `None` if nothing is to be stored.
    generations: Option<Vec<Token>>,
    /// Whether it is counted as a load.
    is_counted: bool,
    /// What the call is counted as when its body begins to run; `None` if that is not known then, or counted already.
    count: Option<Count>,
    /// When its body began to run.
    began: Instant,
    instead: Option<Instead<R>>,
}

/// What is done with what is loaded, besides returning it.
pub(super) enum To {
    /// Nothing.
    Return,
    /// What may be older is dropped.
    Drop,
    /// It is stored under this lease.
    Fill(Lease),
    /// It is stored in the place of this value, or that is dropped.
    Replace(Token),
    /// It is stored in the place of this value, by the one who has the right to.
    Renew(Token, Lease),
}

/// A value to be returned in the place of an error.
pub(super) struct Instead<R> {
    pub(super) value: R,
    /// What the call is counted as then.
    pub(super) count: Count,
    /// What it is counted as if there is no error.
    pub(super) otherwise: Count,
    /// The right to replace the value in this process, until this is dropped.
    #[allow(dead_code, reason = "it is there to be dropped")]
    pub(super) replacement: Option<Replacement>,
}

impl<R> Instead<R> {
    /// One of a call that has no right to replace it in this process.
    pub(super) fn stale(value: R, otherwise: Count) -> Self {
        Self {
            value,
            count: Count::stale_hits,
            otherwise,
            replacement: None,
        }
    }

    /// What is returned: what was loaded, unless that is an error, or nothing.
    pub(super) fn unless<S>(self, loaded: Option<R>, counted: &Counted<'_>) -> R
    where
        R: Outcome<S>,
    {
        match loaded {
            Some(loaded) if !matches!(loaded.view(), View::Failed(_)) => {
                counted.ends_as(self.otherwise);
                loaded
            }
            _ => {
                counted.ends_as(self.count);
                self.value
            }
        }
    }
}

/// A call whose body has run, and what is to be stored of it.
pub(super) struct Done<'a> {
    pub(super) call: Call<'a>,
    pub(super) to: To,
    pub(super) sealed: Sealed,
}

/// What was loaded, as far as it is to be stored.
pub(super) enum Sealed {
    Failed,
    /// Nothing of it.
    Nothing,
    Value(Payload, Duration),
}

impl<'a, R, C, W> Loading<'a, R, C, W> {
    /// A load, up to its body. Of a call that is counted when it ends, there is no `count`.
    pub(super) async fn begin(
        mut call: Call<'a>,
        sharing: C,
        storing: W,
        (count, to): (Option<Count>, To),
    ) -> Self {
        if call.is_off {
            call.counted.ends_uncounted();
            return Self::uncounted(call, sharing, storing);
        }
        let generations = match to {
            To::Return | To::Drop => None,
            To::Fill(_) | To::Replace(_) | To::Renew(..) => call.generations().await,
        };
        let loading = Self::uncounted(call, sharing, storing);
        Self {
            to,
            generations,
            is_counted: true,
            count,
            ..loading
        }
    }

    /// A load that has nothing to do with the cache.
    pub(super) fn uncounted(call: Call<'a>, sharing: C, storing: W) -> Self {
        Self {
            began: call.now(),
            call,
            sharing,
            storing,
            to: To::Return,
            generations: None,
            is_counted: false,
            count: None,
            instead: None,
        }
    }

    /// The same with a value that is returned in the place of an error.
    pub(super) fn or(self, instead: Instead<R>) -> Self {
        Self {
            instead: Some(instead),
            ..self
        }
    }

    /// Notes that its body begins to run. Whoever is dropped before that has loaded nothing.
    pub(super) fn start(&mut self) {
        if let Some(count) = self.count.take() {
            self.call.counted.ends_as(count);
        }
        if self.is_counted {
            self.call.tally.add(Count::loads);
            if matches!(self.to, To::Renew(..)) {
                self.call.tally.add(Count::revalidations);
            }
        }
        self.began = self.call.now();
    }

    /// Notes how its body has ended. Returns how long it took.
    fn stop<S>(&self, returned: &R) -> Duration
    where
        R: Outcome<S>,
    {
        let took = self.call.since(self.began);
        if self.is_counted {
            let is_error = matches!(returned.view(), View::Failed(_));
            self.call.tally.ends_load(took, is_error);
        }
        took
    }

    pub(super) fn inner(&self) -> &'a Arc<Inner> {
        self.call.inner
    }

    /// One for the run of its body.
    pub(super) fn span(&self) -> Span {
        spans::of_load(self.call.tally.at(), &self.call.key)
    }

    /// The lease that it holds.
    pub(super) fn lease(&self) -> Option<&Lease> {
        match &self.to {
            To::Fill(lease) | To::Renew(_, lease) => Some(lease),
            To::Return | To::Drop | To::Replace(_) => None,
        }
    }

    /// What is to be done while the body runs. Never ends.
    fn renewal(&self) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        match self.lease() {
            Some(lease) => Box::pin(renewal(self.inner().clone(), vec![lease.place()])),
            None => Box::pin(std::future::pending()),
        }
    }

    /// Serves those who wait, and makes what is to be stored.
    fn seal<S, D, F>(&self, returned: &R) -> Sealed
    where
        R: Outcome<S, Value: CacheValue>,
        C: ErrorSharing<R::Error>,
        W: Selects<R::Value>,
        D: Codec,
        F: Form,
    {
        let call = &self.call;
        let took = self.stop(returned);
        let lease = match &self.to {
            To::Return | To::Drop => {
                return match returned.view() {
                    View::Failed(_) => Sealed::Failed,
                    View::Value(_) | View::Absent => Sealed::Nothing,
                };
            }
            To::Replace(_) => None,
            To::Fill(lease) | To::Renew(_, lease) => Some(lease),
        };
        let (value, ttl) = match returned.view() {
            View::Value(value) => (Some(value), self.storing.ttl_of(value, &call.policy)),
            View::Absent => (None, call.policy.ttl_of_none()),
            View::Failed(error) => {
                if let Some(lease) = lease {
                    lease
                        .seat
                        .land(Landing::Failed(self.sharing.capture(error)));
                }
                return Sealed::Failed;
            }
        };
        // Those who wait are served before the store is: they need not wait for it.
        if let Some(lease) = lease
            && lease.seat.has_followers()
        {
            let generations = self.generations.as_deref().unwrap_or_default();
            let shared = F::shared(value, call.policy.site_version(), generations);
            lease.seat.land(Landing::Value(shared));
        }
        let life = ttl.and_then(|ttl| call.life(ttl, took));
        let (Some((ttl, age)), Some(generations)) = (life, &self.generations) else {
            return Sealed::Nothing;
        };
        match call.payload::<_, D, F>(value, generations, age) {
            Some(payload) => Sealed::Value(payload, ttl),
            None => Sealed::Nothing,
        }
    }

    /// The same, to be stored along with others.
    pub(super) fn done<S, D, F>(self, returned: &R) -> Done<'a>
    where
        R: Outcome<S, Value: CacheValue>,
        C: ErrorSharing<R::Error>,
        W: Selects<R::Value>,
        D: Codec,
        F: Form,
    {
        Done {
            sealed: self.seal::<S, D, F>(returned),
            call: self.call,
            to: self.to,
        }
    }

    /// Stores what was loaded, and returns it.
    async fn end<S, D, F>(mut self, returned: R) -> R
    where
        R: Outcome<S, Value: CacheValue>,
        C: ErrorSharing<R::Error>,
        W: Selects<R::Value>,
        D: Codec,
        F: Form,
    {
        let sealed = self.seal::<S, D, F>(&returned);
        self.call.store(&self.to, sealed).await;
        match self.instead {
            None => returned,
            Some(instead) => instead.unless(Some(returned), &self.call.counted),
        }
    }
}

/// Renews leases until all are lost. Never ends.
pub(super) async fn renewal(inner: Arc<Inner>, mut leases: Vec<(RenderedKey, Token)>) {
    let settings = &inner.settings;
    while !leases.is_empty() {
        timer::sleep(settings.lease / 3).await;
        let budget = Budget::of(settings.store_budget);
        let renewed = together(leases.iter().map(|(key, token)| {
            let step = Step::Renew(*token);
            inner.store.apply(key, step, settings.lease, budget)
        }));
        let mut renewed = renewed.await.into_iter();
        leases.retain(|_| !matches!(renewed.next(), Some(Ok(Reply::Refused))));
    }
    std::future::pending::<()>().await;
}

impl Call<'_> {
    /// Does with what was loaded what is to be done with it.
    pub(super) async fn store(&mut self, to: &To, sealed: Sealed) {
        match (to, sealed) {
            (To::Return, _) | (To::Drop | To::Replace(_), Sealed::Failed) => {}
            (To::Drop, _) | (To::Replace(_), Sealed::Nothing) => self.drop_older().await,
            (To::Fill(lease), Sealed::Value(payload, ttl)) => self.fill(lease, payload, ttl).await,
            (To::Fill(lease), Sealed::Failed | Sealed::Nothing) => self.release(lease).await,
            (To::Replace(token), Sealed::Value(payload, ttl)) => {
                if !self.put_over(*token, payload, ttl).await {
                    self.drop_older().await;
                }
            }
            (To::Renew(token, lease), sealed) => {
                match sealed {
                    Sealed::Failed => {}
                    // What is not to be stored must not be answered with what was there before.
                    Sealed::Nothing => self.drop_older().await,
                    Sealed::Value(payload, ttl) => {
                        self.put_over(*token, payload, ttl).await;
                    }
                }
                self.has_ended(lease).await;
            }
        }
    }
}

impl<R, C, W> Next<'_, R, C, W> {
    /// The answer, with the body if it is needed.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it loads: followers in this process take the lease over, or it is released. Dropped while it stores:
    /// the value is stored or not.
    pub(crate) async fn with<S, D, F>(self, body: impl Future<Output = R>) -> R
    where
        R: Outcome<S, Value: CacheValue>,
        C: ErrorSharing<R::Error>,
        W: Selects<R::Value>,
        D: Codec,
        F: Form,
    {
        match self {
            Next::Answer(value) => value,
            Next::Load(mut loading) => {
                loading.start();
                let body = body.instrument(loading.span());
                let returned = alongside(body, loading.renewal()).await;
                // Boxed: it is several times as large as what stands here while the body runs.
                Box::pin(loading.end::<S, D, F>(returned)).await
            }
        }
    }
}
