//! `MatchLive`: media matched while they play.
//!
//! The last seconds of the stream are kept as they came ([`window`]), and every hop they are
//! decoded and looked up as if they were a file, in a worker as every file. What is found again
//! and again is joined into matches that start, grow and end ([`tracker`]).

mod cut;
mod tracker;
mod wav;
mod window;

use crate::engine::Media;
use crate::gate::Caller;
use crate::proto::match_live_response::Event;
use crate::proto::{
    LiveFinishReason, LiveFinished, LiveOptions, MatchLiveRequest, MatchLiveResponse, MatchOptions,
};
use crate::refusal::busy;
use crate::service::Service;
use crate::settings::seconds;
use crate::shelf::Held;
use crate::telemetry::Label;
use crate::upload;
use likeness::core::Density;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tracker::Tracker;
use window::Window;

/// Events that wait for a slow client; then the stream is read no further.
const EVENTS: usize = 32;

type Events = Sender<Result<MatchLiveResponse, Status>>;

/// Matches a stream in a task of its own, until either side is done.
pub(crate) fn begin(
    service: Service,
    caller: Caller,
    stream: Streaming<MatchLiveRequest>,
) -> Result<ReceiverStream<Result<MatchLiveResponse, Status>>, Status> {
    let place = service.live_places.clone().try_acquire_owned();
    let place = place.map_err(|_| busy("too many live streams", service.retry))?;
    let (events, receiver) = channel(EVENTS);
    tokio::spawn(async move { run(&service, &caller, stream, events, place).await });
    Ok(ReceiverStream::new(receiver))
}

async fn run(
    service: &Service,
    caller: &Caller,
    stream: Streaming<MatchLiveRequest>,
    events: Events,
    _place: OwnedSemaphorePermit,
) {
    let mut observed = service.telemetry.begin("MatchLive", caller);
    service.telemetry.live_streams.inc();
    // A client that has gone ends all work, a worker's too.
    let ended = tokio::select! {
        ended = follow(service, stream, &events) => Some(ended),
        () = events.closed() => None,
    };
    service.telemetry.live_streams.dec();
    match ended {
        Some(Ok(())) => observed.end(Code::Ok),
        Some(Err(status)) => {
            observed.end(status.code());
            let _ = events.send(Err(status)).await;
        }
        None => {}
    }
}

/// Follows a stream to its end.
async fn follow(
    service: &Service,
    mut stream: Streaming<MatchLiveRequest>,
    events: &Events,
) -> Result<(), Status> {
    let options: LiveOptions = upload::options(&mut stream, service.spool.idle()).await?;
    let mut session = Session::new(service, &options, events)?;
    let idle = seconds(service.live.idle_s);
    let reason = loop {
        let chunk = tokio::select! {
            biased;
            () = service.draining.cancelled() => break LiveFinishReason::Shutdown,
            chunk = upload::chunk(&mut stream, idle) => chunk?,
        };
        match chunk {
            None => break LiveFinishReason::EndOfStream,
            Some(chunk) => session.take(&chunk).await?,
        }
    };
    session.finish(reason).await
}

/// One live stream.
struct Session<'a> {
    service: &'a Service,
    events: &'a Events,
    held: Arc<Held>,
    name: String,
    media: Media,
    window: Window,
    tracker: Tracker,
    hop: Duration,
    /// When the last look at the window ended.
    looked: Instant,
}

impl<'a> Session<'a> {
    fn new(
        service: &'a Service,
        options: &LiveOptions,
        events: &'a Events,
    ) -> Result<Session<'a>, Status> {
        let query = options.options.clone().unwrap_or_default();
        let MatchOptions {
            library,
            query: name,
            ..
        } = &query;
        Ok(Session {
            service,
            events,
            held: service.shelf.get(library)?,
            name: name.clone(),
            media: Media::from(&query),
            window: Window::new(options.format.as_ref(), &service.live)?,
            tracker: Tracker::new(service.live.quiet_s),
            hop: seconds(service.live.hop_s),
            looked: Instant::now(),
        })
    }

    /// Takes the next bytes, and looks at the window if it is time.
    async fn take(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while !bytes.is_empty() {
            bytes = self.window.push(bytes)?;
            if self.window.is_due() || self.window.has_news() && self.looked.elapsed() >= self.hop {
                self.look().await?;
            }
        }
        Ok(())
    }

    /// Matches what the window holds, tells of it, and shortens the window.
    async fn look(&mut self) -> Result<(), Status> {
        let duration = self.match_window().await?;
        if let Some(duration) = duration.filter(|duration| self.window.is_long(*duration))
            && let Some(shorter) = self.window.shorter(duration)
        {
            // What lies before the cut lasts as long as the whole is longer than the rest.
            let rest = match shorter.exact {
                Some(rest) => Some(rest),
                None => self.duration_of(&shorter.header, &shorter.bytes).await?,
            };
            if let Some(rest) = rest {
                self.window.replace(shorter, (duration - rest).max(0.0));
            }
        }
        self.looked = Instant::now();
        Ok(())
    }

    /// Seconds of the window, if it could be decoded.
    async fn match_window(&mut self) -> Result<Option<f64>, Status> {
        let began = Instant::now();
        let took = || began.elapsed().as_secs_f64();
        self.window.seen();
        let (header, bytes) = self.window.file();
        let Some(fingerprint) = self.decode(&header, bytes).await? else {
            self.window.learn(None, took());
            return Ok(None);
        };
        let duration = fingerprint.duration;
        let engine = &self.service.engine;
        let report = engine
            .look_up(&self.held, self.name.clone(), fingerprint)
            .await?;
        let start = self.window.start();
        for event in self
            .tracker
            .update(start, start + duration, &report.matches)
        {
            self.tell(start + duration, event).await?;
        }
        self.window.learn(Some(duration), took());
        Ok(Some(duration))
    }

    async fn duration_of(&self, header: &[u8], bytes: &[u8]) -> Result<Option<f64>, Status> {
        let fingerprint = self.decode(header, bytes).await?;
        Ok(fingerprint.map(|fingerprint| fingerprint.duration))
    }

    /// `None` when it cannot be decoded yet, or not now because others are decoding.
    async fn decode(
        &self,
        header: &[u8],
        bytes: &[u8],
    ) -> Result<Option<likeness::core::Fingerprint>, Status> {
        let upload = self.service.spool.of(&[header, bytes]).await?;
        let engine = &self.service.engine;
        let decoding = engine.fingerprint(&upload, &self.name, Density::Query, self.media);
        match decoding.await {
            Ok(decoded) => Ok(Some(decoded.fingerprint)),
            // The beginning of a stream may be too little to go by.
            Err(status)
                if status.code() == Code::ResourceExhausted
                    || status.code() == Code::InvalidArgument && !self.window.is_full() =>
            {
                Ok(None)
            }
            Err(status) => Err(status),
        }
    }

    /// Looks at what is left, and ends what has not ended.
    async fn finish(mut self, reason: LiveFinishReason) -> Result<(), Status> {
        if self.window.has_news() {
            self.match_window().await?;
        }
        let position = self.tracker.position();
        for event in self.tracker.close() {
            self.tell(position, event).await?;
        }
        let reason = reason.into();
        self.tell(position, Event::Finished(LiveFinished { reason }))
            .await
    }

    async fn tell(&self, position: f64, event: Event) -> Result<(), Status> {
        let of = match &event {
            Event::Started(_) => "started",
            Event::Extended(_) => "extended",
            Event::Ended(_) => "ended",
            Event::Finished(_) => "finished",
        };
        self.service
            .telemetry
            .live_events
            .get_or_create(&Label { of })
            .inc();
        let event = Some(event);
        let response = MatchLiveResponse { position, event };
        let sent = self.events.send(Ok(response)).await;
        sent.map_err(|_| Status::cancelled("the client has gone"))
    }
}
