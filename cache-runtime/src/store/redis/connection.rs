//! Connections: one per tokio runtime, opened by the first call on it, replaced when it does not recover by itself.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::runtime::{Handle, Id};

use super::batch::Batches;
use super::tracking::Tracking;
use crate::error::{CacheError, ErrorKind};
use crate::lock::lock;
use crate::store::local::LocalTier;

/// How long opening a connection may take. A call does not wait for it longer than its own budget.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// After this many failures in a row a connection that has had [`CONNECT_TIMEOUT`] to open is replaced: one whose packets
/// are dropped on the way never reports an error, and one whose handshake was refused (by a server that is loading, or
/// with an old password) keeps answering with that refusal.
const FAILURES: u32 = 5;

/// How many runtimes of one process have a connection at a time. Servers that run one runtime for each core stay below.
const MAX_RUNTIMES: usize = 256;

/// The connections of one store.
///
/// A connection is driven by a task of the runtime that opened it and dies with that runtime, as a test's does; one
/// store is used from several over a process's life.
pub(super) struct Connections {
    client: redis::Client,
    open: Mutex<Vec<Connection>>,
    local: Arc<LocalTier>,
    /// What stands in front of every key.
    epoch: Arc<[u8]>,
}

/// The connection of one runtime.
#[derive(Clone)]
pub(super) struct Connection(Arc<Open>);

struct Open {
    runtime: Id,
    manager: ConnectionManager,
    tracking: Arc<Tracking>,
    batches: Batches,
    since: Instant,
    failures: AtomicU32,
    has_drivers: OnceLock<bool>,
}

impl Connections {
    pub(super) fn new(client: redis::Client, local: Arc<LocalTier>, epoch: &[u8]) -> Self {
        Self {
            client,
            open: Mutex::new(Vec::new()),
            local,
            epoch: epoch.into(),
        }
    }

    /// Where the server is.
    pub(super) fn address(&self) -> String {
        self.client.get_connection_info().addr().to_string()
    }

    /// The connection of the current runtime, if there is one.
    pub(super) fn current(&self) -> Option<Connection> {
        let runtime = Handle::try_current().ok()?.id();
        let open = lock(&self.open);
        open.iter()
            .find(|connection| connection.0.runtime == runtime)
            .cloned()
    }

    /// The connection of the current runtime. Does not wait for it: it is opened by its first command.
    pub(super) async fn get(&self) -> Result<Connection, CacheError> {
        let runtime = Handle::try_current().map_err(|_| CacheError::new(ErrorKind::NoRuntime))?;
        let connection = self.of(runtime.id())?;
        if connection.has_drivers(&runtime).await {
            Ok(connection)
        } else {
            Err(CacheError::new(ErrorKind::NoRuntime))
        }
    }

    fn of(&self, runtime: Id) -> Result<Connection, CacheError> {
        let mut open = lock(&self.open);
        if let Some(connection) = open
            .iter()
            .find(|connection| connection.0.runtime == runtime)
        {
            return Ok(connection.clone());
        }
        #[cfg(feature = "redis-tls")]
        provide_cryptography();
        // Our own budget bounds each command; without retries, each failed attempt is followed by the next call's.
        let mut config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_number_of_retries(0);
        let speaks_resp3 = speaks_resp3(&self.client);
        let tracking = Arc::new(Tracking::new(self.local.clone(), speaks_resp3));
        if speaks_resp3 {
            let (tracking, epoch) = (tracking.clone(), self.epoch.clone());
            config = config.set_push_sender(move |push| {
                tracking.told(&push, &epoch);
                Ok::<_, Infallible>(())
            });
        }
        let manager = ConnectionManager::new_lazy_with_config(self.client.clone(), config)
            .map_err(|error| CacheError::because(ErrorKind::Unavailable, error))?;
        if open.len() == MAX_RUNTIMES {
            open.remove(0).tracking().over();
        }
        let connection = Connection(Arc::new(Open {
            runtime,
            manager,
            tracking,
            batches: Batches::new(),
            since: Instant::now(),
            failures: AtomicU32::new(0),
            has_drivers: OnceLock::new(),
        }));
        open.push(connection.clone());
        Ok(connection)
    }

    /// A command on this connection was carried out.
    pub(super) fn succeeded(connection: &Connection) {
        // A plain load in the good case: no two calls write to one cache line.
        if connection.0.failures.load(Ordering::Relaxed) != 0 {
            connection.0.failures.store(0, Ordering::Relaxed);
        }
    }

    /// A command on this connection was not carried out.
    pub(super) fn failed(&self, connection: &Connection) {
        let health = &connection.0;
        let failures = health.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures >= FAILURES && health.since.elapsed() > CONNECT_TIMEOUT {
            self.replace(connection);
        }
    }

    /// Gives a connection up: the next command on its runtime opens another.
    pub(super) fn replace(&self, connection: &Connection) {
        connection.tracking().over();
        lock(&self.open).retain(|open| !Arc::ptr_eq(&open.0, &connection.0));
    }
}

impl Connection {
    pub(super) fn manager(&self) -> &ConnectionManager {
        &self.0.manager
    }

    /// The reads that go together.
    pub(super) fn batches(&self) -> &Batches {
        &self.0.batches
    }

    /// Whether it is told of changes.
    pub(super) fn tracking(&self) -> &Arc<Tracking> {
        &self.0.tracking
    }

    /// Whether its runtime is known to be of no use.
    pub(super) fn lacks_drivers(&self) -> bool {
        self.0.has_drivers.get() == Some(&false)
    }

    /// Whether its runtime can be used. Callers who come before this is known each find it out for themselves: a call that
    /// is kept and not polled any more must not stand in the way of the others.
    async fn has_drivers(&self, runtime: &Handle) -> bool {
        let known = &self.0.has_drivers;
        if let Some(known) = known.get() {
            return *known;
        }
        let found = has_drivers(runtime).await;
        *known.get_or_init(|| {
            if !found {
                tracing::error!(
                    "the cache stays off on this tokio runtime: Redis needs its I/O and time drivers (`enable_all`)"
                );
            }
            found
        })
    }
}

fn speaks_resp3(client: &redis::Client) -> bool {
    client
        .get_connection_info()
        .redis_settings()
        .protocol()
        .supports_resp3()
}

/// Whether a runtime can sleep and use the network. Where its drivers are not enabled, tokio panics; in a task of its own
/// that ends the task, and is told.
async fn has_drivers(runtime: &Handle) -> bool {
    let uses_both = runtime.spawn(async {
        tokio::time::sleep(Duration::ZERO).await;
        // Sends nothing. Only the panic counts, not an error of a system that is out of sockets.
        drop(tokio::net::UdpSocket::bind(("127.0.0.1", 0)).await);
    });
    uses_both.await.is_ok()
}

/// rustls panics on the first connection where it cannot tell which cryptography to use, as soon as the program's crates
/// ask for two. A program that has chosen keeps its choice.
#[cfg(feature = "redis-tls")]
fn provide_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Fails only if another thread was faster.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}
