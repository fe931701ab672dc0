//! The service and its database, within the test.

use axum::Router;
use cache_runtime::{Cache, CacheConfig};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use web_api::database::Database;
use web_api::repository::Repository;
use web_api::routes::{AppState, router};

/// It ends when it is dropped.
pub(crate) struct Service {
    pub(crate) address: String,
    serving: JoinHandle<std::io::Result<()>>,
    #[allow(dead_code, reason = "it is there to be dropped")]
    directory: TempDir,
}

impl Service {
    /// Serves 200 users on a free port, with the cache of this process.
    #[allow(dead_code, reason = "not by each of the tests that share this")]
    pub(crate) async fn start(config: CacheConfig, token: &str) -> anyhow::Result<Self> {
        Self::start_behind(config, token, |routes| routes).await
    }

    /// The same, with something in front of it.
    pub(crate) async fn start_behind(
        config: CacheConfig,
        token: &str,
        in_front: impl FnOnce(Router) -> Router,
    ) -> anyhow::Result<Self> {
        cache_runtime::install(Cache::new(config)?)?;
        let directory = tempfile::tempdir()?;
        let database = Database::open(&directory.path().join("test.sqlite"), 2).await?;
        let dataset = database.fill(200.try_into()?, |_| {}).await?;
        let state = AppState {
            repository: Repository::new(database),
            dataset,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let serving = axum::serve(listener, in_front(router(state, Some(token.to_owned()))));
        Ok(Self {
            address,
            serving: tokio::spawn(serving.into_future()),
            directory,
        })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
