//! What every request passes first, before any of its content is read: it gets an identifier, and
//! nobody comes in who may not, or for whom there is no place.

use crate::access::{Access, is_health};
use crate::refusal::{busy, of_message, refuse};
use crate::settings::{Limits, seconds};
use crate::telemetry::{Label, Telemetry};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Request, Response};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};

/// The metadata that carries a request's identifier, both ways.
const REQUEST_ID: &str = "x-request-id";
/// What a request has beyond its time, whose end is told by whoever serves it once it has come.
const GRACE: Duration = Duration::from_secs(5);
/// Longest identifier that is taken over from a client.
const MAX_ID: usize = 64;

/// Who calls, and the call's identifier.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) request_id: String,
    /// Name of the token.
    pub(crate) name: String,
}

impl Caller {
    /// What the gate has written down of a request.
    pub(crate) fn of<T>(request: &tonic::Request<T>) -> Caller {
        let known = request.extensions().get::<Caller>().cloned();
        known.unwrap_or_else(|| Caller {
            request_id: String::new(),
            name: String::new(),
        })
    }
}

/// Puts a gate before services.
#[derive(Clone)]
pub(crate) struct GateLayer {
    access: Arc<Access>,
    numbers: Arc<Numbers>,
    places: Arc<Semaphore>,
    retry: Duration,
    longest: Duration,
    telemetry: Arc<Telemetry>,
}

impl GateLayer {
    pub(crate) fn new(access: Access, limits: &Limits, telemetry: Arc<Telemetry>) -> GateLayer {
        GateLayer {
            access: Arc::new(access),
            numbers: Arc::new(Numbers::new()),
            places: Arc::new(Semaphore::new(limits.requests)),
            retry: seconds(limits.retry_s),
            longest: seconds(limits.request_s).saturating_add(GRACE),
            telemetry,
        }
    }

    /// The caller's name, and a place among the requests in flight if the call takes one.
    fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
    ) -> Result<(String, Option<OwnedSemaphorePermit>), Status> {
        let name = self.access.admit(path, headers)?;
        if is_health(path) {
            return Ok((name, None));
        }
        let place = self.places.clone().try_acquire_owned();
        let place = place.map_err(|_| busy("too many requests", self.retry))?;
        Ok((name, Some(place)))
    }
}

impl<S> Layer<S> for GateLayer {
    type Service = Gate<S>;

    fn layer(&self, inner: S) -> Gate<S> {
        Gate {
            inner,
            layer: self.clone(),
        }
    }
}

/// A service behind the gate.
#[derive(Clone)]
pub(crate) struct Gate<S> {
    inner: S,
    layer: GateLayer,
}

type Answer<E> = Pin<Box<dyn Future<Output = Result<Response<Body>, E>> + Send>>;

impl<S> Service<Request<Body>> for Gate<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Answer<S::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Answer<S::Error> {
        let request_timeout = timeout(request.headers());
        let given = given(request.headers()).filter(|id| !self.layer.access.knows(id));
        let request_id = given.unwrap_or_else(|| self.layer.numbers.next());
        let header = HeaderValue::from_str(&request_id).ok();
        let path = request.uri().path();
        let served = match self.layer.admit(path, request.headers()) {
            Ok((name, place)) => {
                request.extensions_mut().insert(Caller { request_id, name });
                Ok((self.inner.call(request), place))
            }
            Err(status) => {
                let code = status.code();
                tracing::info!(request_id, path, ?code, "refused");
                let label = Label { of: word(code) };
                self.layer.telemetry.refused.get_or_create(&label).inc();
                Err(status)
            }
        };
        let longest = longest(request_timeout, self.layer.longest);
        Box::pin(async move {
            let mut response = match served {
                // The place is free when the answer begins.
                Ok((answer, _place)) => match tokio::time::timeout(longest, answer).await {
                    Ok(answer) => worded(answer?),
                    Err(_) => {
                        let message = "the request did not come in time";
                        refuse(Code::DeadlineExceeded, "request_time", message).into_http()
                    }
                },
                Err(status) => status.into_http(),
            };
            if let Some(header) = header {
                response.headers_mut().insert(REQUEST_ID, header);
            }
            Ok(response)
        })
    }
}

/// An answer without content whose status the library made itself, in this service's words.
fn worded(answer: Response<Body>) -> Response<Body> {
    match Status::from_header_map(answer.headers()) {
        Some(status) if status.code() == Code::OutOfRange => of_message(status).into_http(),
        _ => answer,
    }
}

/// What is left of a caller's time for the answer to reach it. The library that serves would say CANCELLED
/// when that time is over.
const AHEAD: Duration = Duration::from_millis(20);

/// How long an answer may take.
fn longest(asked: Option<Duration>, most: Duration) -> Duration {
    asked.map_or(most, |asked| most.min(asked.saturating_sub(AHEAD)))
}

/// The time that a caller gives (`grpc-timeout`, gRPC over HTTP2, "Requests").
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok()?;
    let nanoseconds = match unit {
        "H" => 3600 * 1_000_000_000,
        "M" => 60 * 1_000_000_000,
        "S" => 1_000_000_000,
        "m" => 1_000_000,
        "u" => 1000,
        "n" => 1,
        _ => return None,
    };
    Some(Duration::from_nanos(number.saturating_mul(nanoseconds)))
}

/// Why a request was refused, for metrics.
fn word(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => "unauthenticated",
        Code::PermissionDenied => "permission_denied",
        _ => "busy",
    }
}

/// The identifier that a client gave, if it is fit for a log: a token is not.
fn given(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let secret = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes);
    if secret.is_some_and(|secret| {
        secret
            .windows(id.len().max(1))
            .any(|part| part == id.as_bytes())
    }) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!id.is_empty() && id.len() <= MAX_ID && id.chars().all(plain)).then(|| id.to_owned())
}

/// Identifiers that no other process hands out.
struct Numbers {
    process: String,
    next: AtomicU64,
}

impl Numbers {
    fn new() -> Numbers {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let micros = since.map_or(0, |since| since.as_micros());
        Numbers {
            process: format!("{micros:x}-{:x}", std::process::id()),
            next: AtomicU64::new(1),
        }
    }

    fn next(&self) -> String {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        format!("{}-{number:x}", self.process)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_say_how_long_they_wait() {
        let check = |text: &str, want: Option<u64>| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-timeout", HeaderValue::from_str(text).unwrap());
            assert_eq!(
                timeout(&headers),
                want.map(Duration::from_millis),
                "{text:?}"
            );
        };
        check("3S", Some(3000));
        check("250m", Some(250));
        check("2M", Some(120_000));
        check("1H", Some(3_600_000));
        check("5000u", Some(5));
        check("S", None);
        check("", None);
        check("-1S", None);
        check("1x", None);
        let most = Duration::from_secs(9);
        assert_eq!(longest(None, most), most);
        assert_eq!(longest(Some(2 * most), most), most);
        assert!(longest(Some(Duration::from_secs(3)), most) < Duration::from_secs(3));
    }

    #[test]
    fn only_plain_identifiers_are_taken_over() {
        let check = |id: &str, taken: bool| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_str(id).unwrap());
            assert_eq!(given(&headers).is_some(), taken, "{id:?}");
        };
        check("a-1_b.c", true);
        check("", false);
        check("a b", false);
        check("a\tb", false);
        check(&"x".repeat(MAX_ID), true);
        check(&"x".repeat(MAX_ID + 1), false);
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static("secret-of-16-letters"));
        headers.insert(
            AUTHORIZATION,
            HeaderValue::from_static("Bearer secret-of-16-letters"),
        );
        assert_eq!(given(&headers), None);
    }
}
