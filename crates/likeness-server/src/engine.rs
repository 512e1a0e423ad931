//! Work that takes processor time, and how much of it is done at a time: decoding and look-ups.

use crate::refusal::{busy, internal, invalid, refuse};
use crate::settings::{Live, Settings, Worker, seconds};
use crate::shelf::Held;
use crate::telemetry::{Label, Telemetry};
use crate::upload::Upload;
use crate::worker::{Decoded, Failure, Feed, LiveTask, Looks, Task, Workers};
use likeness::MatchOptions;
use likeness::core::report::{MatchReport, ReportError, Status as ReportStatus};
use likeness::core::{Density, Fingerprint, StreamState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tonic::{Code, Status};

/// Tells work that nobody waits for it any more.
struct StopWhenDropped(Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Media {
    pub(crate) audio: bool,
    pub(crate) video: bool,
}

impl Media {
    fn check(self) -> Result<(), Status> {
        match self.audio || self.video {
            true => Ok(()),
            false => Err(invalid("neither sound nor picture is to be looked at")),
        }
    }
}

/// Decodes and matches, so much at a time.
pub(crate) struct Engine {
    worker: Worker,
    workers: Workers,
    decodes: Semaphore,
    queue: Semaphore,
    matches: Arc<Semaphore>,
    retry: Duration,
    telemetry: Arc<Telemetry>,
}

impl Engine {
    pub(crate) fn new(settings: &Settings, telemetry: Arc<Telemetry>) -> Engine {
        let limits = &settings.limits;
        Engine {
            worker: settings.worker.clone(),
            workers: Workers::new(),
            decodes: Semaphore::new(limits.decodes()),
            queue: Semaphore::new(limits.queue),
            matches: Arc::new(Semaphore::new(limits.matches())),
            retry: seconds(limits.retry_s),
            telemetry,
        }
    }

    /// Makes the fingerprint of an upload in a worker, when its turn comes.
    pub(crate) async fn fingerprint(
        &self,
        upload: &Upload,
        name: &str,
        density: Density,
        media: Media,
    ) -> Result<Decoded, Status> {
        media.check()?;
        let _turn = self.turn().await?;
        let task = self.task(density, media);
        let began = Instant::now();
        let most = self.worker.result_mib << 20;
        let decoded = self.workers.decode(&task, upload.file(), name, most).await;
        let of = match &decoded {
            Ok(_) => "done",
            Err(Failure::File { .. }) => "refused",
            Err(Failure::TooCostly(_)) => "too_costly",
            Err(Failure::Crashed(_)) => "crashed",
            Err(Failure::NoWorker(_)) => "no_worker",
        };
        self.telemetry.decodes.get_or_create(&Label { of }).inc();
        let seconds = began.elapsed().as_secs_f64();
        self.telemetry.decode_seconds.observe(seconds);
        let decoded = decoded?;
        self.within_limits(&decoded.fingerprint)?;
        Ok(decoded)
    }

    /// Whether a fingerprint, which an upload may be, is of no longer media than are allowed.
    fn within_limits(&self, fingerprint: &Fingerprint) -> Result<(), Status> {
        let longest = self.worker.media_s;
        // Also refuses what is no number.
        if (0.0..=longest).contains(&fingerprint.duration) {
            return Ok(());
        }
        let message = format!("longer than the {longest} s that are allowed");
        Err(refuse(Code::InvalidArgument, "limit", message))
    }

    /// Begins to follow a stream in a worker of its own. Live streams have places of their own, so
    /// that they need not wait for files.
    pub(crate) fn follow(
        &self,
        name: &str,
        media: Media,
        live: &Live,
    ) -> Result<(Feed, Looks<'_>), Status> {
        media.check()?;
        let task = Task {
            cpu_s: live.cpu_s,
            live: Some(LiveTask {
                window_s: live.window_s,
                hop_s: live.hop_s,
            }),
            ..self.task(Density::Query, media)
        };
        let most = self.worker.result_mib << 20;
        Ok(self.workers.follow(task, name, most)?)
    }

    /// How long a worker may take on the clock.
    pub(crate) fn patience(&self) -> Duration {
        seconds(self.worker.wall_s)
    }

    fn task(&self, density: Density, media: Media) -> Task {
        let worker = &self.worker;
        Task {
            command: worker.command.clone(),
            dense: density == Density::Query,
            audio: media.audio,
            video: media.video,
            memory: worker.memory_mib << 20,
            cpu_s: worker.cpu_s,
            wall_s: worker.wall_s,
            media_s: worker.media_s,
            pixels: worker.pixels,
            frames: worker.frames,
            require_sandbox: worker.require_sandbox,
            live: None,
        }
    }

    /// A free place to decode at; a bounded number of callers wait for one.
    async fn turn(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Status> {
        if let Ok(turn) = self.decodes.try_acquire() {
            return Ok(turn);
        }
        let full = |_| busy("too many files wait to be decoded", self.retry);
        let _waiting = Waiting::new(self.queue.try_acquire().map_err(full)?, &self.telemetry);
        self.decodes.acquire().await.map_err(internal)
    }

    /// Looks a dense fingerprint up. Once the caller is gone, the work ends soon.
    pub(crate) async fn look_up(
        &self,
        held: &Arc<Held>,
        name: String,
        fingerprint: Fingerprint,
        options: MatchOptions,
    ) -> Result<MatchReport, Status> {
        let turn = self.matches.clone().acquire_owned().await;
        let turn = turn.map_err(internal)?;
        let stop = Arc::new(AtomicBool::new(false));
        let _gone = StopWhenDropped(stop.clone());
        let telemetry = self.telemetry.clone();
        let report = held
            .read(move |library| {
                // Kept until the work has ended, even when nobody waits for it any more.
                let _turn = turn;
                telemetry.looking_up.inc();
                let report = library.match_fingerprint_until(&name, &fingerprint, &options, &stop);
                telemetry.looking_up.dec();
                let of = match stop.load(Ordering::Relaxed) {
                    true => "stopped",
                    false => "done",
                };
                telemetry.look_ups.get_or_create(&Label { of }).inc();
                report
            })
            .await?;
        match (report.status, &report.error) {
            (ReportStatus::Error, Some(error)) => Err(internal(&error.message)),
            _ => Ok(report),
        }
    }

    /// A fingerprint that a client made, as it is wanted.
    pub(crate) fn accept(
        &self,
        mut fingerprint: Fingerprint,
        media: Media,
    ) -> Result<Fingerprint, Status> {
        if fingerprint.density != Density::Query {
            let message = "a library's sparse fingerprint cannot be looked up";
            return Err(refuse(Code::InvalidArgument, "sparse_fingerprint", message));
        }
        self.within_limits(&fingerprint)?;
        if !media.audio {
            fingerprint.audio = StreamState::Skipped;
        }
        if !media.video {
            fingerprint.video = StreamState::Skipped;
        }
        Ok(fingerprint)
    }
}

/// The report of a file of which only a part could be decoded.
pub(crate) fn with_truncation(mut report: MatchReport, reason: Option<String>) -> MatchReport {
    if let Some(reason) = reason {
        report.status = ReportStatus::Error;
        report.error = Some(ReportError {
            code: "truncated".to_owned(),
            message: format!("{}: {reason}", report.query),
        });
    }
    report
}

/// A caller that waits for its turn.
struct Waiting<'a> {
    telemetry: &'a Telemetry,
    _place: tokio::sync::SemaphorePermit<'a>,
}

impl<'a> Waiting<'a> {
    fn new(place: tokio::sync::SemaphorePermit<'a>, telemetry: &'a Telemetry) -> Waiting<'a> {
        telemetry.waiting.inc();
        Waiting {
            telemetry,
            _place: place,
        }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.telemetry.waiting.dec();
    }
}
