//! What is asked for, and how often: a mix of reads and writes, some users more often than others.

use std::time::Duration;

use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::rngs::StdRng;
use rand_distr::{Exp1, Zipf};

/// A kind of request, in the order of the mix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ReadUser,
    ReadDashboard,
    ReadSession,
    ReadSettings,
    RenameUser,
    PlaceOrder,
    UpdateSettings,
    /// Log in again and log the older session out.
    Relogin,
}

/// The reads in proportion to each other, then the writes.
const READS: [(Operation, f64); 4] = [
    (Operation::ReadUser, 40.0),
    (Operation::ReadDashboard, 35.0),
    (Operation::ReadSession, 15.0),
    (Operation::ReadSettings, 8.0),
];
const WRITES: [(Operation, f64); 4] = [
    (Operation::RenameUser, 40.0),
    (Operation::PlaceOrder, 25.0),
    (Operation::UpdateSettings, 10.0),
    (Operation::Relogin, 25.0),
];

/// Draws operations and users.
#[derive(Clone, Debug)]
pub(crate) struct Workload {
    operations: Vec<Operation>,
    mix: WeightedIndex<f64>,
    popularity: Zipf<f64>,
    think_time: Duration,
}

impl Workload {
    pub(crate) fn new(
        users: u32,
        exponent: f64,
        write_share: f64,
        think_time: Duration,
    ) -> anyhow::Result<Self> {
        let reads = scaled(&READS, 1.0 - write_share);
        let writes = scaled(&WRITES, write_share);
        let (operations, weights): (Vec<_>, Vec<_>) = reads.chain(writes).unzip();
        Ok(Self {
            operations,
            mix: WeightedIndex::new(weights)?,
            popularity: Zipf::new(f64::from(users), exponent)?,
            think_time,
        })
    }

    /// The next operation and the rank of the user it is about, 0 for the most popular.
    pub(crate) fn next(&self, random: &mut StdRng) -> (Operation, usize) {
        let operation = self.operations[self.mix.sample(random)];
        let rank = self.popularity.sample(random);
        // A whole number from 1 to the number of users, see `Zipf`.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (operation, rank as usize - 1)
    }

    /// How long a user takes from an answer to the next request: independent of all before, so exponentially
    /// distributed.
    pub(crate) fn think_time(&self, random: &mut StdRng) -> Duration {
        let factor: f64 = Exp1.sample(random);
        self.think_time.mul_f64(factor)
    }
}

fn scaled(mix: &[(Operation, f64)], share: f64) -> impl Iterator<Item = (Operation, f64)> {
    let total: f64 = mix.iter().map(|(_, weight)| weight).sum();
    mix.iter()
        .map(move |&(operation, weight)| (operation, weight / total * share))
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_same_seed_draws_the_same() -> anyhow::Result<()> {
        let workload = Workload::new(100, 1.0, 0.02, Duration::ZERO)?;
        let draw = || {
            let mut random = StdRng::seed_from_u64(7);
            (0..1_000)
                .map(|_| workload.next(&mut random))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(), draw());
        Ok(())
    }

    #[test]
    fn it_keeps_to_the_shares_and_the_users() -> anyhow::Result<()> {
        let workload = Workload::new(100, 1.0, 0.5, Duration::ZERO)?;
        let mut random = StdRng::seed_from_u64(7);
        let drawn: Vec<_> = (0..10_000).map(|_| workload.next(&mut random)).collect();
        assert!(drawn.iter().all(|(_, rank)| *rank < 100));
        let reads = drawn
            .iter()
            .filter(|(operation, _)| READS.iter().any(|(read, _)| read == operation))
            .count();
        assert!((4_700..5_300).contains(&reads), "{reads}");
        let first = drawn.iter().filter(|(_, rank)| *rank == 0).count();
        let tenth = drawn.iter().filter(|(_, rank)| *rank == 9).count();
        assert!(first > 5 * tenth, "{first} {tenth}");
        Ok(())
    }

    #[test]
    fn think_times_have_the_mean_asked_for() -> anyhow::Result<()> {
        let workload = Workload::new(1, 0.0, 0.0, Duration::from_millis(20))?;
        let mut random = StdRng::seed_from_u64(7);
        let sum: Duration = (0..1_000).map(|_| workload.think_time(&mut random)).sum();
        assert!((18..22).contains(&(sum / 1_000).as_millis()), "{sum:?}");

        let workload = Workload::new(1, 0.0, 0.0, Duration::ZERO)?;
        assert_eq!(workload.think_time(&mut random), Duration::ZERO);
        Ok(())
    }

    #[test]
    fn it_can_do_without_writes() -> anyhow::Result<()> {
        let workload = Workload::new(1, 0.0, 0.0, Duration::ZERO)?;
        let mut random = StdRng::seed_from_u64(7);
        assert!((0..1_000).all(|_| {
            let (operation, rank) = workload.next(&mut random);
            rank == 0 && READS.iter().any(|(read, _)| *read == operation)
        }));
        Ok(())
    }
}
