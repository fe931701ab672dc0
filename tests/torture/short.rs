//! The torture run, short: nothing is broken in twenty seconds of faults, and a rule that is broken is found. Longer runs, and
//! the other mutants, are started by hand: see `main.rs`.

use std::process::{Command, Output};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One run at a time: both would have the whole machine.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn torture(args: &[&str]) -> (Option<i32>, String) {
    let Output { status, stdout, .. } = Command::new(env!("CARGO_BIN_EXE_torture"))
        .args(args)
        .output()
        .expect("the torture run");
    let printed = String::from_utf8_lossy(&stdout).into_owned();
    println!("{printed}");
    (status.code(), printed)
}

#[test]
fn no_promise_is_broken_in_twenty_seconds_of_faults() {
    let _turn = turn();
    let (code, printed) = torture(&["--seconds", "20", "--seed", "1"]);
    assert_eq!(code, Some(0), "a promise is broken");
    let figures = printed.lines().last().expect("a line of figures");
    assert!(
        figures.ends_with("doubled=0 stale=0 late=0 wrong=0 errors=0 lost=0 miscounted=0"),
        "{figures}"
    );
    let counted = figures.split(" counted=").nth(1).expect("a figure");
    let counted = counted.split(' ').next().unwrap_or_default();
    let counted: u64 = counted.parse().expect("a number");
    assert!(counted > 1000, "some workers have counted: {figures}");
}

/// A run that could not fail would show nothing.
#[test]
fn a_broken_rule_is_found() {
    let _turn = turn();
    let (code, printed) = torture(&["--break", "fill-without-compare"]);
    assert_eq!(code, Some(1), "it is not found");
    assert!(printed.contains("broken: "), "and shown");
    // An old value is counted by whoever reads it first: from the store, or from the local tier.
    let figures = printed.lines().last().expect("a line of figures");
    assert!(
        !figures.contains(" stale=0 late=0 "),
        "as what it is: {figures}"
    );
}

/// Nor would a comparison of two numbers that is never made.
#[test]
fn a_call_that_is_counted_twice_is_found() {
    let _turn = turn();
    let (code, printed) = torture(&["--break", "counted-twice"]);
    assert_eq!(code, Some(1), "it is not found");
    let figures = printed.lines().last().expect("a line of figures");
    assert!(!figures.ends_with(" miscounted=0"), "{figures}");
}
