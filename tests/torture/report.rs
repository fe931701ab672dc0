//! What is printed at the end.

use crate::check::Checker;
use crate::clock::Moment;
use crate::violation::{Promise, Violation};

/// Prints what broke a promise, if anything did, and the line of figures.
pub(crate) fn print(checker: &Checker) {
    for violation in checker.violations() {
        print_violation(violation, checker.start());
    }
    println!("{}", checker.figures());
}

fn print_violation(violation: &Violation, start: Moment) {
    let promise = match violation.promise {
        Promise::Doubled => "one load per key",
        Promise::Stale => "no stale read after an invalidation",
        Promise::Late => {
            "an older value no longer than its local_ttl, and never by the process that invalidated"
        }
        Promise::Wrong => "no wrong value",
        Promise::Error => "the cache never breaks the caller",
        Promise::Lost => "no lost invalidation",
        Promise::Miscounted => "each call is counted once",
    };
    println!("broken: {promise}: {}", violation.what);
    println!("{:>12}  {:>12}  {:<10}  what", "from (s)", "to (s)", "who");
    let seconds = |at: Moment| format!("{:.6}", at.since(start).as_secs_f64());
    for line in &violation.lines {
        println!(
            "{:>12}  {:>12}  {:<10}  {}",
            seconds(line.from),
            line.to.map(seconds).unwrap_or_default(),
            line.who,
            line.what
        );
    }
    println!();
}
