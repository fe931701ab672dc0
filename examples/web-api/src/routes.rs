//! The HTTP interface: one file per kind of data.

mod dashboards;
mod error;
mod extract;
mod orders;
mod sessions;
mod settings;
mod stats;
mod users;

use axum::Router;
use axum::routing::{get, post, put};

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

/// All routes.
pub fn router(state: AppState) -> Router {
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
}
