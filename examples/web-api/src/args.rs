//! The command line. The cache is configured by its own environment variables: `REDIS_URL`, `CACHE_ENABLED` and so on.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;

use clap::Parser;

/// An HTTP service on an embedded database, whose repository is cached by annotations.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Args {
    /// The address to listen on; with port 0 a free one is taken and printed.
    #[arg(long, env = "WEB_API_LISTEN", default_value = "127.0.0.1:3000")]
    pub listen: SocketAddr,

    /// The database file; it is created and filled if it does not exist.
    #[arg(
        long,
        env = "WEB_API_DATABASE",
        default_value = "target/web-api.sqlite"
    )]
    pub database: PathBuf,

    /// How many users an empty database is filled with.
    #[arg(long, env = "WEB_API_USERS", default_value = "50000")]
    pub users: NonZeroU32,

    /// Whoever sends this as a bearer token may use the controls of the cache's dashboard at `/cache`. Without it, nobody may.
    #[arg(long, env = "DASHBOARD_TOKEN", hide_env_values = true)]
    pub dashboard_token: Option<String>,

    /// The most connections to the database.
    #[arg(long, env = "WEB_API_CONNECTIONS", default_value = "16")]
    pub connections: NonZeroU32,
}
