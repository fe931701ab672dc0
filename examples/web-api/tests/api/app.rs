//! The service under test.

use anyhow::Context;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode, header};
use cache_runtime::{Cache, CacheConfig};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;
use web_api::database::{Database, Dataset};
use web_api::repository::Repository;
use web_api::routes::{AppState, router};

/// Enough for each region to have several people.
const USERS: u32 = 200;

const LARGEST_ANSWER: usize = 1 << 20;

/// The service on a database of its own.
///
/// The cache is the process's: tests that change something use a user, or a kind of data, that no other test touches.
pub(crate) struct App {
    router: Router,
    pub(crate) repository: Repository,
    pub(crate) dataset: Dataset,
    _directory: TempDir,
}

impl App {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        // Whatever the environment says, the tests are about an embedded cache that is on. Only the first test of the
        // process installs one.
        let _ = cache_runtime::install(Cache::new(CacheConfig::embedded())?);
        let directory = tempfile::tempdir()?;
        let database = Database::open(&directory.path().join("test.sqlite"), 2).await?;
        let users = USERS.try_into().context("no users")?;
        let dataset = database.fill(users, |_| {}).await?;
        let repository = Repository::new(database);
        let state = AppState {
            repository: repository.clone(),
            dataset,
        };
        Ok(Self {
            router: router(state, None),
            repository,
            dataset,
            _directory: directory,
        })
    }

    /// Statements executed so far.
    pub(crate) fn queries(&self) -> u64 {
        self.repository.database().queries_executed()
    }

    pub(crate) async fn get(&self, uri: &str) -> anyhow::Result<(StatusCode, Value)> {
        self.request("GET", uri, Body::empty()).await
    }

    pub(crate) async fn delete(&self, uri: &str) -> anyhow::Result<(StatusCode, Value)> {
        self.request("DELETE", uri, Body::empty()).await
    }

    pub(crate) async fn post(
        &self,
        uri: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        self.request("POST", uri, Body::from(body.to_string()))
            .await
    }

    pub(crate) async fn put(&self, uri: &str, body: &Value) -> anyhow::Result<(StatusCode, Value)> {
        self.request("PUT", uri, Body::from(body.to_string())).await
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        uri: &str,
        body: Body,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)?;
        let response = self.router.clone().oneshot(request).await?;
        let status = response.status();
        let body = to_bytes(response.into_body(), LARGEST_ANSWER).await?;
        if body.is_empty() {
            return Ok((status, Value::Null));
        }
        let body = serde_json::from_slice(&body)
            .with_context(|| format!("not JSON: {}", String::from_utf8_lossy(&body)))?;
        Ok((status, body))
    }
}
