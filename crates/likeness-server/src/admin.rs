//! The side port: metrics, liveness, readiness, over plain HTTP.

use crate::shelf::Shelf;
use crate::telemetry::Telemetry;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The text format's name for HTTP.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Admin {
    telemetry: Arc<Telemetry>,
    shelf: Arc<Shelf>,
    draining: CancellationToken,
}

/// What the side port serves.
pub(crate) fn router(
    telemetry: Arc<Telemetry>,
    shelf: Arc<Shelf>,
    draining: CancellationToken,
) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .route("/livez", get(|| async { "alive\n" }))
        .route("/readyz", get(ready))
        .with_state(Admin {
            telemetry,
            shelf,
            draining,
        })
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let encode = move || admin.telemetry.encode(&admin.shelf);
    match tokio::task::spawn_blocking(encode).await {
        Ok(Ok(text)) => ([(header::CONTENT_TYPE, METRICS)], text).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ready(State(admin): State<Admin>) -> (StatusCode, String) {
    if admin.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned());
    }
    for held in admin.shelf.all() {
        if let Err(status) = held.read(|_| ()).await {
            let text = format!("{}: {}\n", held.name, status.message());
            return (StatusCode::SERVICE_UNAVAILABLE, text);
        }
    }
    (StatusCode::OK, "ready\n".to_owned())
}
