//! `MatchLive`: media matched while they play.
//!
//! A worker follows the stream for as long as it lasts and makes a fingerprint of its last seconds
//! after every hop; each is looked up, in parts ([`glance`]). What is found again and again is joined
//! into matches that start, grow and end ([`tracker`]); the pictures of those that are known are
//! compared directly with their reference's.

mod container;
mod glance;
mod opening;
mod pace;
mod tracker;
mod wav;

use crate::engine::Media;
use crate::gate::Caller;
use crate::proto::match_live_response::Event;
use crate::proto::{
    LiveFinishReason, LiveFinished, LiveOptions, MatchLiveRequest, MatchLiveResponse,
};
use crate::refusal::{busy, refuse};
use crate::service::Service;
use crate::settings::seconds;
use crate::shelf::Held;
use crate::telemetry::Label;
use crate::upload;
use crate::worker::{Feed, Looks};
use glance::{Glances, Parts, Picture};
use likeness::core::report::Match;
use likeness::{Going, Look, MatchOptions};
use opening::Opening;
use pace::Pace;
use std::future::pending;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tracker::Tracker;

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
    // A client that has gone ends all work, the worker's too.
    let ended = tokio::select! {
        ended = follow(service, stream, &events) => Some(ended),
        () = events.closed() => None,
    };
    service.telemetry.live_streams.dec();
    match ended {
        Some(Ok(())) => observed.end(Code::Ok),
        Some(Err(status)) => {
            observed.end(status.code());
            // Whoever takes nothing keeps no place either.
            let _ = events
                .send_timeout(Err(status), seconds(service.live.idle_s))
                .await;
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
    let opening = Opening::new(options.format.as_ref())?;
    let query = options.options.unwrap_or_default();
    let held = service.shelf.get(&query.library)?;
    let media = Media::from(&query);
    let name = match query.query.as_str() {
        "" => "stream",
        name => name,
    };
    let (feed, looks) = service.engine.follow(name, media, &service.live)?;
    let mut session = Session {
        service,
        events,
        held,
        name: name.to_owned(),
        glances: Glances::new(service.live.recent_s),
        tracker: Tracker::new(service.live.quiet_s, service.live.window_s),
    };
    let reason = {
        let mut looking = std::pin::pin!(session.look(looks));
        // The worker ends last, unless it cannot go on.
        let fed = tokio::select! {
            biased;
            fed = pass_on(service, &mut stream, opening, feed) => fed?,
            looked = &mut looking => {
                looked?;
                let message = "nothing more of the stream can be decoded";
                return Err(refuse(Code::InvalidArgument, "undecodable", message));
            }
        };
        let patience = service.engine.patience();
        let looked = tokio::time::timeout(patience, looking).await;
        let looked = looked.unwrap_or_else(|_| {
            let message = "the end of the stream takes too long to decode";
            Err(refuse(Code::InvalidArgument, "limit", message))
        });
        match (looked, fed) {
            // Nothing was sent, so nothing is wrong with it.
            (Err(_), Fed { reason, bytes: 0 }) | (Ok(()), Fed { reason, .. }) => reason,
            (Err(status), _) => return Err(status),
        }
    };
    session.finish(reason).await
}

/// What was passed on to the worker.
struct Fed {
    reason: LiveFinishReason,
    bytes: u64,
}

/// Passes on to the worker what comes, until nothing more does.
async fn pass_on(
    service: &Service,
    stream: &mut Streaming<MatchLiveRequest>,
    mut opening: Opening,
    mut feed: Feed,
) -> Result<Fed, Status> {
    let idle = seconds(service.live.idle_s);
    let mut bytes = 0;
    let reason = loop {
        let chunk = tokio::select! {
            biased;
            () = service.draining.cancelled() => break LiveFinishReason::Shutdown,
            chunk = upload::chunk(stream, idle) => chunk?,
        };
        let Some(chunk) = chunk else {
            break LiveFinishReason::EndOfStream;
        };
        bytes += chunk.len() as u64;
        if !feed.push(&opening.pass(chunk)?).await? {
            // The worker tells why.
            pending::<()>().await;
        }
    };
    feed.push(&opening.rest()).await?;
    Ok(Fed { reason, bytes })
}

/// One live stream.
struct Session<'a> {
    service: &'a Service,
    events: &'a Events,
    held: Arc<Held>,
    name: String,
    glances: Glances,
    tracker: Tracker,
}

impl Session<'_> {
    /// Looks up what the worker sees, to the stream's end.
    async fn look(&mut self, mut looks: Looks<'_>) -> Result<(), Status> {
        let mut pace = Pace::new(&self.service.live);
        let mut passed = None;
        while let Some(look) = looks.next().await? {
            let end = look.start + look.fingerprint.duration;
            passed = match pace.is_due(end) {
                true => {
                    let began = Instant::now();
                    self.look_up(look).await?;
                    pace.looked(end, began.elapsed().as_secs_f64());
                    None
                }
                false => Some(look),
            };
        }
        match passed {
            Some(last) => self.look_up(last).await,
            None => Ok(()),
        }
    }

    async fn look_up(&mut self, look: Look) -> Result<(), Status> {
        let start = look.start;
        let end = start + look.fingerprint.duration;
        let going = self.going(&look).await?;
        let known = going.iter().any(|(_, going)| matches!(going, Going::On(_)));
        let Parts { sound, pictures } = self.glances.divide(look, known);
        let (mut matches, seen) = tokio::try_join!(
            async {
                match sound {
                    Some(sound) => self.matches(sound, MatchOptions::default()).await,
                    None => Ok(Vec::new()),
                }
            },
            self.see(pictures)
        )?;
        matches.extend(seen);
        for event in self.tracker.update(start, end, &matches, &going) {
            self.tell(end, event).await?;
        }
        Ok(())
    }

    /// The first of some looks at the picture that shows something.
    async fn see(&self, pictures: Vec<Picture>) -> Result<Vec<Match>, Status> {
        for picture in pictures {
            let options = picture.options();
            let matches = self.matches(picture.look, options).await?;
            if !matches.is_empty() {
                return Ok(matches);
            }
        }
        Ok(Vec::new())
    }

    /// Which of the known matches of picture go on, in the stream's time.
    async fn going(&self, look: &Look) -> Result<Vec<(u64, Going)>, Status> {
        let start = look.start;
        let mut known: Vec<(u64, Match)> = self.tracker.pictures().collect();
        if known.is_empty() || look.fingerprint.video.analysed().is_none() {
            return Ok(Vec::new());
        }
        for segment in known.iter_mut().flat_map(|(_, known)| &mut known.segments) {
            segment.query_start -= start;
            segment.query_end -= start;
        }
        let fingerprint = look.fingerprint.clone();
        let going = self.held.read(move |library| {
            let going = |(id, known)| {
                // What cannot be read is told of by the next look-up.
                let going = library.going(&fingerprint, &known);
                (id, going.unwrap_or(Going::Unclear))
            };
            known.into_iter().map(going).collect::<Vec<_>>()
        });
        let in_stream = |going| match going {
            Going::On(until) => Going::On(until + start),
            Going::Over(until) => Going::Over(until + start),
            Going::Unclear => Going::Unclear,
        };
        let going = going.await?.into_iter();
        Ok(going.map(|(id, going)| (id, in_stream(going))).collect())
    }

    /// What a look shows, in the stream's time.
    async fn matches(&self, look: Look, options: MatchOptions) -> Result<Vec<Match>, Status> {
        let Look { start, fingerprint } = look;
        let engine = &self.service.engine;
        let report = engine.look_up(&self.held, self.name.clone(), fingerprint, options);
        let mut matches = report.await?.matches;
        for segment in matches.iter_mut().flat_map(|found| &mut found.segments) {
            segment.query_start += start;
            segment.query_end += start;
        }
        Ok(matches)
    }

    /// Ends what has not ended.
    async fn finish(mut self, reason: LiveFinishReason) -> Result<(), Status> {
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
        let patience = seconds(self.service.live.idle_s);
        let sent = self.events.send_timeout(Ok(response), patience).await;
        sent.map_err(|error| match error {
            SendTimeoutError::Closed(_) => Status::cancelled("the client has gone"),
            SendTimeoutError::Timeout(_) => {
                let message = "the client takes no events";
                refuse(Code::DeadlineExceeded, "idle", message)
            }
        })
    }
}
