//! Numbers about the service, for Prometheus, and one log line for every request.

use crate::gate::Caller;
use crate::refusal;
use crate::shelf::Shelf;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::future::Future;
use std::time::{Duration, Instant};
use tonic::{Code, Response, Status};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    method: &'static str,
    code: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Label {
    pub(crate) of: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LibraryLabel {
    library: String,
}

/// All numbers.
pub(crate) struct Telemetry {
    registry: Registry,
    requests: Family<Call, Counter>,
    seconds: Family<Label, Histogram>,
    in_flight: Family<Label, Gauge>,
    pub(crate) refused: Family<Label, Counter>,
    pub(crate) decodes: Family<Label, Counter>,
    pub(crate) decode_seconds: Histogram,
    pub(crate) waiting: Gauge,
    pub(crate) look_ups: Family<Label, Counter>,
    pub(crate) looking_up: Gauge,
    pub(crate) spool_bytes: Gauge,
    pub(crate) live_streams: Gauge,
    pub(crate) live_events: Family<Label, Counter>,
    references: Family<LibraryLabel, Gauge>,
    library_bytes: Family<LibraryLabel, Gauge>,
}

fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.002, 2.0, 18))
}

impl Telemetry {
    pub(crate) fn new() -> Telemetry {
        let mut registry = Registry::with_prefix("likeness");
        let telemetry = Telemetry {
            registry: Registry::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(histogram),
            in_flight: Family::default(),
            refused: Family::default(),
            decodes: Family::default(),
            decode_seconds: histogram(),
            waiting: Gauge::default(),
            look_ups: Family::default(),
            looking_up: Gauge::default(),
            spool_bytes: Gauge::default(),
            live_streams: Gauge::default(),
            live_events: Family::default(),
            references: Family::default(),
            library_bytes: Family::default(),
        };
        let t = &telemetry;
        registry.register(
            "requests",
            "Requests by method and status",
            t.requests.clone(),
        );
        registry.register_with_unit(
            "request_duration",
            "Time of requests by method",
            Unit::Seconds,
            t.seconds.clone(),
        );
        registry.register("requests_in_flight", "Requests now", t.in_flight.clone());
        registry.register(
            "requests_refused",
            "Requests that were not let in, by reason",
            t.refused.clone(),
        );
        registry.register("decodes", "Decodes by outcome", t.decodes.clone());
        registry.register_with_unit(
            "decode_duration",
            "Time of decodes, waiting not counted",
            Unit::Seconds,
            t.decode_seconds.clone(),
        );
        registry.register("decodes_waiting", "Decodes that wait", t.waiting.clone());
        registry.register("look_ups", "Look-ups by outcome", t.look_ups.clone());
        let now = t.looking_up.clone();
        registry.register("look_ups_in_flight", "Look-ups now", now);
        registry.register_with_unit("spool", "Uploads now", Unit::Bytes, t.spool_bytes.clone());
        registry.register("live_streams", "Live streams now", t.live_streams.clone());
        registry.register("live_events", "Events by kind", t.live_events.clone());
        registry.register("references", "Live references", t.references.clone());
        let bytes = t.library_bytes.clone();
        registry.register_with_unit("library", "Files of a library", Unit::Bytes, bytes);
        Telemetry {
            registry,
            ..telemetry
        }
    }

    /// All numbers, in Prometheus' text format. Reads the libraries' sums: may block.
    pub(crate) fn encode(&self, shelf: &Shelf) -> Result<String, std::fmt::Error> {
        for held in shelf.all() {
            let library = held.name.clone();
            let label = LibraryLabel { library };
            if let Ok(newest) = held.newest() {
                let stats = newest.stats();
                let (references, bytes) = (stats.references as i64, stats.file_bytes as i64);
                self.references.get_or_create(&label).set(references);
                self.library_bytes.get_or_create(&label).set(bytes);
            }
        }
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }

    /// Answers a request within `limit`, counts and logs it.
    pub(crate) async fn observe<T>(
        &self,
        method: &'static str,
        caller: &Caller,
        limit: Duration,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<Response<T>, Status> {
        let mut observed = self.begin(method, caller);
        let result = tokio::time::timeout(limit, answer)
            .await
            .unwrap_or_else(|_| {
                let message = format!("not done within the server's {} s", limit.as_secs_f64());
                Err(refusal::refuse(
                    Code::DeadlineExceeded,
                    "request_time",
                    message,
                ))
            });
        observed.end(result.as_ref().map_or_else(Status::code, |_| Code::Ok));
        result.map(Response::new)
    }

    /// Begins to observe a request; what is dropped before its end was cancelled.
    pub(crate) fn begin(&self, method: &'static str, caller: &Caller) -> Observed<'_> {
        let label = Label { of: method };
        self.in_flight.get_or_create(&label).inc();
        Observed {
            telemetry: self,
            label,
            caller: caller.clone(),
            began: Instant::now(),
            code: Code::Cancelled,
        }
    }
}

/// A request in flight.
pub(crate) struct Observed<'a> {
    telemetry: &'a Telemetry,
    label: Label,
    caller: Caller,
    began: Instant,
    code: Code,
}

impl Observed<'_> {
    /// It was answered.
    pub(crate) fn end(&mut self, code: Code) {
        self.code = code;
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        let (telemetry, method) = (self.telemetry, self.label.of);
        let (seconds, code) = (
            self.began.elapsed().as_secs_f64(),
            format!("{:?}", self.code),
        );
        telemetry.in_flight.get_or_create(&self.label).dec();
        telemetry
            .seconds
            .get_or_create(&self.label)
            .observe(seconds);
        let Caller { request_id, name } = &self.caller;
        let seconds = (seconds * 1e3).round() / 1e3;
        tracing::info!(request_id, caller = name, method, code, seconds, "request");
        telemetry
            .requests
            .get_or_create(&Call { method, code })
            .inc();
    }
}
