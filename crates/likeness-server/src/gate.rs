//! What every request passes first: it gets an identifier, and nobody comes in who may not.

use crate::access::Access;
use http::{HeaderMap, HeaderValue, Request, Response};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{SystemTime, UNIX_EPOCH};
use tonic::body::Body;
use tower::{Layer, Service};

/// The metadata that carries a request's identifier, both ways.
const REQUEST_ID: &str = "x-request-id";
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
}

impl GateLayer {
    pub(crate) fn new(access: Access) -> GateLayer {
        GateLayer {
            access: Arc::new(access),
            numbers: Arc::new(Numbers::new()),
        }
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
        let request_id = given(request.headers()).unwrap_or_else(|| self.layer.numbers.next());
        let header = HeaderValue::from_str(&request_id).ok();
        let path = request.uri().path();
        let admitted = self.layer.access.admit(path, request.headers());
        let served = match admitted {
            Ok(name) => {
                request.extensions_mut().insert(Caller { request_id, name });
                Ok(self.inner.call(request))
            }
            Err(status) => {
                tracing::info!(request_id, path, code = ?status.code(), "refused");
                Err(status)
            }
        };
        Box::pin(async move {
            let mut response = match served {
                Ok(answer) => answer.await?,
                Err(status) => status.into_http(),
            };
            if let Some(header) = header {
                response.headers_mut().insert(REQUEST_ID, header);
            }
            Ok(response)
        })
    }
}

/// The identifier that a client gave, if it is fit for a log.
fn given(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
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
    }
}
