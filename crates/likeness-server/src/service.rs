//! What all services share. Nothing of a request is kept here.

use crate::engine::Engine;
use crate::gate::Caller;
use crate::settings::{Live, Settings, seconds};
use crate::shelf::Shelf;
use crate::telemetry::Telemetry;
use crate::upload::Spool;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tonic::{Response, Status};

/// The service; a handle.
#[derive(Clone)]
pub(crate) struct Service(Arc<Parts>);

pub(crate) struct Parts {
    pub(crate) shelf: Arc<Shelf>,
    pub(crate) spool: Spool,
    pub(crate) engine: Engine,
    pub(crate) telemetry: Arc<Telemetry>,
    pub(crate) live: Live,
    pub(crate) live_places: Arc<Semaphore>,
    pub(crate) retry: Duration,
    pub(crate) draining: CancellationToken,
    request_time: Duration,
}

impl std::ops::Deref for Service {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Service {
    pub(crate) fn new(
        settings: &Settings,
        shelf: Arc<Shelf>,
        telemetry: Arc<Telemetry>,
        draining: CancellationToken,
    ) -> Service {
        let limits = &settings.limits;
        let used = telemetry.spool_bytes.clone();
        Service(Arc::new(Parts {
            shelf,
            spool: Spool::new(&settings.spool, limits, used),
            engine: Engine::new(settings, telemetry.clone()),
            telemetry,
            live: settings.live.clone(),
            live_places: Arc::new(Semaphore::new(limits.live_streams)),
            retry: seconds(limits.retry_s),
            draining,
            request_time: seconds(limits.request_s),
        }))
    }

    /// Answers a request within its time; counts and logs it.
    pub(crate) async fn observe<T>(
        &self,
        method: &'static str,
        caller: &Caller,
        answer: impl Future<Output = Result<T, Status>>,
    ) -> Result<Response<T>, Status> {
        let limit = self.request_time;
        self.telemetry.observe(method, caller, limit, answer).await
    }
}
