//! The database: a versioned register for each key, and the authority on what was committed when, also by workers that were
//! killed.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::clock::Moment;
use crate::keys::KeySet;
use crate::knobs::KEYS;
use crate::lines;
use crate::record::{Kind, Op};

/// A request of a worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Ask {
    Read { key: u64 },
    Write(Write),
}

/// A mutation as the database sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Write {
    pub(crate) op: Op,
    /// What it writes, all in one transaction.
    pub(crate) keys: KeySet,
    pub(crate) kind: Kind,
    /// When the annotated function was called.
    pub(crate) start: Moment,
    /// How long it is on its way: a caller who is dropped meanwhile does not stop it.
    pub(crate) on_its_way: Duration,
    pub(crate) fate: Fate,
}

/// What becomes of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Fate {
    Commit,
    /// The caller is told that it failed; it commits all the same, as when a connection breaks after `COMMIT` was sent.
    CommitAfterFailing,
    /// It fails, and does not commit.
    Fail,
    /// It commits, and its process is killed before it is told.
    CommitAndKill,
}

/// A mutation that happened, to one of its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) write: Write,
    pub(crate) key: u64,
    pub(crate) version: u64,
    pub(crate) at: Moment,
}

#[derive(Debug, Serialize, Deserialize)]
struct Request {
    id: u64,
    ask: Ask,
}

#[derive(Debug, Serialize, Deserialize)]
struct Answer {
    id: u64,
    /// `None` if it failed.
    version: Option<u64>,
}

/// Who is told of each commit, before anyone can see it.
pub(crate) type OnCommit = dyn Fn(Commit) + Send + Sync;

/// The server's side.
pub(crate) struct Server {
    versions: Vec<Mutex<u64>>,
    on_commit: Box<OnCommit>,
}

impl Server {
    /// Listens on a free port, which it returns, for as long as the runtime lives.
    pub(crate) async fn start(on_commit: Box<OnCommit>) -> io::Result<u16> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let server = Arc::new(Self {
            versions: (0..KEYS).map(|_| Mutex::default()).collect(),
            on_commit,
        });
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(server.clone().serve(stream));
            }
        });
        Ok(port)
    }

    /// Ends with an error when the worker is gone; its writes that are on their way arrive all the same.
    async fn serve(self: Arc<Self>, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let (input, mut output) = stream.into_split();
        let mut input = BufReader::new(input);
        let (answers, mut to_send) = mpsc::channel::<Answer>(1024);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while to_send.recv_many(&mut batch, 64).await > 0 {
                lines::write(&mut output, &batch).await?;
                batch.clear();
            }
            io::Result::Ok(())
        });
        let mut line = Vec::new();
        let Some(pid) = lines::read::<i32>(&mut input, &mut line).await? else {
            return Ok(());
        };
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidData)?;
        while let Some(Request { id, ask }) = lines::read(&mut input, &mut line).await? {
            let (server, answers) = (self.clone(), answers.clone());
            tokio::spawn(async move {
                if let Some(version) = server.answer(ask, pid).await {
                    // The worker may be gone.
                    let _ = answers.send(Answer { id, version }).await;
                }
            });
        }
        Ok(())
    }

    /// `None`: no answer at all, because there is nobody any more to take it.
    async fn answer(self: &Arc<Self>, ask: Ask, pid: Pid) -> Option<Option<u64>> {
        let write = match ask {
            Ask::Read { key } => return Some(Some(*self.version(key))),
            Ask::Write(write) => write,
        };
        match write.fate {
            Fate::Commit => {
                tokio::time::sleep(write.on_its_way).await;
                Some(Some(self.commit(write)))
            }
            Fate::Fail => Some(None),
            Fate::CommitAfterFailing => {
                let server = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(write.on_its_way).await;
                    server.commit(write);
                });
                Some(None)
            }
            Fate::CommitAndKill => {
                tokio::time::sleep(write.on_its_way).await;
                self.commit(write);
                // An error: it is dead already, by another one.
                let _ = kill_process(pid, Signal::KILL);
                None
            }
        }
    }

    /// The new version of its first key.
    fn commit(&self, write: Write) -> u64 {
        let mut versions: Vec<_> = write.keys.iter().map(|key| self.version(key)).collect();
        let at = Moment::now();
        for (key, version) in write.keys.iter().zip(&versions) {
            // Told before the new version can be read: no record of a read comes before that of its commit.
            (self.on_commit)(Commit {
                write,
                key,
                version: **version + 1,
                at,
            });
        }
        for version in &mut versions {
            **version += 1;
        }
        versions.first().map_or(0, |version| **version)
    }

    fn version(&self, key: u64) -> std::sync::MutexGuard<'_, u64> {
        self.versions[usize::try_from(key % KEYS).unwrap_or(0)]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's side: one connection for all its callers.
#[derive(Debug)]
pub(crate) struct Database {
    requests: mpsc::UnboundedSender<Request>,
    waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<Option<u64>>>>>,
    next: AtomicU64,
}

impl Database {
    pub(crate) async fn connect(port: u16) -> io::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let (input, mut output) = stream.into_split();
        lines::write(&mut output, &[std::process::id()]).await?;

        // As many as there are callers, and those who were dropped: bounded by what the database takes.
        let (requests, mut to_send) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while to_send.recv_many(&mut batch, 64).await > 0 {
                lines::write(&mut output, &batch).await?;
                batch.clear();
            }
            io::Result::Ok(())
        });

        let waiting: Arc<Mutex<HashMap<u64, oneshot::Sender<_>>>> = Arc::default();
        let answered = waiting.clone();
        tokio::spawn(async move {
            let (mut input, mut line) = (BufReader::new(input), Vec::new());
            while let Ok(Some(Answer { id, version })) = lines::read(&mut input, &mut line).await {
                let caller = answered
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .remove(&id);
                if let Some(caller) = caller {
                    // Dropped callers do not wait.
                    let _ = caller.send(version);
                }
            }
        });
        Ok(Self {
            requests,
            waiting,
            next: AtomicU64::new(0),
        })
    }

    /// The version read or written; `None` if it failed. Never returns when the controller is gone, and with it the
    /// database: this process is about to end then.
    pub(crate) async fn ask(&self, ask: Ask) -> Option<u64> {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (caller, answer) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, caller);
        let sent = self.requests.send(Request { id, ask });
        match (sent, answer.await) {
            (Ok(()), Ok(version)) => version,
            _ => std::future::pending().await,
        }
    }
}
