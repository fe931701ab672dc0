//! Where the cache keeps its values: a Redis that was named, one that is started for the test, or none.

use std::fmt;
use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

/// How long a new server may take before it answers.
const START: Duration = Duration::from_secs(10);

/// The store of the cache.
#[derive(Debug)]
pub(crate) enum Store {
    /// It runs already, and is somebody else's.
    Named(String),
    /// It was started for this test and ends with it.
    Own(OwnRedis),
    /// There is no Redis: the service keeps everything in its own memory.
    Embedded,
}

impl Store {
    /// Uses the Redis at `url`, or starts one if none is named.
    pub(crate) async fn start(url: Option<&str>) -> anyhow::Result<Self> {
        match url {
            Some(url) => Ok(Self::Named(url.to_owned())),
            None => Ok(OwnRedis::start().await?.map_or(Self::Embedded, Self::Own)),
        }
    }

    /// The value of `REDIS_URL`.
    pub(crate) fn url(&self) -> Option<String> {
        match self {
            Self::Named(url) => Some(url.clone()),
            Self::Own(redis) => Some(format!("redis://127.0.0.1:{}", redis.port)),
            Self::Embedded => None,
        }
    }
}

impl fmt::Display for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Without the URL, which may hold a password.
            Self::Named(_) => formatter.write_str("the Redis of REDIS_URL or --redis-url"),
            Self::Own(redis) => write!(formatter, "a Redis of its own on port {}", redis.port),
            Self::Embedded => formatter
                .write_str("embedded, as no Redis is named and redis-server is not installed"),
        }
    }
}

/// A `redis-server` that is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct OwnRedis {
    port: u16,
    process: Child,
    _directory: TempDir,
}

impl OwnRedis {
    /// `None` if `redis-server` is not installed.
    async fn start() -> anyhow::Result<Option<Self>> {
        let directory = tempfile::tempdir()?;
        let port = free_port().await?;
        let process = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let process = match process {
            Ok(process) => process,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).context("redis-server cannot be started"),
        };
        let mut redis = Self {
            port,
            process,
            _directory: directory,
        };
        redis.wait_until_it_answers().await?;
        Ok(Some(redis))
    }

    async fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + START;
        while ping(self.port).await.is_err() {
            if let Some(status) = self.process.try_wait()? {
                bail!("redis-server ended at once: {status}");
            }
            if Instant::now() > end {
                bail!("redis-server did not answer within {START:?}");
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }
}

/// A port that is free now. Somebody else could take it first; then `redis-server` says so and ends.
async fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    Ok(listener.local_addr()?.port())
}

async fn ping(port: u16) -> anyhow::Result<()> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).await?;
    connection.write_all(b"PING\r\n").await?;
    let mut answer = [0; 7];
    connection.read_exact(&mut answer).await?;
    anyhow::ensure!(&answer == b"+PONG\r\n", "not ready");
    Ok(())
}
