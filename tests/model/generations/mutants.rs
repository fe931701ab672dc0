//! The check of the checker: the protocol with one rule broken at a time.

use super::protocol::Habit;

/// The protocol with a rule broken.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) habit: Habit,
}

const fn mutant(name: &'static str, habit: Habit) -> Mutant {
    Mutant { name, habit }
}

/// Each breaks a promise.
pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "a mutation does not ask for the record",
        Habit::WriteUnasked,
    ),
    mutant("a mutation asks before it commits", Habit::AskEarly),
    mutant("a mutation does its step once", Habit::WriteOnce),
    mutant("a mutation does not wait", Habit::WriteHasty),
    mutant("a lost record says nothing new", Habit::GoneHolds),
    mutant(
        "a mutation waits by what is known of another generation",
        Habit::WaitForAnother,
    ),
    mutant("SETTLE is no longer than TRUST", Habit::SettleShort),
    mutant("trust is counted from the answer", Habit::TrustFromAnswer),
    mutant("a reader trusts for ever", Habit::TrustForever),
    mutant("a reader does its step once", Habit::ReadOnce),
    mutant(
        "a lost record is made anew with an older generation",
        Habit::MakeOlder,
    ),
    mutant("a record is made settled", Habit::MakeSettled),
    mutant("any record is marked as settled", Habit::MarkAny),
    mutant("a move of the epoch does not wait", Habit::MoveHasty),
];

/// Each breaks a rule that is not needed here: whatever stands in the slots of a generation whose record was lost has been
/// invalidated there all the while. The rule is for what this model leaves out, a server whose slots are older than that.
pub(crate) const SPARE: &[Mutant] = &[mutant(
    "a lost record is made anew as it was",
    Habit::MakeLatest,
)];
