//! The HTTP interface: one file per kind of data.

mod dashboards;
mod error;
mod extract;
mod metrics;
mod orders;
mod sessions;
mod settings;
mod stats;
mod users;

use axum::Router;
use axum::http::header;
use axum::routing::{get, post, put};

use cache_runtime::dashboard::{Access, Action, Dashboard};
use hmac_sha256::Hash;

use crate::database::Dataset;
use crate::repository::Repository;

/// What the handlers work with.
#[derive(Clone, Debug)]
pub struct AppState {
    /// Reads and writes the data.
    pub repository: Repository,
    /// What the database was filled with, for clients that want to ask for something that is there.
    pub dataset: Dataset,
}

/// All routes. With a token, whoever has it may use the controls of the cache's dashboard at `/cache`.
pub fn router(state: AppState, dashboard_token: Option<String>) -> Router {
    Router::new()
        .route("/users", get(users::list))
        .route("/users/anonymise", post(users::anonymise))
        .route(
            "/users/{id}",
            get(users::show).put(users::rename).patch(users::rename),
        )
        .route("/users/{id}/merge", post(users::merge))
        .route("/users/{id}/orders", post(orders::place))
        .route("/dashboards/{user_id}", get(dashboards::show))
        .route("/settings", get(settings::show))
        .route("/settings", put(settings::update))
        .route("/sessions", post(sessions::log_in))
        .route(
            "/sessions/{token}",
            get(sessions::show).delete(sessions::log_out),
        )
        .route("/stats", get(stats::show))
        .route("/healthz", get(stats::health))
        .with_state(state)
        .route(
            "/metrics",
            get(metrics::show).with_state(metrics::Metrics::new()),
        )
        .nest_service("/cache", dashboard(dashboard_token))
}

/// The cache's dashboard: everyone may look, and who has the token may act.
fn dashboard(token: Option<String>) -> Router {
    let dashboard = Dashboard::new(cache_runtime::global().clone());
    let expected = token.map(|token| Hash::hash(format!("Bearer {token}").as_bytes()));
    let dashboard = dashboard.authorize(move |request, action| {
        let given = request.headers.get(header::AUTHORIZATION);
        match (action, given, expected) {
            (Action::View, _, _) => Access::Allowed {
                by: "anyone".to_owned(),
            },
            (_, None, Some(_)) => Access::Unauthenticated,
            // Hashes: how long it takes to compare them tells nothing of the token.
            (_, Some(given), Some(expected)) if Hash::hash(given.as_bytes()) == expected => {
                Access::Allowed {
                    by: "the holder of the token".to_owned(),
                }
            }
            // There is no token, or it is another.
            _ => Access::Forbidden,
        }
    });
    dashboard.into_router()
}
