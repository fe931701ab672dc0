//! `/stats` and `/healthz`

use axum::Json;
use axum::extract::State;
use cache_runtime::Snapshot;
use serde::Serialize;
use serde_json::{Value, json};

use super::AppState;
use crate::database::Dataset;

/// What the process has done since its start.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    dataset: Dataset,
    database: DatabaseStats,
    cache: Snapshot,
}

/// What it cost the database.
#[derive(Debug, Serialize)]
pub(crate) struct DatabaseStats {
    queries: u64,
}

/// `GET /stats`
pub(crate) async fn show(State(state): State<AppState>) -> Json<Stats> {
    Json(Stats {
        dataset: state.dataset,
        database: DatabaseStats {
            queries: state.repository.database().queries_executed(),
        },
        cache: cache_runtime::global().snapshot(),
    })
}

/// `GET /healthz`: the process answers.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
