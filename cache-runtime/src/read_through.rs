//! One call of a cached function: hit, load and fill, wait for another's load, or the plain call.

mod aging;
pub(crate) mod batch;
mod controlled;
mod loading;
mod task;
mod together;
mod verifying;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument as _;

use crate::budget::Budget;
use crate::cache::Inner;
use crate::codec::Codec;
use crate::control::Asked;
use crate::envelope::unpacked_len;
use crate::error::{CacheError, ErrorKind};
use crate::flight::{Landing, Role, Seat};
use crate::form::{Form, Of, Opened, Useless};
use crate::key::RenderedKey;
use crate::outcome::{CacheValue, ErrorSharing, Outcome};
use crate::policy::Policy;
use crate::race::within;
use crate::slot::{Reply, Step};
use crate::spans;
use crate::staleness::{Age, Freshness};
use crate::stats::Count;
use crate::store::{Payload, Stamp};
use crate::storing::Selects;
use crate::tags::{Seen, Tags};
use crate::tally::{Counted, Tally};
use crate::timer;
use crate::token::Token;

pub(crate) use aging::{
    First, Going, MARK as REPLACEMENT_MARK, Replacing, first_look, in_background, inline,
};
pub(crate) use controlled::{Start, start};
use loading::{Loading, Next, To};
pub(crate) use task::Rest;
use verifying::{Life, verified};

/// The delays between two looks at a lease that another process holds.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const SLOWEST_LOOK: Duration = Duration::from_millis(25);

/// The delay between two looks at a lease whose end is told of.
const UNTOLD_LOOK: Duration = Duration::from_millis(250);

/// How often one call looks at a slot that changes hands under it.
const MAX_LOOKS: u32 = 16;

/// One call, as far as it does not depend on the types of the function.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    inner: &'a Arc<Inner>,
    key: RenderedKey,
    policy: Policy,
    tally: Tally<'a>,
    counted: Counted<'a>,
    /// What was asked for when it began.
    asked: Asked,
    /// Whether it turned out that the fleet is off: it is the plain call then.
    is_off: bool,
    /// Whether a hit is to be held against its source.
    verifies: bool,
    /// The hit that is.
    to_verify: Option<Token>,
    /// What tells how old that is.
    life: Option<Life>,
    /// What is left of the store budget.
    budget: Duration,
    /// When waiting for others' loads ends; set by the first wait.
    waits_until: Option<Instant>,
    /// A value that was read and is none for this call.
    unreadable: Option<Token>,
    /// How often it has looked at the slot.
    looks: u32,
    /// Taken before the last look, if what it finds may be kept in this process.
    stamp: Option<Stamp>,
    tags: Tags,
    /// What the last look found of them; `None` if what was found then is of no use for what is looked at now.
    seen: Option<Seen>,
}

/// What a look has found; `Err` where the call is to go past the cache.
type Looked = Result<Reply<Payload>, Count>;

/// What a call does next.
enum Turn {
    /// Return this value, if it can be read.
    Hit(Token, Payload),
    /// Load, and fill.
    Lead(Lease),
    /// Return what another's load brought, if it can be shared.
    Landed(Landing),
    /// Load without a fill.
    Alone(Count),
}

impl<'a> Call<'a> {
    pub(crate) fn new(
        inner: &'a Arc<Inner>,
        key: RenderedKey,
        policy: Policy,
        tally: Tally<'a>,
        asked: Asked,
    ) -> Self {
        Self {
            inner,
            key,
            policy,
            tally,
            counted: Counted::new(tally),
            asked,
            is_off: false,
            verifies: false,
            to_verify: None,
            life: None,
            budget: inner.settings.store_budget,
            waits_until: None,
            unreadable: None,
            looks: 0,
            stamp: None,
            tags: Tags::default(),
            seen: None,
        }
    }

    /// The same call, whose hit may be held against its source.
    pub(crate) fn verifying(self, verifies: bool) -> Self {
        Self { verifies, ..self }
    }

    /// The same call of a function whose values have tags.
    pub(crate) fn with_tags(self, tags: Tags) -> Self {
        Self { tags, ..self }
    }

    /// One step within what is left of the budget.
    async fn step(
        &mut self,
        step: Step<Payload>,
        ttl: Duration,
    ) -> Result<Reply<Payload>, CacheError> {
        if self.budget.is_zero() {
            return Err(CacheError::new(ErrorKind::Timeout));
        }
        let budget = Budget::of(self.budget);
        let at = self.tally.at();
        let reply = spans::step(&self.inner.store, at, &self.key, step, ttl, budget).await;
        // After a hit, nothing follows that would need to know what is left.
        if !matches!(reply, Ok(Reply::Hit(..))) {
            self.note(&reply, budget);
        }
        reply
    }

    /// Notes what came of a step, and what it has left of the budget.
    fn note(&mut self, reply: &Result<Reply<Payload>, CacheError>, budget: Budget) {
        if let Err(error) = reply {
            self.tally.add_error(error);
            tracing::debug!(%error, key = ?self.key, "the store failed a cached call");
        }
        self.budget = budget.left();
    }

    /// What was read; `Err`, and counted, where the store failed.
    fn or_bypass<T>(&self, read: Result<T, CacheError>) -> Result<T, Count> {
        read.map_err(|error| {
            self.tally.add_error(&error);
            Count::bypasses_store
        })
    }

    /// The keys of all slots that it reads.
    fn keys(&self) -> impl Iterator<Item = &RenderedKey> {
        std::iter::once(&self.key).chain(self.tags.keys())
    }

    /// Whether one of them has an invalidation that is not delivered.
    fn is_undelivered(&self) -> bool {
        self.keys().any(|key| self.inner.recovery.concerns(key))
    }

    /// Reads the slot; `Err` where the call is to go past the cache.
    async fn look(&mut self) -> Looked {
        if self.inner.recovery.len() > 0 {
            self.inner.work_on_recovery();
        }
        if !self.inner.knows_fleet() {
            self.learn_fleet().await?;
        }
        if self.is_undelivered() {
            return Err(Count::bypasses_fenced);
        }
        self.looks += 1;
        if !self.tags.is_empty() {
            return Box::pin(self.look_with_tags()).await;
        }
        if self.policy.is_local() {
            self.stamp = self.inner.store.stamp(&self.key);
        }
        let reply = self.step(Step::Read, Duration::ZERO).await;
        reply.map_err(|_| Count::bypasses_store)
    }

    /// Reads what the switch of the fleet says, before anything of a process that starts is answered from the store.
    #[cold]
    async fn learn_fleet(&mut self) -> Result<(), Count> {
        let budget = Budget::of(self.budget);
        let at = self.tally.at();
        let learning = self.inner.learn_fleet(at, self.budget);
        let learned = Box::pin(spans::fleet(at, &self.key, learning)).await;
        self.budget = budget.left();
        self.is_off = !self.or_bypass(learned)?;
        if self.is_off {
            // Counted as nothing, as if it had begun when this was known.
            return Err(Count::bypasses_asked);
        }
        Ok(())
    }

    /// Reads the slot, and those of the tags along with it.
    async fn look_with_tags(&mut self) -> Looked {
        let budget = Budget::of(self.budget);
        let read = self
            .tags
            .read_with((self.inner, self.tally.at()), Some(&self.key), budget)
            .await;
        self.budget = budget.left();
        let (reply, seen) = self.or_bypass(read)?;
        self.seen = Some(seen);
        Ok(reply)
    }

    /// Reads the tags, if what is known of them is older than what is looked at now; `Err` where the store fails.
    async fn see(&mut self) -> Result<(), Count> {
        if self.tags.is_empty() || self.seen.is_some() {
            return Ok(());
        }
        let budget = Budget::of(self.budget);
        let read = self
            .tags
            .read_with((self.inner, self.tally.at()), None, budget)
            .await;
        self.budget = budget.left();
        let (_, seen) = self.or_bypass(read)?;
        self.seen = Some(seen);
        Ok(())
    }

    /// The generations to store with a value that is about to be loaded; `None` if nothing is to be stored.
    async fn generations(&mut self) -> Option<Vec<Token>> {
        if self.tags.is_empty() {
            return Some(Vec::new());
        }
        let budget = Budget::of(self.budget);
        let seen = self.seen.get_or_insert_default();
        let of = (&**self.inner, self.tally.at());
        let generations = self.tags.generations(of, seen, budget).await;
        self.budget = budget.left();
        generations
    }

    /// Finds out what to do, after a look that brought no value for this call.
    async fn next(&mut self, mut looked: Option<Looked>) -> Turn {
        loop {
            let reply = match (looked.take(), self.unreadable) {
                (Some(reply), _) => reply,
                (None, _) if self.looks >= MAX_LOOKS => Err(Count::bypasses_waited),
                (None, None) => self.look().await,
                // As good as absent, and to be replaced.
                (None, Some(_)) => {
                    self.looks += 1;
                    Ok(Reply::Miss)
                }
            };
            let leased = match reply {
                Err(reason) => return Turn::Alone(reason),
                Ok(Reply::Hit(token, payload)) => return Turn::Hit(token, payload),
                Ok(Reply::Leased(token)) => token,
                Ok(Reply::Miss) => match self.acquire().await {
                    Ok(turn) => return turn,
                    Err(token) => token,
                },
                Ok(_) => return Turn::Alone(Count::bypasses_fenced),
            };
            let span = spans::of_wait(self.tally.at(), &self.key);
            if let Some(turn) = self.wait_for(leased).instrument(span).await {
                return turn;
            }
        }
    }

    /// Tries to take the lease; `Err` with the lease of another who was faster.
    async fn acquire(&mut self) -> Result<Turn, Token> {
        let (lease, step) = self.to_acquire();
        let reply = self.step(step, self.inner.settings.lease).await;
        self.acquired(lease, reply)
    }

    /// A lease that is not taken yet, and the step that takes it.
    fn to_acquire(&self) -> (Lease, Step<Payload>) {
        // Boarded before the lease is taken, so that whoever reads it in this process finds the flight.
        let token = self.inner.tokens.next();
        let (Role::Lead(seat) | Role::Follow(seat)) = self.inner.flights.board(token, &self.key);
        let step = Step::Acquire {
            lease: token,
            over: self.unreadable,
        };
        (Lease::own(self.inner, seat), step)
    }

    /// What came of that step.
    fn acquired(
        &mut self,
        lease: Lease,
        reply: Result<Reply<Payload>, CacheError>,
    ) -> Result<Turn, Token> {
        match reply {
            Ok(Reply::Granted) => Ok(Turn::Lead(lease)),
            // Whether the lease was taken is not known: it is given back when `lease` is dropped.
            Err(_) => Ok(Turn::Alone(Count::bypasses_store)),
            Ok(reply) => {
                lease.seat.settle();
                match reply {
                    Reply::Hit(token, payload) => {
                        self.seen = None;
                        Ok(Turn::Hit(token, payload))
                    }
                    Reply::Leased(token) => Err(token),
                    _ => Ok(Turn::Alone(Count::bypasses_fenced)),
                }
            }
        }
    }

    /// Lets a load end whose value has been handed out, and is of no use here: it holds its lease until it has filled.
    ///
    /// 1. L lands, and is halted before it fills.
    /// 2. R has waited for it, finds that a tag was invalidated meanwhile, looks again, and finds L's lease, and its flight landed.
    /// 3. Without a pause, R has looked too often before L goes on, and loads for itself; and so do all who waited with it.
    async fn pause(&self) {
        let longer = 1.5_f64.powi(i32::try_from(self.looks).unwrap_or(i32::MAX));
        let delay = FIRST_LOOK.mul_f64(longer.min(100.0)).min(SLOWEST_LOOK);
        timer::sleep(delay.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
    }

    /// Waits until a lease is over; `None` to look again.
    async fn wait_for(&mut self, token: Token) -> Option<Turn> {
        let wait = self.inner.settings.wait;
        let until = *self
            .waits_until
            .get_or_insert_with(|| Instant::now() + wait);
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Some(Turn::Alone(Count::bypasses_waited));
        }
        match self.inner.flights.board(token, &self.key) {
            Role::Follow(seat) => {
                let mut lease = Lease::own(self.inner, seat);
                match within(left, lease.seat.landing()).await {
                    None => Some(Turn::Alone(Count::bypasses_waited)),
                    Some(Some(Landing::Moved)) => None,
                    Some(Some(landing)) => {
                        self.seen = None;
                        Some(Turn::Landed(landing))
                    }
                    Some(None) => Some(Turn::Lead(lease)),
                }
            }
            Role::Lead(seat) => {
                seat.settle();
                let lease = Lease::own(self.inner, seat);
                if self.inner.tokens.drew(token) {
                    // Ours, and no flight of ours: its loader is gone, and could not give it back, or is about to.
                    self.release(&lease).await;
                    return None;
                }
                self.watch(&lease, until).await
            }
        }
    }

    /// Looks at a lease of another process until it is over, for all callers of this process who wait for it.
    ///
    /// What such a look finds is right for each of them: they read the lease in the slot after they began, and
    /// whatever follows it there is newer.
    async fn watch(&mut self, lease: &Lease, until: Instant) -> Option<Turn> {
        let mut delay = FIRST_LOOK;
        let mut tracked = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Some(Turn::Alone(Count::bypasses_waited));
            }
            if let Some(stamp) = tracked {
                let changed = self.inner.store.changed(&self.key, stamp);
                within(UNTOLD_LOOK.min(left), changed).await;
            } else {
                timer::sleep(delay.mul_f64(0.75 + 0.5 * fastrand::f64()).min(left)).await;
                delay = delay.mul_f64(1.5).min(SLOWEST_LOOK);
            }
            tracked = self.inner.store.tracked(&self.key);

            let budget = Budget::of(self.budget.min(left));
            let (store, at) = (&self.inner.store, self.tally.at());
            match spans::step(store, at, &self.key, Step::Read, Duration::ZERO, budget).await {
                Ok(Reply::Leased(token)) if token == lease.seat.token() => {}
                Ok(Reply::Hit(token, payload)) => {
                    lease.seat.land(Landing::Value(payload.clone()));
                    self.seen = None;
                    return Some(Turn::Hit(token, payload));
                }
                Ok(_) => {
                    lease.seat.land(Landing::Moved);
                    return None;
                }
                Err(error) => {
                    self.tally.add_error(&error);
                    lease.seat.land(Landing::Failed(None));
                    return Some(Turn::Alone(Count::bypasses_store));
                }
            }
        }
    }

    /// What a call returns that has read this value, and what that is to it; `None` if it is none for it.
    fn find<R, S, D, F>(
        &mut self,
        token: Token,
        payload: &Payload,
        storing: &impl Selects<R::Value>,
    ) -> Option<(R, Freshness)>
    where
        R: Outcome<S, Value: CacheValue>,
        D: Codec,
        F: Form,
    {
        // As good as absent, unless it turns out to be a value.
        let unreadable = self.unreadable.replace(token);
        let found = self.open::<_, D, F>(payload);
        let (value, age) = match found {
            Ok(found) => found,
            Err(useless) => {
                self.tally.add(match useless {
                    Useless::Unreadable => Count::unreadable,
                    Useless::Outdated => Count::outdated,
                });
                return None;
            }
        };
        if self.verifies {
            self.life = Life::of(value.as_ref(), age, &self.policy, storing);
        }
        let freshness = self.inner.freshness(age, self.policy);
        match freshness {
            Freshness::Over => return None,
            Freshness::Fresh => self.keep((value.as_ref(), age), payload, storing),
            Freshness::Due | Freshness::Stale | Freshness::Held => {}
        }
        let Some(value) = R::from_stored(value) else {
            self.tally.add(Count::unreadable);
            return None;
        };
        self.unreadable = unreadable;
        Some((value, freshness))
    }

    /// The same where what is stale is to be replaced by whoever looks next, if at all.
    fn hit<R, S, D, F>(
        &mut self,
        token: Token,
        payload: &Payload,
        storing: &impl Selects<R::Value>,
    ) -> Option<R>
    where
        R: Outcome<S, Value: CacheValue>,
        D: Codec,
        F: Form,
    {
        match self.find::<R, S, D, F>(token, payload, storing)? {
            (_, Freshness::Held) => {
                self.unreadable = Some(token);
                None
            }
            (value, freshness) => {
                if self.verifies && freshness == Freshness::Fresh {
                    self.to_verify = Some(token);
                }
                self.counted.ends_as(aging::count_of(freshness));
                Some(value)
            }
        }
    }

    fn of(&self) -> Of<'_> {
        Of {
            inner: self.inner,
            key: &self.key,
            version: self.policy.site_version(),
        }
    }

    /// Reads a value, which is `None` if it is known to be absent.
    fn open<T: CacheValue, D: Codec, F: Form>(
        &self,
        payload: &Payload,
    ) -> Result<Opened<T>, Useless> {
        const NONE: &Seen = &Vec::new();
        self.tally.add_bytes(Count::bytes_read, payload);
        F::open::<T, D>(self.of(), payload, self.seen.as_ref().unwrap_or(NONE))
    }

    /// Keeps a value that was read in this process, where the call site asks for it.
    fn keep<T: CacheValue>(
        &self,
        (value, age): (Option<&T>, Option<Age>),
        payload: &Payload,
        storing: &impl Selects<T>,
    ) {
        if let (Some(stamp), Payload::Sealed(bytes)) = (self.stamp, payload)
            && let Some(ttl) = self.policy.local_ttl_of(value, storing)
        {
            let version = self.policy.site_version();
            let undisturbed = age.map_or(Duration::MAX, |age| {
                let now = self.inner.settings.clock.unix_ms();
                age.undisturbed(now, self.policy.beyond_ttl())
            });
            let ttl = ttl.min(undisturbed);
            self.inner.store.keep(
                &self.key,
                value.cloned(),
                (version, unpacked_len(bytes)),
                stamp,
                ttl,
            );
        }
    }

    /// Now, by the clock that values grow old by.
    fn now(&self) -> Instant {
        self.inner.settings.clock.instant()
    }

    fn since(&self, began: Instant) -> Duration {
        self.now().saturating_duration_since(began)
    }

    /// How long a value lives that is stored now and took so long to load, and what is told of its age; `None` if that is too short
    /// to store it.
    fn life(&self, ttl: Duration, took: Duration) -> Option<(Duration, Option<Age>)> {
        let ttl = self.inner.settings.jittered(ttl);
        if ttl < Duration::from_millis(1) {
            return None;
        }
        let Some(staleness) = self.policy.beyond_ttl() else {
            return Some((ttl, None));
        };
        let age = Age::new(self.inner.settings.clock.unix_ms(), ttl, took);
        Some((ttl.saturating_add(staleness.kept()), Some(age)))
    }

    /// What was loaded in the form that the store keeps; `None`, and counted, where it cannot be stored.
    fn payload<T: CacheValue, D: Codec, F: Form>(
        &self,
        value: Option<&T>,
        generations: &[Token],
        age: Option<Age>,
    ) -> Option<Payload> {
        match F::payload::<T, D>(self.of(), value, generations, age) {
            Ok(payload) => {
                self.tally.add_bytes(Count::bytes_written, &payload);
                Some(payload)
            }
            Err(error) => {
                self.tally.add(error.count());
                tracing::debug!(%error, key = ?self.key, "a loaded value is not stored");
                None
            }
        }
    }

    /// Stores what was loaded, if the lease still stands.
    async fn fill(&mut self, lease: &Lease, payload: Payload, ttl: Duration) {
        let step = Step::Fill(lease.seat.token(), payload);
        let reply = self.step(step, ttl).await;
        self.filled(lease, reply);
    }

    /// What came of a fill.
    fn filled(&self, lease: &Lease, reply: Result<Reply<Payload>, CacheError>) {
        // After an error it is not known whether it was stored: `lease` is released when dropped, which spares a value.
        if let Ok(reply) = reply {
            lease.seat.settle();
            self.tally.add_fill(matches!(reply, Reply::Done));
        }
    }

    /// Gives the lease back, so that the next caller need not wait for its expiry.
    async fn release(&mut self, lease: &Lease) {
        if self
            .step(Step::Release(lease.seat.token()), Duration::ZERO)
            .await
            .is_ok()
        {
            lease.seat.settle();
        }
    }
}

/// A place in a flight, and the lease that it is about: given back by the last who leaves.
struct Lease {
    inner: Arc<Inner>,
    seat: Seat,
}

impl Lease {
    fn own(inner: &Arc<Inner>, seat: Seat) -> Self {
        Self {
            inner: inner.clone(),
            seat,
        }
    }

    /// Where it stands, and what as.
    fn place(&self) -> (RenderedKey, Token) {
        (self.seat.key().clone(), self.seat.token())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.seat.leave() {
            let step = Step::Release(self.seat.token());
            self.inner.step_in_background(self.seat.key(), step);
        }
    }
}

/// Runs one call. `body` is polled at most from here, never spawned; it runs at most once.
///
/// # Cancel safety
///
/// As [`Next::with`].
pub(crate) async fn read_through<R, S, C, D, F>(
    mut call: Call<'_>,
    sharing: C,
    storing: impl Selects<R::Value>,
    body: impl Future<Output = R>,
) -> R
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    D: Codec,
    F: Form,
{
    let looked = match call.first_look::<R, S, D, F>(&storing).await {
        Ok(value) => {
            return match call.to_verify {
                None => value,
                Some(token) => Box::pin(verified(call, value, token, body)).await,
            };
        }
        Err(looked) => looked,
    };
    // Boxed: what a hit does not need is several times as large.
    Box::pin(async move {
        let next = prepare::<R, S, C, D, F, _>(call, looked, sharing, storing).await;
        next.with::<S, D, F>(body).await
    })
    .await
}

impl Call<'_> {
    /// The value, if it is at hand; what was found, if that is of use.
    async fn first_look<R, S, D, F>(
        &mut self,
        storing: &impl Selects<R::Value>,
    ) -> Result<R, Option<Looked>>
    where
        R: Outcome<S, Value: CacheValue>,
        D: Codec,
        F: Form,
    {
        if self.asked != Asked::Nothing {
            return Err(None);
        }
        match self.look().await {
            Ok(Reply::Hit(token, payload)) => {
                self.hit::<R, S, D, F>(token, &payload, storing).ok_or(None)
            }
            looked => Err(Some(looked)),
        }
    }
}

/// Goes on after a first look, or as something was asked for, up to the body.
async fn prepare<R, S, C, D, F, W>(
    call: Call<'_>,
    looked: Option<Looked>,
    sharing: C,
    storing: W,
) -> Next<'_, R, C, W>
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    W: Selects<R::Value>,
    D: Codec,
    F: Form,
{
    if call.asked == Asked::Nothing {
        load_or_wait::<R, S, C, D, F, W>(call, looked, sharing, storing).await
    } else {
        controlled::as_asked::<R, S, C, D, F, W>(call, sharing, storing).await
    }
}

/// Goes on after a first look. To a call that comes here, a value which is held for a load that fails is as good as absent.
async fn load_or_wait<R, S, C, D, F, W>(
    mut call: Call<'_>,
    mut looked: Option<Looked>,
    sharing: C,
    storing: W,
) -> Next<'_, R, C, W>
where
    R: Outcome<S, Value: CacheValue>,
    C: ErrorSharing<R::Error>,
    W: Selects<R::Value>,
    D: Codec,
    F: Form,
{
    let then = loop {
        match call
            .wait::<R, S, C, D, F>(looked.take(), &sharing, &storing)
            .await
        {
            Waited::Answer(value) => return Next::Answer(value),
            Waited::Held(_, token) => call.unreadable = Some(token),
            Waited::Load(count, to) => break (Some(count), to),
        }
    };
    Next::Load(Box::new(Loading::begin(call, sharing, storing, then).await))
}

/// What a call has come to that has waited for its turn.
#[allow(clippy::large_enum_variant, reason = "taken apart at once")]
enum Waited<R> {
    /// This value.
    Answer(R),
    /// One to be returned if a load fails.
    Held(R, Token),
    /// Its body is needed. What it counts as then, and what is done with what the body brings.
    Load(Count, To),
}

impl Call<'_> {
    /// Waits for a value, or for the turn to load it.
    async fn wait<R, S, C, D, F>(
        &mut self,
        mut looked: Option<Looked>,
        sharing: &C,
        storing: &impl Selects<R::Value>,
    ) -> Waited<R>
    where
        R: Outcome<S, Value: CacheValue>,
        C: ErrorSharing<R::Error>,
        D: Codec,
        F: Form,
    {
        loop {
            let reason = match self.next(looked.take()).await {
                Turn::Hit(token, payload) => match self.see().await {
                    Err(reason) => reason,
                    Ok(()) => match self.find::<R, S, D, F>(token, &payload, storing) {
                        Some((value, Freshness::Held)) => return Waited::Held(value, token),
                        Some((value, freshness)) => {
                            self.counted.ends_as(aging::count_of(freshness));
                            return Waited::Answer(value);
                        }
                        None => continue,
                    },
                },
                Turn::Landed(landing) => {
                    let shared = match &landing {
                        // It joined by the lease, which a tag's invalidation leaves as it is: the tags are to be read now.
                        Landing::Value(payload) if self.see().await.is_ok() => {
                            match self.open::<_, D, F>(payload) {
                                Ok((value, _)) => R::from_stored(value),
                                Err(Useless::Unreadable) => None,
                                // Not alone, but with the others who waited in vain: one of them is to load.
                                Err(Useless::Outdated) => {
                                    self.pause().await;
                                    continue;
                                }
                            }
                        }
                        Landing::Failed(Some(error)) => sharing.restore(error).map(R::from_error),
                        Landing::Value(_) | Landing::Failed(None) | Landing::Moved => None,
                    };
                    if let Some(value) = shared {
                        self.counted.ends_as(Count::joins);
                        return Waited::Answer(value);
                    }
                    Count::bypasses_failed
                }
                Turn::Lead(lease) => return Waited::Load(Count::misses, To::Fill(lease)),
                Turn::Alone(reason) => reason,
            };
            return Waited::Load(reason, To::Return);
        }
    }
}
