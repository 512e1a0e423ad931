//! Decodes media files to PCM and luma frames with timestamps.
//!
//! The only crate that decodes: FFmpeg for nearly everything, symphonia for the sound that it
//! decodes as well, the `image` crate for PNG and JPEG. Everything is streamed: memory does not
//! grow with the length of a file. Sound and pictures are decoded in separate passes that share
//! one clock, whose zero is the file's first sound or picture.

mod audio;
mod clock;
mod cut;
mod error;
mod input;
mod limits;
mod luma;
mod mp3;
mod orientation;
mod probe;
mod still;
mod video;

pub use error::MediaError;
pub use limits::{Backend, DecodeOptions, Limits, Shortcut};
pub use mp3::encode_mp3;
pub use probe::{AudioInfo, MediaInfo, VideoInfo};

use input::Source;
use likeness_core::{LumaFrame, PcmBlock};
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

/// What was delivered.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// Seconds from the clock's zero to the end of the last sample or frame; 0 for a picture.
    pub duration: f64,
    /// Seconds that the header declares, where that is no estimate.
    pub declared: Option<f64>,
    /// Why what follows is missing, when the file ends before its declared end.
    pub truncated: Option<String>,
    /// Packets that could not be used and were skipped.
    pub corrupt_packets: u64,
    /// Samples decoded, at the file's own rate, or frames delivered.
    pub frames: u64,
    /// The decoder that was used, `Auto` for a PNG or JPEG picture.
    pub backend: Backend,
}

/// What a file holds.
///
/// # Errors
/// See [`MediaError`]; a file of neither sound nor pictures is one.
pub fn probe(path: &Path) -> Result<MediaInfo, MediaError> {
    probe_within(path, &Limits::default())
}

/// As [`probe`]; a still picture larger than `limits` allow is an error, as nothing else would look at
/// its size.
///
/// # Errors
/// See [`MediaError`].
pub fn probe_within(path: &Path, limits: &Limits) -> Result<MediaInfo, MediaError> {
    probe::probe(path, limits)
}

/// Decodes the best audio stream at `sample_rate` Hz, full scale at 1, sample `i` at
/// `i / sample_rate` seconds: the mean of the channels, and, of more than one, half the difference
/// of left and right. A leading gap and holes are silence.
/// The sink may break to stop early.
///
/// # Errors
/// See [`MediaError`]. What was decoded before an error has been delivered.
pub fn decode_audio(
    path: &Path,
    sample_rate: u32,
    limits: &Limits,
    sink: &mut dyn FnMut(PcmBlock<'_>) -> ControlFlow<()>,
) -> Result<Decoded, MediaError> {
    audio::decode(path, sample_rate, &(*limits).into(), sink)
}

/// [`decode_audio`] with a choice of decoder.
///
/// # Errors
/// As [`decode_audio`].
pub fn decode_audio_with(
    path: &Path,
    sample_rate: u32,
    options: &DecodeOptions,
    sink: &mut dyn FnMut(PcmBlock<'_>) -> ControlFlow<()>,
) -> Result<Decoded, MediaError> {
    audio::decode(path, sample_rate, options, sink)
}

/// Decodes the best video stream to upright luma frames at their native resolution, which may
/// change from frame to frame. Luma is what the file stores, in limited or full range. A still
/// picture is one frame. The sink may break to stop early.
///
/// # Errors
/// See [`MediaError`]. What was decoded before an error has been delivered.
pub fn decode_video(
    path: &Path,
    limits: &Limits,
    sink: &mut dyn FnMut(LumaFrame<'_>) -> ControlFlow<()>,
) -> Result<Decoded, MediaError> {
    video::decode(path, &(*limits).into(), sink)
}

/// [`decode_video`] with a choice of threads.
///
/// # Errors
/// As [`decode_video`].
pub fn decode_video_with(
    path: &Path,
    options: &DecodeOptions,
    sink: &mut dyn FnMut(LumaFrame<'_>) -> ControlFlow<()>,
) -> Result<Decoded, MediaError> {
    video::decode(path, options, sink)
}

/// [`decode_audio`] of what comes from a reader by and by, such as a broadcast, from its beginning
/// on; errors call it `name`. Nothing is held against it that ends early.
///
/// # Errors
/// As [`decode_audio`].
pub fn decode_audio_stream(
    reader: impl Read + Send + 'static,
    name: &Path,
    sample_rate: u32,
    limits: &Limits,
    sink: &mut dyn FnMut(PcmBlock<'_>) -> ControlFlow<()>,
) -> Result<Decoded, MediaError> {
    let source = Source::stream(reader, name, limits)?;
    audio::ffmpeg::from_source(source, sample_rate, &(*limits).into(), sink)
}

/// [`decode_video`] of what comes from a reader by and by.
///
/// # Errors
/// As [`decode_video`].
pub fn decode_video_stream(
    reader: impl Read + Send + 'static,
    name: &Path,
    limits: &Limits,
    sink: &mut dyn FnMut(LumaFrame<'_>) -> ControlFlow<()>,
) -> Result<Decoded, MediaError> {
    let source = Source::stream(reader, name, limits)?;
    video::from_source(source, &(*limits).into(), sink)
}
