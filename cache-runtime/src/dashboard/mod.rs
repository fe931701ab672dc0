//! The dashboard: what a cache does, for a person who looks at it, and the controls for one who may use them.

mod access;
mod feed;
mod frame;
mod minute;
mod operation;
mod page;
mod past;
mod process;
mod reach;
mod routes;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::request::Parts;
use axum::routing::{get, post};

use crate::cache::Cache;
pub use access::{Access, Action};
use feed::Feed;

/// The dashboard of a cache, read-only: `.nest_service("/cache", cache_runtime::dashboard::router(cache))`.
///
/// It shows no key and no value, but more than counters: see [what a viewer sees](crate::guide::dashboard#what-a-viewer-sees). Whoever
/// reaches the route can read it: mount it where the metrics of the service are, or behind its authentication.
///
/// `nest_service` serves `/cache` and `/cache/`; `nest`, only the first.
///
/// ```
/// # fn app() -> axum::Router {
/// use axum::Router;
/// use cache_runtime::{dashboard, global};
///
/// Router::new().nest_service("/cache", dashboard::router(global().clone()))
/// # }
/// ```
pub fn router(cache: Cache) -> Router {
    Dashboard::new(cache).into_router()
}

/// A dashboard with controls, for those whom the service lets use them.
///
/// ```
/// # fn app() -> axum::Router {
/// use axum::Router;
/// use cache_runtime::dashboard::{Access, Action, Dashboard};
/// use cache_runtime::global;
///
/// /// What a middleware of the service leaves in the request.
/// #[derive(Clone)]
/// struct Operator { name: String }
///
/// let dashboard = Dashboard::new(global().clone()).authorize(|request, action| {
///     match (action, request.extensions.get::<Operator>()) {
///         (Action::View, _) => Access::Allowed { by: "anyone".to_owned() },
///         (_, Some(operator)) => Access::Allowed { by: operator.name.clone() },
///         (_, None) => Access::Unauthenticated,
///     }
/// });
/// Router::new().nest_service("/cache", dashboard.into_router())
/// # }
/// ```
pub struct Dashboard {
    cache: Cache,
    authorize: Box<Authorize>,
}

type Authorize = dyn Fn(&Parts, &Action) -> Access + Send + Sync;

impl Dashboard {
    /// A dashboard that can be read by everyone, and controlled by nobody.
    #[must_use]
    pub fn new(cache: Cache) -> Self {
        Self {
            cache,
            authorize: Box::new(|_, action| match action {
                Action::View => Access::Allowed { by: String::new() },
                _ => Access::Forbidden,
            }),
        }
    }

    /// Asks `check` before each request whether it is allowed, [`Action::View`] included. It takes the place of the check that was there.
    ///
    /// It is not asynchronous: what takes time, such as a look at a session, belongs in a middleware of the service, which leaves what it
    /// found in the extensions of the request.
    ///
    /// [`Action::View`] can be restricted by what a browser sends with every request, such as a cookie, and not by a bearer token: see
    /// [the guide](crate::guide::dashboard#who-may-look).
    #[must_use]
    pub fn authorize(
        self,
        check: impl Fn(&Parts, &Action) -> Access + Send + Sync + 'static,
    ) -> Self {
        Self {
            authorize: Box::new(check),
            ..self
        }
    }

    /// Its routes, all under the path that they are nested in.
    ///
    /// | route | answers |
    /// | --- | --- |
    /// | `GET /` | the page |
    /// | `GET /api/snapshot` | [`Cache::snapshot`], how many requests were refused, and which process this is |
    /// | `GET /api/changes` | [`Cache::changes`] |
    /// | `GET /api/audit` | the key map of the program and the findings of the [`audit`](crate::audit()) |
    /// | `GET /api/doctor` | [`Cache::doctor`]; one look at a time, and at most one a second, for everyone |
    /// | `GET /api/history` | what was sent in the last 15 minutes, while somebody looked |
    /// | `GET /api/events` | server-sent events: a frame each second, for 10 seconds; the page then asks for more |
    /// | `POST /api/actions` | carries out an [`Action`], given as JSON |
    ///
    /// What changes something is refused without `content-type: application/json`, without the header `x-cache-dashboard`, which no form
    /// and no other site can send without being asked by the browser first, and where `sec-fetch-site` or `origin` tell of another site: with 403 or 415.
    /// An invalidation that the store did not take, and that is queued, is answered with 202; what cannot be done in this process, such as
    /// while it is [detached](crate::Mode::Detached), with 409.
    pub fn into_router(self) -> Router {
        let state = Arc::new(State {
            feed: Feed::new(self.cache.clone()),
            cache: self.cache,
            authorize: self.authorize,
            refused: AtomicU64::new(0),
            diagnosis: routes::LastDiagnosis::default(),
        });
        Router::new()
            .route("/", get(routes::page))
            .route("/api/snapshot", get(routes::snapshot))
            .route("/api/changes", get(routes::changes))
            .route("/api/audit", get(routes::audit))
            .route("/api/doctor", get(routes::doctor))
            .route("/api/history", get(routes::history))
            .route("/api/events", get(routes::events))
            .route("/api/actions", post(routes::act))
            .layer(DefaultBodyLimit::max(16 << 10))
            .with_state(state)
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard")
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

/// What its handlers work with.
pub(crate) struct State {
    cache: Cache,
    authorize: Box<Authorize>,
    feed: Feed,
    /// Requests that were not allowed.
    refused: AtomicU64,
    diagnosis: routes::LastDiagnosis,
}

impl State {
    /// Asks whether a request may do this; who it is by.
    fn admit(&self, request: &Parts, action: &Action) -> Result<String, access::Refusal> {
        match (self.authorize)(request, action) {
            Access::Allowed { by } => Ok(by),
            Access::Unauthenticated => Err(self.refuse(action, access::Refusal::Unauthenticated)),
            Access::Forbidden => Err(self.refuse(action, access::Refusal::Forbidden)),
        }
    }

    /// Counts a request that is refused.
    fn refuse(&self, action: &Action, refusal: access::Refusal) -> access::Refusal {
        self.refused.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(
            action = action.name(),
            ?refusal,
            "cache: the dashboard refuses a request"
        );
        refusal
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }
}
