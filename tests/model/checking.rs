//! How a model is explored to its end, and how a counterexample is told.

use std::fmt::{Debug, Display};
use std::hash::Hash;
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Path};

/// A model whose paths can be told.
pub(crate) trait Tale:
    Model<
        State: Clone + Debug + Hash + PartialEq + Send + Sync + 'static,
        Action: Clone + Debug + PartialEq,
    > + Clone
    + Send
    + Sync
    + 'static
{
    /// Who takes part.
    fn cast(&self) -> &impl Display;

    /// The same, asked another question.
    fn asked(&self, question: Question) -> Self;

    /// Tells a path, numbered, with what has become of the world after each action.
    fn tell(&self, path: Path<Self::State, Self::Action>) -> String;
}

/// What is asked of the checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// Whether every state keeps the promises.
    Promises,
    /// Whether what ought to happen happens in some state: a world in which nothing does keeps every promise.
    Examples,
}

/// Explores models to their end.
pub(crate) fn explore<M: Tale>(models: impl IntoIterator<Item = M>) {
    for model in models {
        let examples = model.asked(Question::Examples);
        examples.checker().spawn_bfs().join().assert_properties();
        let begun = Instant::now();
        match check(&model) {
            Ok(states) => println!("{}: {states} states, {:.1?}", model.cast(), begun.elapsed()),
            Err(Refutation { promise, told, .. }) => {
                panic!("{} breaks {promise}:\n{told}", model.cast())
            }
        }
    }
}

/// Looks among models with a rule broken for one that breaks a promise.
pub(crate) fn is_refuted(name: &str, models: impl IntoIterator<Item = impl Tale>) -> bool {
    for model in models {
        if let Err(Refutation {
            promise,
            actions,
            told,
        }) = check(&model)
        {
            let cast = model.cast();
            println!("{name}: refuted by {cast} in {actions} actions, {promise}\n{told}");
            return true;
        }
    }
    println!("{name}: survives");
    false
}

/// The shortest way to break a promise.
pub(crate) struct Refutation {
    pub(crate) promise: &'static str,
    pub(crate) actions: usize,
    pub(crate) told: String,
}

/// Looks at every state of `model`, up to one that breaks a promise. `Ok` with their number.
pub(crate) fn check(model: &impl Tale) -> Result<usize, Refutation> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let checker = model.clone().checker().threads(cores);
    let checker = checker
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_bfs()
        .join();
    match checker.discoveries().into_iter().next() {
        None => Ok(checker.unique_state_count()),
        Some((promise, path)) => Err(shortest(model, promise, path)),
    }
}

/// The checker goes by breadth, but of a block of states it keeps what it found last.
fn shortest<M: Tale>(
    model: &M,
    promise: &'static str,
    path: Path<M::State, M::Action>,
) -> Refutation {
    let actions = path.clone().into_actions().len();
    let shallower = model.clone().checker().target_max_depth(actions + 1);
    match shallower
        .spawn_bfs()
        .join()
        .discoveries()
        .into_iter()
        .next()
    {
        Some((promise, path)) => shortest(model, promise, path),
        None => Refutation {
            promise,
            actions,
            told: model.tell(path),
        },
    }
}
