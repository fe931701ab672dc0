//! The web-api example, built and started as a process of its own.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::Store;
use crate::args::Args;
use crate::phase::Phase;

/// The root of the workspace, which is where a user would build from: any other place may mean other features.
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// How long the service may take to fill its database and to listen.
const START: Duration = Duration::from_secs(120);

/// What the service prints once it listens.
const LISTENING: &str = "listening on ";

/// The service, killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Service {
    url: String,
    process: Child,
}

/// A line of `cargo build --message-format=json`, as far as it is of interest.
#[derive(Debug, Deserialize)]
struct Message {
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
struct Target {
    name: String,
}

/// Builds the example, as this program is built, and returns its path.
pub(crate) async fn build() -> anyhow::Result<PathBuf> {
    println!("building the web-api example");
    let profile = if cfg!(debug_assertions) {
        println!("without optimisation: figures worth telling need `cargo run --release`");
        "dev"
    } else {
        "release"
    };
    let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let output = Command::new(cargo)
        .args(["build", "--profile", profile, "--example", "web-api"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(WORKSPACE)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cargo cannot be started")?;
    ensure!(
        output.status.success(),
        "the web-api example does not build"
    );
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| {
            message
                .target
                .as_ref()
                .is_some_and(|target| target.name == "web-api")
        })
        .find_map(|message| message.executable)
        .context("cargo did not say where the web-api example is")
}

impl Service {
    /// Starts the service for a phase and waits until it listens. All phases share one database.
    pub(crate) async fn start(
        executable: &PathBuf,
        args: &Args,
        phase: Phase,
        store: &Store,
    ) -> anyhow::Result<Self> {
        let database = format!("target/load-test-{}.sqlite", args.users);
        let mut command = Command::new(executable);
        command
            .args(["--listen", "127.0.0.1:0", "--database", &database])
            .args(["--users", &args.users.to_string()])
            .env(
                "CACHE_ENABLED",
                if phase == Phase::CacheOff {
                    "false"
                } else {
                    "true"
                },
            )
            // A namespace of its own: neither is anything hot from an earlier test, nor is anybody else's data touched.
            .env(
                "CACHE_NAMESPACE",
                format!("load-test-{}", std::process::id()),
            )
            .env_remove("REDIS_ENABLED")
            .env_remove("REDIS_HOST")
            .env_remove("REDIS_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        if let Some(url) = store.url() {
            command.env("REDIS_URL", url);
        }
        let mut process = command
            .spawn()
            .with_context(|| format!("{} cannot be started", executable.display()))?;
        let output = process.stdout.take().context("the service has no output")?;
        let url = timeout(START, listening(BufReader::new(output).lines()))
            .await
            .with_context(|| format!("the service did not listen within {START:?}"))??;
        Ok(Self { url, process })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends the process and waits for its end, so that the next phase has the database to itself. It is killed, not
    /// asked: the database's journal makes that safe, and no request is under way that would have to be answered.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.process.try_wait()? {
            bail!("the service ended during the test: {status}");
        }
        self.process.kill().await?;
        Ok(())
    }
}

/// Reads the address from the service's output.
async fn listening(mut lines: Lines<BufReader<ChildStdout>>) -> anyhow::Result<String> {
    while let Some(line) = lines.next_line().await? {
        if let Some(url) = line.strip_prefix(LISTENING) {
            return Ok(url.to_owned());
        }
    }
    bail!("the service ended before it listened")
}
