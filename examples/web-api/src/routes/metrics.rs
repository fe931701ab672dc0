//! `/metrics`, for Prometheus.

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HeaderName};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use std::sync::Arc;

/// What is asked for the figures, and renders them.
///
/// A service with metrics of its own would install one recorder for all of them, with `PrometheusBuilder::install_recorder`.
#[derive(Clone)]
pub(crate) struct Metrics {
    recorder: Arc<PrometheusRecorder>,
    handle: PrometheusHandle,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        Self {
            handle: recorder.handle(),
            recorder: recorder.into(),
        }
    }
}

pub(crate) async fn show(
    State(metrics): State<Metrics>,
) -> ([(HeaderName, &'static str); 1], String) {
    metrics::with_local_recorder(&*metrics.recorder, || {
        cache_runtime::metrics::publish(cache_runtime::global());
    });
    let kind = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, metrics.handle.render())
}
