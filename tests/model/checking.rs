//! How a model is explored to its end, and how a counterexample is told.

use std::hash::Hash;

use stateright::{Checker, HasDiscoveries, Model, Path};

/// A model whose paths can be told.
pub(crate) trait Tale:
    Model<State: Clone + Hash + PartialEq + Send + Sync + 'static, Action: Clone + PartialEq>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// Tells a path, numbered, with what has become of the world after each action.
    fn tell(&self, path: Path<Self::State, Self::Action>) -> String;
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
