//! The protocol: one key, one slot, four states, as one pure function.
//!
//! All truth about a key lies in its slot, and every step is atomic on it. The embedded store runs [`apply`] itself;
//! the scripts of the Redis store are tested against it with random histories. Why each cell is as it is stands in the
//! [guide on the protocol](crate::guide::protocol).
//!
//! ```
//! use cache_runtime::slot::{Reply, Slot, Step, Token, apply};
//!
//! let lease = Token::next();
//! let (slot, _) = apply(Slot::Empty, Step::Acquire { lease, over: None });
//! let (slot, _) = apply(slot, Step::Invalidate);
//! // The load that began before the invalidation ends after it: its value is old, and not stored.
//! let (slot, reply) = apply(slot, Step::Fill(lease, "old"));
//! assert_eq!((slot, reply), (Slot::Empty, Reply::Refused));
//! ```
//!
//! Time is no part of the table: a slot may become empty at any moment, by expiry or eviction, which is
//! [`Step::Expire`]. No step depends on that not happening.

pub use crate::token::Token;

/// What stands under a key.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Slot<V> {
    /// Nothing.
    #[default]
    Empty,
    /// A value, and the token it was stored with.
    Value(Token, V),
    /// The right of one loader to fill this slot.
    Lease(Token),
    /// Mutations of this key are under way: read past the cache, do not fill.
    Fence(Fence),
}

/// The mutations of a key that are under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    tokens: Vec<Token>,
    tainted: bool,
}

impl Fence {
    /// How many mutations of one key a fence holds. At the bound the oldest is forgotten: it is most likely dead. One that
    /// lives is noted again when it is next held, and until then a crash of it is not covered.
    pub const MAX_TOKENS: usize = 256;

    /// A fence of one mutation.
    #[must_use]
    pub fn new(token: Token, tainted: bool) -> Self {
        Self {
            tokens: vec![token],
            tainted,
        }
    }

    /// A fence as read from a store.
    #[must_use]
    pub fn from_parts(tokens: Vec<Token>, tainted: bool) -> Self {
        Self { tokens, tainted }
    }

    /// The mutations under way, oldest first.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether another mutation or an invalidation overlapped, so that nobody may store what he wrote.
    #[must_use]
    pub const fn is_tainted(&self) -> bool {
        self.tainted
    }

    fn with(mut self, token: Token) -> Self {
        if self.tokens.len() == Self::MAX_TOKENS {
            self.tokens.remove(0);
        }
        self.tokens.push(token);
        self
    }

    fn tainted(mut self) -> Self {
        self.tainted = true;
        self
    }

    /// The slot that is left when `token` is through.
    fn without<V>(mut self, token: Token) -> Slot<V> {
        self.tokens.retain(|t| *t != token);
        if self.tokens.is_empty() {
            Slot::Empty
        } else {
            Slot::Fence(self.tainted())
        }
    }
}

/// One atomic step on a slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<V> {
    /// Looks.
    Read,
    /// Takes the lease, if the slot is empty. `over` names a value that the caller has read and cannot use
    /// (another type or version): it may be replaced as if it were absent, but only that one.
    Acquire {
        /// The new lease.
        lease: Token,
        /// The value that may be replaced.
        over: Option<Token>,
    },
    /// Asks whether the lease still stands, and lets it live on.
    Renew(Token),
    /// Stores a loaded value, if the lease still stands.
    Fill(Token, V),
    /// Replaces the value `token` by a newer one, stored as `next`.
    Refresh {
        /// The value that was read before the load.
        token: Token,
        /// The token of the new value.
        next: Token,
        /// The new value.
        value: V,
    },
    /// Gives the lease back after a load that stored nothing.
    Release(Token),
    /// Drops whatever was loaded before now.
    Invalidate,
    /// Announces a mutation, before it begins.
    Raise(Token),
    /// Lets the announcement live on while the mutation runs. One that got lost is raised again, tainted.
    Hold(Token),
    /// Ends a mutation.
    Lower(Token),
    /// Ends a mutation and stores what it wrote, if no other overlapped.
    Put(Token, V),
    /// Expiry or eviction.
    Expire,
}

impl<V> Step<V> {
    /// What it is called.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Acquire { .. } => "acquire",
            Self::Renew(_) => "renew",
            Self::Fill(..) => "fill",
            Self::Refresh { .. } => "refresh",
            Self::Release(_) => "release",
            Self::Invalidate => "invalidate",
            Self::Raise(_) => "raise",
            Self::Hold(_) => "hold",
            Self::Lower(_) => "lower",
            Self::Put(..) => "put",
            Self::Expire => "expire",
        }
    }
}

/// What a step found or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<V> {
    /// The slot is empty.
    Miss,
    /// A value.
    Hit(Token, V),
    /// Somebody holds this lease.
    Leased(Token),
    /// A mutation is under way.
    Fenced,
    /// The lease is the caller's.
    Granted,
    /// Done, and for a fill, a refresh or a put: stored.
    Done,
    /// Not done: the slot has moved on.
    Refused,
}

impl<V> Step<V> {
    /// The value that it stores.
    #[cfg(feature = "redis")]
    pub(crate) fn value(&self) -> Option<&V> {
        match self {
            Self::Fill(_, value) | Self::Refresh { value, .. } | Self::Put(_, value) => Some(value),
            Self::Read
            | Self::Acquire { .. }
            | Self::Renew(_)
            | Self::Release(_)
            | Self::Invalidate
            | Self::Raise(_)
            | Self::Hold(_)
            | Self::Lower(_)
            | Self::Expire => None,
        }
    }

    /// The same step with its value, if it has one, turned into another.
    pub fn map<W>(self, turn: impl FnOnce(V) -> W) -> Step<W> {
        match self {
            Self::Fill(lease, value) => Step::Fill(lease, turn(value)),
            Self::Refresh { token, next, value } => Step::Refresh {
                token,
                next,
                value: turn(value),
            },
            Self::Put(token, value) => Step::Put(token, turn(value)),
            Self::Read => Step::Read,
            Self::Acquire { lease, over } => Step::Acquire { lease, over },
            Self::Renew(lease) => Step::Renew(lease),
            Self::Release(lease) => Step::Release(lease),
            Self::Invalidate => Step::Invalidate,
            Self::Raise(token) => Step::Raise(token),
            Self::Hold(token) => Step::Hold(token),
            Self::Lower(token) => Step::Lower(token),
            Self::Expire => Step::Expire,
        }
    }
}

impl<V> Reply<V> {
    /// The same reply with its value, if it has one, turned into another.
    pub fn map<W>(self, turn: impl FnOnce(V) -> W) -> Reply<W> {
        match self {
            Self::Hit(token, value) => Reply::Hit(token, turn(value)),
            Self::Miss => Reply::Miss,
            Self::Leased(token) => Reply::Leased(token),
            Self::Fenced => Reply::Fenced,
            Self::Granted => Reply::Granted,
            Self::Done => Reply::Done,
            Self::Refused => Reply::Refused,
        }
    }
}

/// Carries out `step` on `slot`: the slot afterwards, and the reply.
#[allow(
    clippy::match_same_arms,
    reason = "a row for each step, as in the table"
)]
pub fn apply<V: Clone>(slot: Slot<V>, step: Step<V>) -> (Slot<V>, Reply<V>) {
    use Reply::{Done, Fenced, Granted, Hit, Leased, Miss, Refused};

    match (step, slot) {
        (Step::Read, slot) => {
            let reply = match &slot {
                Slot::Empty => Miss,
                Slot::Value(token, value) => Hit(*token, value.clone()),
                Slot::Lease(token) => Leased(*token),
                Slot::Fence(_) => Fenced,
            };
            (slot, reply)
        }

        (Step::Acquire { lease, .. }, Slot::Empty) => (Slot::Lease(lease), Granted),
        (
            Step::Acquire {
                lease,
                over: Some(over),
            },
            Slot::Value(token, _),
        ) if token == over => (Slot::Lease(lease), Granted),
        (Step::Acquire { .. }, slot) => apply(slot, Step::Read),

        (Step::Renew(lease), Slot::Lease(held)) if held == lease => (Slot::Lease(held), Done),
        (Step::Renew(_), slot) => (slot, Refused),

        // Compare-and-set, never set-if-absent: after an eviction, a flush or a restart the lease is gone,
        // and with it the knowledge whether an invalidation came in between.
        (Step::Fill(lease, value), Slot::Lease(held)) if held == lease => {
            (Slot::Value(lease, value), Done)
        }
        (Step::Fill(..), slot) => (slot, Refused),

        (Step::Refresh { token, next, value }, Slot::Value(held, _)) if held == token => {
            (Slot::Value(next, value), Done)
        }
        (Step::Refresh { .. }, slot) => (slot, Refused),

        (Step::Release(lease), Slot::Lease(held)) if held == lease => (Slot::Empty, Done),
        (Step::Release(_), slot) => (slot, Refused),

        // A plain delete would take the fence away: a crash after the commit then leaves what a reader filled meanwhile.
        (Step::Invalidate, Slot::Fence(fence)) => (Slot::Fence(fence.tainted()), Done),
        (Step::Invalidate, _) => (Slot::Empty, Done),

        (Step::Raise(token), Slot::Fence(fence)) => {
            (Slot::Fence(fence.with(token).tainted()), Done)
        }
        (Step::Raise(token), _) => (Slot::Fence(Fence::new(token, false)), Done),

        (Step::Hold(token), Slot::Fence(fence)) if fence.tokens.contains(&token) => {
            (Slot::Fence(fence), Done)
        }
        (Step::Hold(token), Slot::Fence(fence)) => (Slot::Fence(fence.with(token).tainted()), Done),
        // The fence was lost while its mutation runs: another may have come and gone in the gap, hence the taint.
        (Step::Hold(token), _) => (Slot::Fence(Fence::new(token, true)), Done),

        (Step::Lower(token), Slot::Fence(fence)) => (fence.without(token), Done),
        (Step::Lower(_), _) => (Slot::Empty, Done),

        (Step::Put(token, value), Slot::Fence(fence)) => {
            if fence.tokens == [token] && !fence.tainted {
                (Slot::Value(token, value), Done)
            } else {
                (fence.without(token), Refused)
            }
        }
        (Step::Put(..), _) => (Slot::Empty, Refused),

        (Step::Expire, _) => (Slot::Empty, Done),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(steps: impl IntoIterator<Item = Step<u32>>) -> (Slot<u32>, Vec<Reply<u32>>) {
        steps
            .into_iter()
            .fold((Slot::Empty, Vec::new()), |(slot, mut replies), step| {
                let (slot, reply) = apply(slot, step);
                replies.push(reply);
                (slot, replies)
            })
    }

    /// The race that other libraries lose.
    #[test]
    fn a_fill_after_an_invalidation_is_refused() {
        let lease = Token::next();
        let (slot, replies) = after([
            Step::Acquire { lease, over: None },
            Step::Invalidate,
            Step::Fill(lease, 1),
        ]);
        assert_eq!(slot, Slot::Empty);
        assert_eq!(replies[2], Reply::Refused);
    }

    #[test]
    fn a_fill_after_eviction_is_refused_even_if_the_slot_is_leased_anew() {
        let (old, new) = (Token::next(), Token::next());
        let (slot, replies) = after([
            Step::Acquire {
                lease: old,
                over: None,
            },
            Step::Expire,
            Step::Fill(old, 1),
            Step::Acquire {
                lease: new,
                over: None,
            },
            Step::Fill(old, 1),
            Step::Fill(new, 2),
        ]);
        assert_eq!(slot, Slot::Value(new, 2));
        assert_eq!(replies[2], Reply::Refused);
        assert_eq!(replies[4], Reply::Refused);
    }

    #[test]
    fn only_the_value_that_was_read_is_displaced() {
        let [a, b, c] = [Token::next(), Token::next(), Token::next()];
        let filled = [
            Step::Acquire {
                lease: a,
                over: None,
            },
            Step::Fill(a, 1),
        ];
        let (slot, replies) = after(filled.clone().into_iter().chain([Step::Acquire {
            lease: b,
            over: Some(c),
        }]));
        assert_eq!((slot, &replies[2]), (Slot::Value(a, 1), &Reply::Hit(a, 1)));
        let (slot, replies) = after(filled.into_iter().chain([Step::Acquire {
            lease: b,
            over: Some(a),
        }]));
        assert_eq!((slot, &replies[2]), (Slot::Lease(b), &Reply::Granted));
    }

    /// Without the taint, W1 commits first, W2 commits and lowers, and W1's older value stays.
    #[test]
    fn overlapping_write_throughs_store_nothing() {
        let (w1, w2) = (Token::next(), Token::next());
        for (first, second) in [(w1, w2), (w2, w1)] {
            let (slot, replies) = after([
                Step::Raise(w1),
                Step::Raise(w2),
                Step::Put(first, 1),
                Step::Put(second, 2),
            ]);
            assert_eq!(slot, Slot::Empty);
            assert_eq!(replies[2..], [Reply::Refused, Reply::Refused]);
        }
        let (slot, _) = after([Step::Raise(w1), Step::Put(w1, 1)]);
        assert_eq!(slot, Slot::Value(w1, 1));
    }

    #[test]
    fn an_invalidation_leaves_the_fence_standing_and_taints_it() {
        let fence = Token::next();
        let (slot, replies) = after([
            Step::Raise(fence),
            Step::Invalidate,
            Step::Read,
            Step::Put(fence, 1),
        ]);
        assert_eq!(replies[2], Reply::Fenced);
        assert_eq!(slot, Slot::Empty);
    }

    #[test]
    fn a_lost_fence_is_raised_again_tainted() {
        let fence = Token::next();
        let (slot, _) = after([Step::Raise(fence), Step::Expire, Step::Hold(fence)]);
        assert_eq!(slot, Slot::Fence(Fence::new(fence, true)));
        let (slot, _) = after([Step::Raise(fence), Step::Hold(fence)]);
        assert_eq!(slot, Slot::Fence(Fence::new(fence, false)));
    }

    #[test]
    fn a_fence_is_bounded() {
        let (slot, _) = after((0..=Fence::MAX_TOKENS).map(|_| Step::Raise(Token::next())));
        assert!(matches!(slot, Slot::Fence(fence) if fence.tokens().len() == Fence::MAX_TOKENS));
    }
}
