//! A stampede of one process among several, on a shared cold key.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use cache_runtime::cached;
use tokio::task::JoinSet;

/// How long a load takes.
pub const BODY: Duration = Duration::from_millis(50);

static RUNS: AtomicUsize = AtomicUsize::new(0);

#[cached(key = "stampede:<id>", ttl = "1h")]
async fn slow(id: u64) -> Arc<str> {
    RUNS.fetch_add(1, Ordering::SeqCst);
    tokio::time::sleep(BODY).await;
    id.to_string().into()
}

/// What a process takes part with: says `ready`, waits for a line, and calls one cold key `callers` times at once.
pub async fn take_part(callers: usize) {
    // Connected before the start, as a service under load is.
    slow(0).await;
    RUNS.store(0, Ordering::SeqCst);
    println!("ready");
    std::io::stdin()
        .read_line(&mut String::new())
        .expect("the start");

    let started = Instant::now();
    let tasks: JoinSet<_> = (0..callers).map(|_| async { slow(1).await }).collect();
    let values = tasks.join_all().await;
    let slowest = started.elapsed().as_millis();
    assert!(values.iter().all(|value| &**value == "1"), "a wrong value");
    println!("{} {slowest}", RUNS.load(Ordering::SeqCst));
}

/// What came of a stampede.
#[derive(Debug)]
pub struct Outcome {
    /// How often the body ran in each process.
    pub runs: Vec<usize>,
    /// How long the slowest caller of all waited, in milliseconds.
    pub slowest_ms: u128,
}

/// Starts the processes, lets them go at once, and collects.
pub fn direct(commands: impl IntoIterator<Item = Command>) -> Outcome {
    let mut processes: Vec<(Child, BufReader<ChildStdout>)> = commands
        .into_iter()
        .map(|mut command| {
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.spawn().expect("a process");
            let output = child.stdout.take().expect("its output");
            (child, BufReader::new(output))
        })
        .collect();
    let mut line = String::new();
    for (_, output) in &mut processes {
        line.clear();
        output.read_line(&mut line).expect("a line");
        assert_eq!(line.trim(), "ready");
    }
    for (child, _) in &mut processes {
        let mut input = child.stdin.take().expect("its input");
        input.write_all(b"go\n").expect("to start it");
    }
    let mut outcome = Outcome {
        runs: Vec::new(),
        slowest_ms: 0,
    };
    for (child, output) in &mut processes {
        line.clear();
        output.read_line(&mut line).expect("a line");
        let (runs, slowest) = line.trim().split_once(' ').expect("two numbers");
        outcome.runs.push(runs.parse().expect("a number"));
        outcome.slowest_ms = outcome.slowest_ms.max(slowest.parse().expect("a number"));
        assert!(child.wait().expect("its end").success());
    }
    outcome
}
