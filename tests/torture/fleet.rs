//! The worker processes, and their restarts.

use std::io;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::BufReader;
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::check::Checker;
use crate::clock::Moment;
use crate::knobs::DELIVERY;
use crate::lines;
use crate::mutants::Fault;
use crate::proxy::Line;
use crate::record::{Command, Process, Record};

/// The checker, as the tasks of the controller share it.
#[derive(Clone, Debug)]
pub(crate) struct Court(Arc<Mutex<Checker>>);

impl Court {
    pub(crate) fn new(checker: Checker) -> Self {
        Self(Arc::new(Mutex::new(checker)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Checker> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all workers are told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Orders {
    pub(crate) seed: u64,
    pub(crate) database: u16,
    pub(crate) fault: Option<Fault>,
}

/// All workers.
#[derive(Debug)]
pub(crate) struct Fleet {
    court: Court,
    orders: Orders,
    lines: Vec<Line>,
    workers: Vec<Worker>,
    started: u32,
}

/// One worker process. Ends with its input, and so with the controller.
#[derive(Debug)]
struct Worker {
    process: Process,
    child: Child,
    input: ChildStdin,
    /// What it says of itself; its calls go to the court.
    told: mpsc::UnboundedReceiver<Record>,
    listening: JoinHandle<()>,
}

impl Fleet {
    pub(crate) fn start(court: Court, orders: Orders, lines: Vec<Line>) -> io::Result<Self> {
        let mut fleet = Self {
            court,
            orders,
            lines,
            workers: Vec::new(),
            started: 0,
        };
        for at in 0..fleet.lines.len() {
            let worker = fleet.spawn(at)?;
            fleet.workers.push(worker);
        }
        Ok(fleet)
    }

    pub(crate) fn line(&self, worker: usize) -> &Line {
        &self.lines[worker]
    }

    /// Tells a worker something. One that has died is found by [`tend`](Self::tend).
    pub(crate) async fn command(&mut self, worker: usize, command: Command) {
        let _ = lines::write(&mut self.workers[worker].input, &[command]).await;
    }

    /// Waits for the death of a worker that was told to die, and starts another in its place. `false` if it lives on.
    pub(crate) async fn replace_dead(&mut self, at: usize, limit: Duration) -> io::Result<bool> {
        let Ok(status) = tokio::time::timeout(limit, self.workers[at].child.wait()).await else {
            return Ok(false);
        };
        status?;
        self.bury(at).await?;
        Ok(true)
    }

    /// Looks whether a worker has died by itself, which is an error, and starts another in its place.
    pub(crate) async fn tend(&mut self) -> io::Result<()> {
        for at in 0..self.workers.len() {
            if let Some(status) = self.workers[at].child.try_wait()? {
                let process = self.workers[at].process;
                let what = format!("worker {} died by itself: {status}", process.0);
                self.court.lock().error(process, Moment::now(), what);
                self.bury(at).await?;
            }
        }
        Ok(())
    }

    async fn bury(&mut self, at: usize) -> io::Result<()> {
        let death = Moment::now();
        let process = self.workers[at].process;
        // All that it has told is heard before it is dead.
        let _ = (&mut self.workers[at].listening).await;
        self.court.lock().died(process, death);
        self.workers[at] = self.spawn(at)?;
        Ok(())
    }

    /// Stops all calls, waits until everything is delivered, and reads every key in every worker once more.
    pub(crate) async fn review(&mut self, rest: Duration) {
        for at in 0..self.workers.len() {
            self.command(at, Command::Rest).await;
        }
        for at in 0..self.workers.len() {
            let told = self
                .hear(at, |record| matches!(record, Record::Quiet { .. }))
                .await;
            let process = self.workers[at].process;
            let Some(Record::Quiet {
                undelivered,
                begun,
                counted,
            }) = told
            else {
                self.silent(process);
                continue;
            };
            let mut court = self.court.lock();
            if undelivered > 0 {
                court.never_delivered(process, undelivered, Moment::now());
            }
            court.counted(process, begun, counted, Moment::now());
        }
        // Fences that were left standing expire.
        tokio::time::sleep(rest).await;
        for at in 0..self.workers.len() {
            self.command(at, Command::Review).await;
            let told = self
                .hear(at, |record| matches!(record, Record::Reviewed))
                .await;
            if told.is_none() {
                self.silent(self.workers[at].process);
            }
        }
    }

    fn silent(&self, process: Process) {
        let what = format!("worker {} does not come to rest", process.0);
        self.court.lock().error(process, Moment::now(), what);
    }

    /// Waits for what a worker says of itself.
    async fn hear(&mut self, at: usize, is_it: impl Fn(&Record) -> bool) -> Option<Record> {
        let told = &mut self.workers[at].told;
        tokio::time::timeout(DELIVERY * 2, async {
            while let Some(record) = told.recv().await {
                if is_it(&record) {
                    return Some(record);
                }
            }
            None
        })
        .await
        .ok()
        .flatten()
    }

    /// Ends all workers.
    pub(crate) async fn stop(self) -> io::Result<()> {
        for worker in self.workers {
            let Worker {
                mut child,
                input,
                listening,
                ..
            } = worker;
            drop(input);
            child.wait().await?;
            let _ = listening.await;
        }
        Ok(())
    }

    fn spawn(&mut self, at: usize) -> io::Result<Worker> {
        self.started += 1;
        let process = Process(self.started);
        let mut command = tokio::process::Command::new(std::env::current_exe()?);
        command
            .arg("worker")
            .args(["--process", &process.0.to_string()])
            .args(["--seed", &self.orders.seed.to_string()])
            .args(["--redis", &self.lines[at].port().to_string()])
            .args(["--database", &self.orders.database.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(fault) = self.orders.fault {
            command.args(["--fault", fault.name()]);
        }
        self.court.lock().born(process, Moment::now());
        let mut child = command.spawn()?;
        let no_pipe = || io::Error::other("a worker without a pipe");
        let input = child.stdin.take().ok_or_else(no_pipe)?;
        let output = child.stdout.take().ok_or_else(no_pipe)?;
        let (to_tell, told) = mpsc::unbounded_channel();
        Ok(Worker {
            process,
            child,
            input,
            told,
            listening: tokio::spawn(listen(self.court.clone(), process, output, to_tell)),
        })
    }
}

/// Hands what a worker tells to the court, until it ends.
async fn listen(
    court: Court,
    process: Process,
    output: ChildStdout,
    to_tell: mpsc::UnboundedSender<Record>,
) {
    let (mut output, mut line) = (BufReader::new(output), Vec::new());
    while let Ok(Some(record)) = lines::read::<Record>(&mut output, &mut line).await {
        if matches!(record, Record::Quiet { .. } | Record::Reviewed) {
            // The fleet may have stopped waiting.
            let _ = to_tell.send(record);
        } else {
            court.lock().record(process, record);
        }
    }
}
