//! `/stats` and `/healthz`

use axum::Json;
use axum::extract::State;
use cache_runtime::CallSite;
use serde::Serialize;
use serde_json::{Value, json};

use super::AppState;
use crate::database::Dataset;

/// What the process has done since its start.
#[derive(Debug, Serialize)]
pub(crate) struct Stats {
    dataset: Dataset,
    database: DatabaseStats,
    cache: CacheStats,
}

/// What it cost the database.
#[derive(Debug, Serialize)]
pub(crate) struct DatabaseStats {
    queries: u64,
}

/// What it spared the database.
#[derive(Debug, Serialize)]
pub(crate) struct CacheStats {
    mode: String,
    undelivered_invalidations: usize,
    totals: cache_runtime::Stats,
    call_sites: Vec<CallSiteStats>,
}

/// The part of one annotated function.
#[derive(Debug, Serialize)]
pub(crate) struct CallSiteStats {
    function: &'static str,
    templates: &'static [&'static str],
    stats: cache_runtime::Stats,
}

impl CacheStats {
    fn read() -> Self {
        let cache = cache_runtime::global();
        let mut call_sites: Vec<_> = cache_runtime::call_sites().map(CallSiteStats::of).collect();
        call_sites.sort_unstable_by_key(|site| site.function);
        Self {
            mode: format!("{:?}", cache.mode()),
            undelivered_invalidations: cache.undelivered(),
            totals: cache.stats(),
            call_sites,
        }
    }
}

impl CallSiteStats {
    fn of(site: &'static CallSite) -> Self {
        Self {
            function: site.function(),
            templates: site.templates(),
            stats: site.stats(),
        }
    }
}

/// `GET /stats`
pub(crate) async fn show(State(state): State<AppState>) -> Json<Stats> {
    Json(Stats {
        dataset: state.dataset,
        database: DatabaseStats {
            queries: state.repository.database().queries_executed(),
        },
        cache: CacheStats::read(),
    })
}

/// `GET /healthz`: the process answers.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok" }))
}
