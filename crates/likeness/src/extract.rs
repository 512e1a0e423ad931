//! From media to a fingerprint: one pass over the sound and one over the picture, side by side.

use crate::source::{FingerprintError, Source};
use likeness_audio::{AudioConfig, AudioExtractor};
use likeness_core::{
    AudioFingerprint, ContentHash, Density, Fingerprint, StreamState, VideoFingerprint,
};
use likeness_media::{DecodeOptions, Decoded, Limits, MediaError, MediaInfo, Shortcut};
use likeness_video::VideoExtractor;
use std::ops::ControlFlow;
use std::path::Path;

/// What pictures are good enough for: unsmoothed ones are found as surely and cost a sixth less.
const SHORTCUT: Shortcut = Shortcut::Rough;

/// What is extracted, and at what cost.
#[derive(Debug, Clone, Copy)]
pub struct ExtractOptions {
    /// Look at the sound.
    pub audio: bool,
    /// Look at the picture.
    pub video: bool,
    /// Bounds on what a file may cost.
    pub limits: Limits,
    /// Threads of one file's video decoder; 0 takes one for each core. Default: 1, since files
    /// are worked on side by side.
    pub decoder_threads: usize,
}

impl Default for ExtractOptions {
    fn default() -> ExtractOptions {
        ExtractOptions {
            audio: true,
            video: true,
            limits: Limits::default(),
            decoder_threads: 1,
        }
    }
}

/// How far work on one file is. Sound and picture report on their own, each at its own pace.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Seconds of media done.
    pub seconds: f64,
    /// Seconds of media in the file, if it tells.
    pub duration: Option<f64>,
}

/// A fingerprint, and whether it is whole.
#[derive(Debug)]
pub struct Extracted {
    /// What could be made of the file.
    pub fingerprint: Fingerprint,
    /// Why the rest of the file is missing, if it is.
    pub truncated: Option<String>,
}

/// Fingerprints a media file, or reads a fingerprint file. `progress` is called about once per
/// second of media, from several threads.
///
/// # Errors
/// Nothing could be decoded, or a fingerprint file is damaged or of the wrong density.
pub fn fingerprint_file(
    path: &Path,
    density: Density,
    options: &ExtractOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Extracted, FingerprintError> {
    Source::open_within(path, &options.limits)?.fingerprint(density, options, progress)
}

/// Fingerprints a media file.
pub(crate) fn media(
    path: &Path,
    content: ContentHash,
    info: &MediaInfo,
    density: Density,
    options: &ExtractOptions,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Extracted, FingerprintError> {
    let duration = info.duration;
    let report = |seconds| progress(Progress { seconds, duration });
    report(0.0);
    let (audio, video) = rayon::join(
        || match (&info.audio, options.audio) {
            (None, _) => Ok(Pass::without(StreamState::Absent)),
            (_, false) => Ok(Pass::without(StreamState::Skipped)),
            (Some(_), true) => audio(path, density, options, &report),
        },
        || match (&info.video, options.video) {
            (None, _) => Ok(Pass::without(StreamState::Absent)),
            (_, false) => Ok(Pass::without(StreamState::Skipped)),
            (Some(_), true) if info.still_image => Ok(Pass::without(StreamState::TooShort)),
            (Some(_), true) => video(path, density, options, &report),
        },
    );
    combine(content, density, audio, video)
}

/// What a pass over one stream gave.
struct Pass<F> {
    state: StreamState<F>,
    duration: f64,
    truncated: Option<String>,
}

impl<F> Pass<F> {
    fn without(state: StreamState<F>) -> Pass<F> {
        Pass {
            state,
            duration: 0.0,
            truncated: None,
        }
    }

    /// A stream that fails while the other one serves.
    fn failed(error: &MediaError) -> Pass<F> {
        tracing::warn!("{error}");
        Pass::without(StreamState::Undecodable)
    }

    fn of(state: StreamState<F>, decoded: Decoded) -> Pass<F> {
        Pass {
            state,
            duration: decoded.duration,
            truncated: decoded.truncated,
        }
    }
}

fn audio(
    path: &Path,
    density: Density,
    options: &ExtractOptions,
    report: &dyn Fn(f64),
) -> Result<Pass<AudioFingerprint>, MediaError> {
    let rate = AudioConfig::default().sample_rate;
    let mut extractor = AudioExtractor::new(density);
    let mut ticker = Ticker::new(report);
    let mut samples = 0usize;
    let decoded = likeness_media::decode_audio(path, rate, &options.limits, &mut |pcm| {
        extractor.push(pcm);
        samples += pcm.len();
        ticker.at(samples as f64 / f64::from(rate));
        ControlFlow::Continue(())
    })?;
    Ok(Pass::of(extractor.finish(), decoded))
}

fn video(
    path: &Path,
    density: Density,
    options: &ExtractOptions,
    report: &dyn Fn(f64),
) -> Result<Pass<VideoFingerprint>, MediaError> {
    let mut extractor = VideoExtractor::new(density);
    let mut ticker = Ticker::new(report);
    let decode = DecodeOptions {
        limits: options.limits,
        threads: options.decoder_threads,
        shortcut: SHORTCUT,
        ..DecodeOptions::default()
    };
    let decoded = likeness_media::decode_video_with(path, &decode, &mut |frame| {
        ticker.at(frame.time);
        extractor.push(frame);
        ControlFlow::Continue(())
    })?;
    Ok(Pass::of(extractor.finish(), decoded))
}

/// Reports about once per second of media.
struct Ticker<'a> {
    report: &'a dyn Fn(f64),
    next: f64,
}

impl<'a> Ticker<'a> {
    fn new(report: &'a dyn Fn(f64)) -> Ticker<'a> {
        Ticker { report, next: 1.0 }
    }

    fn at(&mut self, seconds: f64) {
        if seconds >= self.next {
            (self.report)(seconds);
            self.next = seconds + 1.0;
        }
    }
}

/// Joins the passes. One stream that cannot be decoded leaves the other; none left is an error.
fn combine(
    content: ContentHash,
    density: Density,
    audio: Result<Pass<AudioFingerprint>, MediaError>,
    video: Result<Pass<VideoFingerprint>, MediaError>,
) -> Result<Extracted, FingerprintError> {
    let (audio, video) = match (audio, video) {
        (Ok(audio), Ok(video)) => (audio, video),
        (Ok(audio), Err(error)) if audio.duration > 0.0 => (audio, Pass::failed(&error)),
        (Err(error), Ok(video)) if video.duration > 0.0 => (Pass::failed(&error), video),
        (Err(error), _) | (_, Err(error)) => return Err(error.into()),
    };
    Ok(Extracted {
        fingerprint: Fingerprint {
            content,
            duration: audio.duration.max(video.duration),
            density,
            audio: audio.state,
            video: video.state,
        },
        truncated: audio.truncated.or(video.truncated),
    })
}
