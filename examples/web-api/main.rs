//! `cargo run --release --example web-api`
//!
//! Serves the routes of [`web_api::routes`], and the dashboard of the cache at `/cache`, until it is told to stop by ctrl-c or SIGTERM. It needs nothing installed;
//! with `REDIS_URL` set, the cache is in Redis, and with `CACHE_ENABLED=false` there is none.
//!
//! ```text
//! curl localhost:3000/users/1
//! curl 'localhost:3000/dashboards/1?date=2026-06-30'
//! curl localhost:3000/users/1 -X PUT -H 'content-type: application/json' -d '{"name": "Ada King"}'
//! curl localhost:3000/stats
//! curl localhost:3000/metrics
//! ```

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use cache_runtime::{Cache, CacheConfig};
use clap::Parser;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;
use web_api::args::Args;
use web_api::database::Database;
use web_api::repository::Repository;
use web_api::routes::{AppState, router};

/// How long undelivered invalidations are waited for at the end.
const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")),
        )
        .init();

    // Here and not at the first use, so that a wrong variable in the environment is an error at the start.
    let cache = CacheConfig::from_env().and_then(Cache::new)?;
    cache_runtime::install(cache)?;

    let database = open(&args).await?;
    let dataset = database
        .fill(args.users, |step| eprintln!("filling the database: {step}"))
        .await
        .context("the database cannot be filled")?;
    if dataset.users != args.users.get() {
        tracing::warn!(
            "{} already holds {} users; --users {} has no effect",
            args.database.display(),
            dataset.users,
            args.users
        );
    }

    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    // On stdout and alone on its line, so that a parent process can wait for it and read the port.
    println!("listening on http://{}", listener.local_addr()?);

    let state = AppState {
        repository: Repository::new(database.clone()),
        dataset,
    };
    let stop = stop_signal()?;
    axum::serve(listener, router(state, args.dashboard_token))
        .with_graceful_shutdown(stop)
        .await?;
    // What Redis has not taken yet would be lost with the process.
    if let Err(left) = cache_runtime::global().shutdown(PATIENCE).await {
        tracing::error!("{left}");
    }
    database.close().await;
    Ok(())
}

async fn open(args: &Args) -> anyhow::Result<Database> {
    let directory = args.database.parent().unwrap_or(Path::new(""));
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot create the directory {}", directory.display()))?;
    Database::open(&args.database, args.connections.get())
        .await
        .with_context(|| format!("cannot open the database {}", args.database.display()))
}

/// Completes at the first ctrl-c or SIGTERM. The handlers are in place when this returns.
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}
