//! Connections: one per tokio runtime, opened by the first call on it, replaced when the breaker opens.

use std::sync::Mutex;
use std::time::Duration;

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::runtime::{Handle, Id};

use crate::error::{CacheError, ErrorKind};
use crate::lock::lock;

/// How long opening a connection may take. A call does not wait for it longer than its own budget.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// How many runtimes of one process have a connection at a time.
const MAX_RUNTIMES: usize = 8;

/// The connections of one store.
///
/// A connection is driven by a task of the runtime that opened it and dies with that runtime, as a test's does; one
/// store is used from several over a process's life.
pub(super) struct Connections {
    client: redis::Client,
    open: Mutex<Vec<(Id, ConnectionManager)>>,
}

impl Connections {
    pub(super) fn new(client: redis::Client) -> Self {
        Self {
            client,
            open: Mutex::new(Vec::new()),
        }
    }

    /// The connection of the current runtime. Does not wait: it is opened by its first command.
    pub(super) fn get(&self) -> Result<ConnectionManager, CacheError> {
        let runtime = Handle::try_current()
            .map_err(|_| CacheError::new(ErrorKind::NoRuntime))?
            .id();
        let mut open = lock(&self.open);
        if let Some((_, connection)) = open.iter().find(|(id, _)| *id == runtime) {
            return Ok(connection.clone());
        }
        #[cfg(feature = "redis-tls")]
        provide_cryptography();
        // Our own budget bounds each command; without retries, each failed attempt is followed by the next call's.
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None)
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(self.client.clone(), config)
            .map_err(|error| CacheError::because(ErrorKind::Unavailable, error))?;
        if open.len() == MAX_RUNTIMES {
            open.remove(0);
        }
        open.push((runtime, connection.clone()));
        Ok(connection)
    }

    /// Gives the connection of the current runtime up: the next command opens another.
    pub(super) fn forget(&self) {
        if let Ok(runtime) = Handle::try_current() {
            lock(&self.open).retain(|(id, _)| *id != runtime.id());
        }
    }
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
