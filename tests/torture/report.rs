//! What is printed at the end.

use crate::check::{Checker, Figures, Promise, Violation};
use crate::clock::Moment;

/// Prints what broke a promise, if anything did, and the line of figures.
pub(crate) fn print(checker: &Checker) {
    for violation in checker.violations() {
        print_violation(violation, checker.start());
    }
    println!("{}", figures(checker.figures()));
}

/// The line of figures.
pub(crate) fn figures(figures: Figures) -> String {
    let Figures {
        calls,
        hits,
        local,
        loads,
        invalidations,
        faults,
        dropped,
        killed,
        refused,
        calm,
        doubled,
        stale,
        late,
        wrong,
        errors,
        lost,
    } = figures;
    format!(
        "calls={calls} hits={hits} local_hits={local} loads={loads} invalidations={invalidations} faults={faults} dropped={dropped} \
         killed={killed} refused={refused} calm_loads={calm} doubled={doubled} stale={stale} late={late} wrong={wrong} \
         errors={errors} lost={lost}"
    )
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
