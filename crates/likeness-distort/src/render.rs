//! One query: an excerpt of a source, distorted and written.

use crate::encode;
use crate::error::{DistortError, Stage};
use crate::random::Random;
use crate::recipe::Recipe;
use crate::truth::Truth;
use crate::{audio, graph, video};
use ffmpeg::format::stream::Disposition;
use ffmpeg::media::Type;
use ffmpeg_next as ffmpeg;
use std::path::{Path, PathBuf};

/// What to make.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The work that the query shows.
    pub source: &'a Path,
    /// Start of the excerpt on the source's clock, whose zero is its first sound or picture.
    pub start: f64,
    /// Length of the copy in the query, seconds.
    pub seconds: f64,
    /// What is done to it.
    pub recipe: &'a Recipe,
    /// What may be mixed in.
    pub materials: &'a Materials<'a>,
    /// Draws noise and what the recipe leaves open.
    pub random: Random,
}

/// Other people's works for steps that mix something in.
#[derive(Debug, Clone, Copy, Default)]
pub struct Materials<'a> {
    /// Speech.
    pub voice: Option<&'a Path>,
    /// Music.
    pub music: Option<&'a Path>,
    /// A photo.
    pub photo: Option<&'a Path>,
    /// A moving picture.
    pub video: Option<&'a Path>,
}

/// Renders `job` into `folder` under `name` plus the container's extension. Returns the file and
/// what it shows, the sound's truth before the picture's.
///
/// Fails when the excerpt is silent or empty, when a step lacks its material or is out of range, and
/// when FFmpeg cannot do it; a failed query leaves no file.
pub fn render(
    job: &Job<'_>,
    folder: &Path,
    name: &str,
) -> Result<(PathBuf, Vec<Truth>), DistortError> {
    graph::init()?;
    let mut random = job.random.clone();
    let encoding = &job.recipe.encode;
    let with_picture = job.recipe.video.is_some();
    let mut streams = Vec::new();
    let mut truths = Vec::new();
    if let Some(steps) = &job.recipe.audio {
        let (sound, truth) = audio::render(job, steps, &mut random)?;
        streams.push(encode::audio(&sound, encoding, with_picture)?);
        truths.push(truth);
    }
    if let Some(steps) = &job.recipe.video {
        let pictures = video::prepare(job, steps, folder, &mut random)?;
        let encoded = encode::video(pictures.pull, encoding);
        for path in pictures.scratch {
            // A leftover picture in the folder does no harm.
            let _ = std::fs::remove_file(path);
        }
        streams.push(encoded?.ok_or_else(|| DistortError::Empty {
            path: job.source.to_owned(),
            start: job.start,
            end: job.start + job.seconds,
        })?);
        truths.push(pictures.truth);
    }
    let path = folder.join(format!(
        "{name}.{}",
        encode::extension(encoding, with_picture)
    ));
    encode::write(&path, streams)?;
    Ok((path, truths))
}

/// What must be known of a source before it can be cut.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// Container time of the first sound or picture, seconds.
    pub(crate) origin: f64,
    /// Pictures a second, 1..=60.
    pub(crate) frame_rate: f64,
    /// Whether there is sound, and such that filters can read it.
    pub(crate) audible: bool,
}

pub(crate) fn clock(path: &Path) -> Result<Clock, DistortError> {
    graph::init()?;
    let input = ffmpeg::format::input(path).stage(format!("opening {}", path.display()))?;
    let mut clock = Clock {
        origin: f64::INFINITY,
        frame_rate: 25.0,
        audible: false,
    };
    for stream in input.streams() {
        let medium = stream.parameters().medium();
        let timed = matches!(medium, Type::Audio | Type::Video)
            && !stream.disposition().contains(Disposition::ATTACHED_PIC);
        if !timed {
            continue;
        }
        clock.audible |= medium == Type::Audio && has_named_channels(&stream);
        if stream.start_time() != ffmpeg::ffi::AV_NOPTS_VALUE {
            let start = stream.start_time() as f64 * f64::from(stream.time_base());
            // A negative start is the encoder's delay, which the decoder drops.
            clock.origin = clock.origin.min(start.max(0.0));
        }
        let rate = f64::from(stream.avg_frame_rate());
        if medium == Type::Video && rate.is_finite() && rate > 0.0 {
            clock.frame_rate = rate.clamp(1.0, 60.0);
        }
    }
    if !clock.origin.is_finite() {
        clock.origin = 0.0;
    }
    Ok(clock)
}

/// Whether a container tells what the channels of a stream are, or there are so few that it goes
/// without saying. Where only the decoder knows, FFmpeg's `amovie` takes it for a change in mid-stream,
/// which filters refuse.
fn has_named_channels(stream: &ffmpeg::Stream<'_>) -> bool {
    // SAFETY: the stream's parameters are valid while the stream is borrowed.
    let layout = unsafe { (*(*stream.as_ptr()).codecpar).ch_layout };
    layout.order != ffmpeg::ffi::AVChannelOrder::AV_CHANNEL_ORDER_UNSPEC || layout.nb_channels <= 2
}

#[cfg(test)]
mod tests;
