//! From a query's fingerprint to its report.

use crate::extract::ExtractOptions;
use likeness_core::report::{
    AudioState, Match, MatchReport, REPORT_VERSION, ReportError, Status, VideoState,
};
use likeness_core::{Fingerprint, ReferenceId, StreamState};
use likeness_index::{Store, StoreError};
use likeness_match::audio::{AudioMatchConfig, ChromaCache, match_audio};
use likeness_match::video::{VideoMatchConfig, match_video};
use likeness_match::{Found, naming};

/// How queries are matched.
#[derive(Debug, Clone)]
pub struct MatchOptions {
    /// Matches that chance gives with a larger probability, for the library's size and the query's
    /// length, are not reported. Between 0 and 1, both excluded; default: 1e-6.
    pub max_false_positive_probability: f64,
    /// What is extracted from the query.
    pub extract: ExtractOptions,
    /// How sound is matched.
    pub audio: AudioMatchConfig,
    /// How pictures are matched.
    pub video: VideoMatchConfig,
}

impl Default for MatchOptions {
    fn default() -> MatchOptions {
        MatchOptions {
            max_false_positive_probability: 1e-6,
            extract: ExtractOptions::default(),
            audio: AudioMatchConfig::default(),
            video: VideoMatchConfig::default(),
        }
    }
}

/// A reference's identifier and duration in seconds.
pub(crate) type Name<'a> = (&'a str, f64);

/// Looks a fingerprint up, its sound and its picture side by side.
pub(crate) fn report<'a>(
    query: &str,
    fingerprint: &Fingerprint,
    store: &dyn Store,
    chroma: &ChromaCache,
    name: &dyn Fn(ReferenceId) -> Option<Name<'a>>,
    options: &MatchOptions,
) -> MatchReport {
    let found = match find(fingerprint, store, chroma, options) {
        Ok(found) => found,
        Err(error) => return MatchReport::failed(query, "library", error.to_string()),
    };
    let mut matches: Vec<Match> = found
        .into_iter()
        .filter_map(|found| Some(named(&found, fingerprint.duration, name(found.reference)?)))
        .collect();
    matches.sort_by(|a, b| {
        let by_name = || (&a.reference, a.media as u8).cmp(&(&b.reference, b.media as u8));
        b.score.total_cmp(&a.score).then_with(by_name)
    });
    MatchReport {
        version: REPORT_VERSION,
        query: query.to_owned(),
        status: Status::Ok,
        error: None,
        duration: Some(fingerprint.duration),
        audio: Some(audio_state(&fingerprint.audio)),
        video: Some(video_state(&fingerprint.video)),
        matches,
    }
}

/// The report when only a part of a file could be decoded: an error, with what was found.
pub(crate) fn truncated(report: MatchReport, message: String) -> MatchReport {
    incomplete(report, "truncated", message)
}

/// The report when a part of the library did not answer: an error, with what was found in the rest.
pub(crate) fn partial(report: MatchReport) -> MatchReport {
    let message = format!(
        "{}: a part of the library did not answer; only the rest was searched",
        report.query
    );
    incomplete(report, "partial", message)
}

fn incomplete(mut report: MatchReport, code: &str, message: String) -> MatchReport {
    if report.status == Status::Ok {
        report.status = Status::Error;
        report.error = Some(ReportError {
            code: code.to_owned(),
            message,
        });
    }
    report
}

pub(crate) fn find(
    fingerprint: &Fingerprint,
    store: &dyn Store,
    chroma: &ChromaCache,
    options: &MatchOptions,
) -> Result<Vec<Found>, StoreError> {
    let limit = options.max_false_positive_probability;
    let (audio, video) = rayon::join(
        || match fingerprint.audio.analysed() {
            Some(audio) => {
                let wanted = options.audio.channels.chroma;
                let index = wanted.then(|| chroma.get(store)).transpose()?;
                match_audio(audio, store, index.as_deref(), limit, &options.audio)
            }
            None => Ok(Vec::new()),
        },
        || match fingerprint.video.analysed() {
            Some(video) => match_video(video, store, limit, &options.video),
            None => Ok(Vec::new()),
        },
    );
    let mut found = audio?;
    found.extend(video?);
    Ok(found)
}

fn named(found: &Found, query_duration: f64, (identifier, duration): Name<'_>) -> Match {
    let segments = || found.segments.iter();
    let in_query = segments().map(|s| (s.query_start, s.query_end));
    let in_reference = segments().map(|s| (s.reference_start, s.reference_end));
    let share = |seconds: f64, all: f64| match all > 0.0 {
        true => Some((seconds / all).clamp(0.0, 1.0)),
        false => None,
    };
    Match {
        reference: identifier.to_owned(),
        media: found.media,
        score: found.score,
        false_positive_probability: Some(found.false_positive_probability),
        query_coverage: share(naming::coverage(in_query), query_duration),
        reference_coverage: share(naming::coverage(in_reference), duration),
        segments: found.segments.clone(),
        distortions: naming::distortions(found, query_duration),
    }
}

fn audio_state<F>(state: &StreamState<F>) -> AudioState {
    match state {
        StreamState::Analysed(_) => AudioState::Analysed,
        StreamState::Absent => AudioState::Absent,
        StreamState::Empty => AudioState::Silent,
        StreamState::TooShort => AudioState::TooShort,
        StreamState::Undecodable => AudioState::Undecodable,
        StreamState::Skipped => AudioState::Skipped,
    }
}

fn video_state<F>(state: &StreamState<F>) -> VideoState {
    match state {
        StreamState::Analysed(_) => VideoState::Analysed,
        StreamState::Absent => VideoState::Absent,
        StreamState::Empty => VideoState::Blank,
        StreamState::TooShort => VideoState::TooShort,
        StreamState::Undecodable => VideoState::Undecodable,
        StreamState::Skipped => VideoState::Skipped,
    }
}
