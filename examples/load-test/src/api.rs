//! The service, as a client sees it.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// So long that only a service that hangs does not answer in time.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The service under load, as a client sees it.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    url: Arc<str>,
}

// The parts of the answers that are checked.

#[derive(Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: i64,
    pub(crate) revision: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dashboard {
    pub(crate) user_id: i64,
    pub(crate) standing: Standing,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Standing {
    pub(crate) latest_order: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Settings {
    pub(crate) revision: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Session {
    pub(crate) user_id: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LoggedIn {
    pub(crate) token: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Order {
    pub(crate) id: i64,
}

impl Api {
    pub(crate) fn new(url: &str, connections: usize) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .pool_max_idle_per_host(connections)
            .timeout(TIMEOUT)
            .build()?;
        Ok(Self {
            http,
            url: url.trim_end_matches('/').into(),
        })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<(StatusCode, Vec<u8>), reqwest::Error> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await?;
        let status = response.status();
        Ok((status, response.bytes().await?.into()))
    }

    /// The answer to a GET, outside of any measurement.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let (status, body) = self.send(Method::GET, path, None).await?;
        anyhow::ensure!(status.is_success(), "GET {path} was answered with {status}");
        Ok(serde_json::from_slice(&body)?)
    }

    /// Logs a user in, outside of any measurement.
    pub(crate) async fn log_in(&self, user_id: i64) -> anyhow::Result<Arc<str>> {
        let body = json!({ "user_id": user_id });
        let (status, body) = self.send(Method::POST, "/sessions", Some(body)).await?;
        anyhow::ensure!(
            status.is_success(),
            "POST /sessions was answered with {status}"
        );
        let login: LoggedIn = serde_json::from_slice(&body)?;
        Ok(login.token.into())
    }
}
