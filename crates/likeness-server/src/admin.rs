//! The side port: metrics, liveness, readiness, over plain HTTP.

use crate::shelf::Shelf;
use crate::telemetry::Telemetry;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The text format's name for HTTP.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How long a probe waits for each step.
const PATIENCE: Duration = Duration::from_secs(5);

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

/// Asks the side port at `address` of this machine whether the service is ready.
///
/// # Errors
/// Why it is not, or why that cannot be known.
pub(crate) fn probe(address: Option<SocketAddr>) -> Result<(), String> {
    let address = address.ok_or("admin_listen is not set")?;
    let answer = ask_ready(reachable(address)).map_err(|error| format!("{address}: {error}"))?;
    let status = answer.lines().next().unwrap_or_default();
    match status.split(' ').nth(1) {
        Some("200") => Ok(()),
        _ => Err(format!(
            "{address}: {:?}",
            answer.lines().next_back().unwrap_or_default()
        )),
    }
}

/// Where a port that is served at all addresses is reached from here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

fn ask_ready(address: SocketAddr) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    // The answer is a line; nobody may send more than a little.
    stream.take(4096).read_to_string(&mut answer)?;
    Ok(answer)
}
